"""Comparisons of one category and dimension as arrays, the form in which the statistics of preferences take them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ppaint_stats.columns import COUNT, ITEM_A, ITEM_B, OUTCOME, OUTCOMES, RATER
from ppaint_stats.kernels.signs import SignTable, tabulate_signs
from ppaint_stats.reliability.cells import read_table, require_one_cell
from ppaint_stats.tables import TableSource, canonical_preferences
from ppaint_stats.typing import FloatArray, IntArray

NO_RATERS = "the comparisons name no rater (no column 'rater'), and agreement is between raters"


@dataclass(frozen=True)
class Comparisons:
    """Comparisons of one category and dimension.

    Parameters
    ----------
    items, raters
        Names; ``raters`` is empty where the table names none.
    a, b
        Codes of the items shown first and second, shape (rows,).
    outcome
        0 where the first is preferred, 1 for a tie, 2 where the second is.
    rater
        Codes of raters, -1 where none is named.
    weight
        How often each row was observed.
    signs
        The same by rater and item pair; None where no rater is named.
    """

    items: tuple[str, ...]
    raters: tuple[str, ...]
    a: IntArray
    b: IntArray
    outcome: IntArray
    rater: IntArray
    weight: FloatArray
    signs: SignTable | None

    @property
    def n_judgments(self) -> int:
        """Number of comparisons, rows with a count counted so often."""
        return int(self.weight.sum())

    @property
    def tie_rate(self) -> float:
        """Share of ties among all comparisons."""
        return float(self.weight[self.outcome == 1].sum() / self.weight.sum())


def encode_comparisons(preferences: pd.DataFrame, *, checked: bool = False) -> Comparisons:
    """Check a table of comparisons and turn it into arrays.

    Parameters
    ----------
    preferences
        Columns ``item_a, item_b, outcome`` and perhaps ``rater, count, trial``, one category and dimension.
    checked
        Whether the table comes from a study, where all of it was checked.

    Raises
    ------
    DataError
        If the table holds what is not allowed, or more than one category or dimension.
    """
    frame = read_table(preferences, "preferences")
    if not checked:
        frame = canonical_preferences(frame, TableSource("preferences"))
    require_one_cell(frame, "preferences")
    codes, items = pd.factorize(pd.concat([frame[ITEM_A], frame[ITEM_B]], ignore_index=True))
    a, b = codes[: len(frame)].astype(np.int64), codes[len(frame) :].astype(np.int64)
    outcome = pd.Index(OUTCOMES).get_indexer(pd.Index(frame[OUTCOME])).astype(np.int64)
    weight = frame[COUNT].to_numpy(float) if COUNT in frame else np.ones(len(frame))
    rater, signs = np.full(len(frame), -1, dtype=np.int64), None
    raters: tuple[str, ...] = ()
    if RATER in frame:
        found, names = pd.factorize(frame[RATER])
        rater, raters = found.astype(np.int64), tuple(str(name) for name in names)
        signs = tabulate_signs(a, b, outcome, rater, weight, len(items), len(raters))
    return Comparisons(tuple(str(item) for item in items), raters, a, b, outcome, rater, weight, signs)
