"""A small world of generated pictures, every property of which is measured: a stand-in for real images."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from ppaint_distill.config import PromptConfig
from ppaint_distill.errors import ConfigError
from ppaint_stats.columns import ITEM
from ppaint_stats.seeds import check_seed

SIDE = 64  # pixels
N_SHAPES = 5
LUMINANCE = np.array([0.299, 0.587, 0.114])

PROPERTIES = {
    "brightness": "how light the picture is on average",
    "warmth": "how far its colours tend to red rather than to blue",
    "coverage": "how much of the picture its shapes cover",
}
"""The properties of a picture, with their descriptions in prompts."""


def make_prompt_config(*properties: str) -> PromptConfig:
    """Return the settings of questions about generated pictures.

    Parameters
    ----------
    *properties
        Names out of `PROPERTIES`, the dimensions of the question.

    Returns
    -------
    PromptConfig
        Questions without reasoning, on a scale from 1 to 5.

    Raises
    ------
    ConfigError
        If a name is unknown.

    Examples
    --------
    >>> make_prompt_config("brightness").descriptions
    {'brightness': 'how light the picture is on average'}
    """
    for name in properties:
        if name not in PROPERTIES:
            raise ConfigError(f"there is no property {name!r}; properties are {', '.join(PROPERTIES)}")
    described = {name: PROPERTIES[name] for name in properties}
    return PromptConfig(dimensions=properties, descriptions=described, subject="picture", think=False)


def draw_images(n: int, *, random_seed: int = 0, prefix: str = "picture") -> tuple[list[Image.Image], pd.DataFrame]:
    """Draw pictures of discs and boxes on a plain ground.

    Number, kind, place and size of the shapes, both colours and the grain vary by themselves; shapes are lighter than
    the ground as often as darker, so that no property tells another.

    Parameters
    ----------
    n
        Number of pictures.
    random_seed
        Same seed, same pictures.
    prefix
        Of their names.

    Returns
    -------
    list of PIL.Image.Image
        RGB pictures of 64 x 64 pixels.
    pandas.DataFrame
        ``item`` and every property, measured on the picture.

    Examples
    --------
    >>> pictures, truth = draw_images(3, random_seed=1)
    >>> pictures[0].size, list(truth)
    ((64, 64), ['item', 'brightness', 'warmth', 'coverage'])
    """
    check_seed(random_seed)
    rng = np.random.default_rng(random_seed)
    pixels, coverage = _paint(n, rng)
    shown = pixels.mean(axis=(1, 2)) / 255
    truth = pd.DataFrame(
        {
            ITEM: [f"{prefix}_{number:05d}" for number in range(n)],
            "brightness": shown @ LUMINANCE,
            "warmth": shown[:, 0] - shown[:, 2],
            "coverage": coverage,
        }
    )
    return [Image.fromarray(picture) for picture in pixels], truth


def write_images(folder: str | Path, n: int, *, random_seed: int = 0, prefix: str = "picture") -> pd.DataFrame:
    """Draw pictures and write them as PNG files, named after their items.

    Parameters
    ----------
    folder
        Made if need be.
    n, random_seed, prefix
        As of `draw_images`.

    Returns
    -------
    pandas.DataFrame
        ``item`` and every property, measured on the picture.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pictures, truth = draw_images(n, random_seed=random_seed, prefix=prefix)
    for name, picture in zip(truth[ITEM], pictures, strict=True):
        picture.save(folder / f"{name}.png")
    return truth


def _paint(n: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return pixels (n, SIDE, SIDE, 3) and the part of each picture that shapes cover."""
    row, column = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE
    covered = np.zeros((n, SIDE, SIDE), dtype=bool)
    n_shapes = rng.integers(1, N_SHAPES + 1, size=n)
    size = np.sqrt(rng.uniform(0.004, 0.6, size=n) / n_shapes)  # of one shape, from the area that all are to cover
    for shape in range(N_SHAPES):
        side = (size * rng.uniform(0.8, 1.2, size=n))[:, None, None]
        x, y = rng.uniform(0.15, 0.85, size=(2, n, 1, 1))
        across, down = np.abs(column - x), np.abs(row - y)
        disc = across**2 + down**2 < side**2 / np.pi
        box = np.maximum(across, down) < side / 2
        drawn = np.where(rng.random(n)[:, None, None] < 0.5, disc, box)
        covered |= drawn & (shape < n_shapes)[:, None, None]
    ground = rng.uniform(0.15, 0.85, size=n)
    step = rng.uniform(0.15, 0.45, size=n)
    up = rng.random(n) < 0.5
    up = np.where(ground + step > 0.95, False, np.where(ground - step < 0.05, True, up))
    light = np.stack([ground, np.where(up, ground + step, ground - step)])
    tint = rng.normal(scale=0.12, size=(2, n, 3))
    tint -= (tint @ LUMINANCE)[..., None]  # changes no luminance
    colour = light[..., None] + tint
    grain = rng.normal(scale=rng.uniform(0, 0.05, size=n)[:, None, None, None], size=(n, SIDE, SIDE, 1))
    picture = np.where(covered[..., None], colour[1][:, None, None], colour[0][:, None, None]) + grain
    return (picture.clip(0, 1) * 255).round().astype(np.uint8), covered.mean(axis=(1, 2))
