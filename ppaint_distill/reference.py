"""The reference pool as an object and as a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ppaint_distill.targets import Cell
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import DataError
from ppaint_stats.fusion_io import write_whole
from ppaint_stats.typing import FloatArray

__all__ = ["PARAMETERS", "Pool", "load_pool"]

FORMAT = "ppaint pool 1"
PARAMETERS = ("prior_mean", "prior_sd", "log_nu", "order_effect", "order_correlation")


@dataclass(frozen=True, eq=False, repr=False)
class Pool:
    """A judge's pool: strengths, the judge's parameters, and joint draws of both.

    Parameters
    ----------
    strengths
        Columns ``category, dimension, item, strength, sd, n_comparisons``; strengths have mean 0 in each cell.
    parameters
        One row a cell: mean and sd (``_sd``) of ``strength_sd, log_nu, order_effect, order_correlation``; ``n_pairs``;
        ``n_both_orders``, pairs shown in both orders, and ``same_answer``, the share of these with the same answer in
        both; ``converged``.
    draws
        By (category, dimension): strengths of shape (draws, items), items in the order of ``strengths``.
    parameter_draws
        By (category, dimension): a frame with a row a draw and the columns ``prior_mean, prior_sd`` (of the strength of
        a new image), ``log_nu, order_effect, order_correlation``. Row s belongs to draw s of the strengths.
    settings
        What was asked for.
    """

    strengths: pd.DataFrame
    parameters: pd.DataFrame
    draws: Mapping[Cell, FloatArray]
    parameter_draws: Mapping[Cell, pd.DataFrame]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """One line with sizes."""
        n = self.strengths[[CATEGORY, ITEM]].drop_duplicates().shape[0]
        return f"Pool({n} images, {len(self.draws)} cell(s), {self.n_draws} draws)"

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Pairs of category and dimension."""
        return tuple(self.draws)

    @property
    def n_draws(self) -> int:
        """Number of joint draws."""
        return len(next(iter(self.draws.values())))

    def items(self, category: str, dimension: str) -> pd.Index:
        """Images of one cell, in the order of the columns of its draws."""
        inside = (self.strengths[CATEGORY] == category) & (self.strengths[DIMENSION] == dimension)
        found: pd.Index = pd.Index(np.asarray(self.strengths.loc[inside, ITEM], dtype=object), name=ITEM, dtype="str")
        return found

    def without_error(self) -> "Pool":
        """Return the same pool as if its strengths and the judge's parameters were known: what its error amounts to."""
        draws = {cell: np.tile(array.mean(axis=0), (len(array), 1)) for cell, array in self.draws.items()}
        parameters = {
            cell: pd.DataFrame({name: np.full(len(frame), frame[name].mean()) for name in PARAMETERS})
            for cell, frame in self.parameter_draws.items()
        }
        settings = {**self.settings, "without_error": True}
        return replace(self, draws=draws, parameter_draws=parameters, settings=settings)

    def save(self, path: str | Path) -> Path:
        """Write the pool as one file, for `load_pool`.

        Parameters
        ----------
        path
            File to write; an existing one is replaced at the end, in one step.

        Returns
        -------
        Path
            The file.
        """
        about = {
            "format": FORMAT,
            "cells": [list(cell) for cell in self.cells],
            "settings": dict(self.settings),
            "strengths": self.strengths.to_dict("list"),
            "parameters": self.parameters.to_dict("list"),
        }
        arrays = {"about": np.array(json.dumps(about))}
        for k, cell in enumerate(self.cells):
            arrays[f"draws_{k}"] = self.draws[cell]
            arrays[f"parameters_{k}"] = self.parameter_draws[cell][list(PARAMETERS)].to_numpy()

        def write(temporary: Path) -> None:
            with temporary.open("wb") as handle:
                np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]

        return write_whole(path, write)


def load_pool(path: str | Path) -> Pool:
    """Read a pool that `Pool.save` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Pool
        The same pool.

    Raises
    ------
    DataError
        If there is no such file, or it holds no pool.
    """
    import zipfile

    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file" if not path.is_dir() else f"{path} is a folder, not a file")
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        about = json.loads(str(arrays["about"]))
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no file that Pool.save wrote: {error}") from error
    if about.get("format") != FORMAT:
        raise DataError(f"{path} holds no pool: its format is {about.get('format')!r}, not {FORMAT!r}")
    cells = [(str(c), str(d)) for c, d in about["cells"]]
    return Pool(
        strengths=pd.DataFrame(about["strengths"]),
        parameters=pd.DataFrame(about["parameters"]),
        draws={cell: arrays[f"draws_{k}"] for k, cell in enumerate(cells)},
        parameter_draws={
            cell: pd.DataFrame(arrays[f"parameters_{k}"], columns=list(PARAMETERS)) for k, cell in enumerate(cells)
        },
        settings=about["settings"],
    )
