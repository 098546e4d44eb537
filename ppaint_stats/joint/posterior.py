"""The posterior as people read it: scores, named quantities, and a DataTree with coordinates."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ppaint_stats.joint.draws import DIMS, Draws, derive_draws, expand_utilities
from ppaint_stats.joint.encoding import Encoding
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.joint.sampling import Sample
from ppaint_stats.joint.scores import score_draws
from ppaint_stats.seeds import split_seed
from ppaint_stats.typing import FloatArray, Target

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Posterior:
    """What follows from the draws: scores (None without ratings), consensus of what is scored, quantities, the tree."""

    scores: FloatArray | None
    consensus: FloatArray
    draws: Draws
    tree: "xr.DataTree"


def build_posterior(
    sample: Sample,
    encoding: Encoding,
    layout: Layout,
    *,
    target: Target,
    seed: np.random.SeedSequence,
    cores: int,
    progressbar: bool,
) -> Posterior:
    """Derive everything that is reported from the draws.

    Parameters
    ----------
    sample
        Draws of the sampled vector.
    encoding, layout
        The study and its parameters.
    target
        What a score means.
    seed
        For what the sampler leaves out; see :func:`ppaint_stats.joint.draws.derive_draws`.
    cores
        Threads.
    progressbar
        Whether to show progress, if standard error is a terminal.

    Returns
    -------
    Posterior
        Scores, consensus, quantities and tree.
    """
    import xarray as xr

    shape = sample.flat.shape[:2]
    flat = sample.flat.reshape(-1, sample.flat.shape[2])
    (taste_seed,) = split_seed(seed, 1)
    draws = derive_draws(flat, encoding, layout, seed=seed)
    utilities = expand_utilities(flat, draws, encoding, layout, seed=taste_seed) if encoding.units else None
    scores = None
    if encoding.ratings is not None:
        scores = score_draws(draws, encoding, target=target, utilities=utilities, cores=cores, progressbar=progressbar)
    coords = describe_coords(encoding, shape)
    groups = {
        "posterior": _dataset(draws, scores, utilities, encoding, shape, coords),
        "sample_stats": xr.Dataset(
            {name: (("chain", "draw"), values) for name, values in sample.stats.items()},
            coords={name: coords[name] for name in ("chain", "draw")},
        ),
        "unconstrained_posterior": xr.Dataset(
            {"flat": (("chain", "draw", "flat_index"), sample.flat)},
            coords={name: coords[name] for name in ("chain", "draw")},
        ),
    }
    consensus = draws.values.get("consensus_rating", draws.values["consensus"])
    return Posterior(scores, consensus, draws, xr.DataTree.from_dict(groups))


def describe_coords(encoding: Encoding, shape: tuple[int, int]) -> dict[str, object]:
    """Coordinates of every dim of the posterior."""
    e = encoding
    coords: dict[str, object] = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    coords |= {"item": list(e.items), "dimension": list(e.dimensions), "dimension_bis": list(e.dimensions)}
    coords["rater"] = list(e.raters)
    coords |= {"category": list(e.categories), "taste_rater": list(e.taste_raters)}
    coords |= {"preference_rater": list(e.preference_raters), "rating_rater": list(e.rating_raters)}
    return coords


def list_quantities(draws: Draws, encoding: Encoding) -> tuple[dict[str, FloatArray], dict[str, list[str]]]:
    """Reported quantities beside the scores, each of shape (draw, values), and the name of every value."""
    coords = describe_coords(encoding, (0, 0))
    quantities, labels = {}, {}
    for name, values in draws.values.items():
        if name in {"consensus", "consensus_rating"}:  # reported item by item as the latent score
            continue
        places = []
        for index in np.ndindex(values.shape[1:]):
            words = []
            for dim, k in zip(DIMS[name], index, strict=True):
                known = coords.get(dim)
                words.append(str(known[k]) if isinstance(known, list) else str(k + 1))
            places.append(f"{name}[{', '.join(words)}]" if words else name)
        quantities[name], labels[name] = values.reshape(len(values), -1), places
    return quantities, labels


def _dataset(
    draws: Draws,
    scores: FloatArray | None,
    utilities: FloatArray | None,
    encoding: Encoding,
    shape: tuple[int, int],
    coords: dict[str, object],
) -> "xr.Dataset":
    import xarray as xr

    e = encoding
    arrays = {
        name: (("chain", "draw", *DIMS[name]), values.reshape((*shape, *values.shape[1:])))
        for name, values in draws.values.items()
    }
    dims = ("chain", "draw", "item", "dimension")
    if scores is not None:
        known = np.where(e.judged, scores, np.nan)
        arrays["score"] = (dims, known.reshape((*shape, *known.shape[1:])))
    if utilities is not None:  # in single precision: the largest array by far, and read by eye or by rank
        rows = utilities.astype(np.float32).reshape((*shape, *utilities.shape[1:]))
        arrays["utility"] = (("chain", "draw", "utility_row", "dimension"), rows)
        owners = [e.taste_raters[unit.taste_rater] for unit in e.units for _ in unit.items]
        coords |= {
            "utility_rater": ("utility_row", owners),
            "utility_item": ("utility_row", [e.items[i] for unit in e.units for i in unit.items]),
        }
    coords["item_category"] = ("item", [e.categories[c] for c in e.item_category])
    dims_used = {dim for names, _ in arrays.values() for dim in names}
    kept = {k: v for k, v in coords.items() if k in dims_used or (isinstance(v, tuple) and v[0] in dims_used)}
    return xr.Dataset(arrays, coords=kept)
