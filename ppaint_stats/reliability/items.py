"""The most disputed items: where raters differ more than the noise of the cell, or the closeness of items, explains."""

import numpy as np
import pandas as pd

from ppaint_stats.columns import ITEM
from ppaint_stats.kernels.additive import fit_additive
from ppaint_stats.kernels.davidson import count_pairs, outcome_probabilities
from ppaint_stats.kernels.derived import separate_items
from ppaint_stats.kernels.newton import fit_maximum_likelihood
from ppaint_stats.kernels.signs import SignTable
from ppaint_stats.reliability.comparisons import Comparisons
from ppaint_stats.reliability.study_cells import PREFERENCES, RATINGS, StudyCell
from ppaint_stats.typing import FloatArray

SHOWN = 20
"""Items listed for each cell and protocol."""

COLUMNS = (
    "category", "dimension", "protocol", "rank", "item", "n_judgments", "mean", "observed", "expected", "ratio", "z",
)  # fmt: skip


def tabulate_items(cell: StudyCell) -> list[dict[str, object]]:
    r"""List the items that raters dispute most, up to 20 for each protocol.

    Parameters
    ----------
    cell
        The judgments.

    Returns
    -------
    list of dict
        With the keys of `COLUMNS`; ``rank`` 1 is the most disputed item of the cell and protocol, by ``z``.

    Notes
    -----
    *Ratings*: ``observed`` is the variance of an item's ratings over raters, each rater's severity subtracted;
    ``expected`` is the residual variance of the cell's additive model of items and raters. ``z`` is the normal
    score of their ratio as chi-square over its degrees of freedom (Wilson and Hilferty 1931). ``mean`` is the item's
    mean rating.

    *Preferences*: ``observed`` is the share of rater pairs who judge a pair with this item differently, mean over its
    pairs; ``expected`` the share that Davidson's model gives for items as close as these, since raters split on close
    items without any dispute. ``z``: observed - expected, less the median over items (raters have tastes about all of
    them), over its standard error or the spread over items (1.4826 times the median absolute deviation), whichever is
    larger. ``mean`` is the item's strength (log-worth) in that model.

    Among n items without any dispute the largest z is about :math:`\sqrt{2 \ln n}`: 2.8 of 50.
    """
    tables = []
    if cell.matrix is not None and len(cell.matrix.raters) > 1:
        tables.append((RATINGS, cell.matrix.items, _dispute_ratings(cell.matrix.values)))
    if cell.compared is not None and cell.compared.signs is not None and cell.compared.signs.n_raters > 1:
        tables.append((PREFERENCES, cell.compared.items, _dispute_pairs(cell.compared, cell.compared.signs)))
    rows = []
    for protocol, items, found in tables:
        named = found.assign(**{ITEM: list(items)})
        most = named[named["z"].notna()].sort_values("z", ascending=False, kind="stable").head(SHOWN)
        for rank, record in enumerate(most.to_dict("records"), 1):
            rows.append(cell.key | {"protocol": protocol, "rank": rank} | {str(k): v for k, v in record.items()})
    return rows


def collect_items(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Put the rows of all cells together."""
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _dispute_ratings(values: FloatArray) -> pd.DataFrame:
    present = ~np.isnan(values)
    rater, item = np.nonzero(present)
    fit = fit_additive(item, rater, values[present], np.ones(len(rater)), values.shape[1], len(values))
    residual = np.where(present, values - fit.severity[:, None], 0.0)
    n = present.sum(axis=0)
    centre = residual.sum(axis=0) / np.maximum(n, 1)
    squares = (np.where(present, residual - centre, 0.0) ** 2).sum(axis=0)
    df = n - 1
    observed = np.divide(squares, df, out=np.full(len(n), np.nan), where=df > 0)
    expected = fit.error_sd**2
    ratio = observed / expected if expected > 0 else np.full(len(n), np.nan)
    spread = 2 / (9 * np.maximum(df, 1))
    z = (np.cbrt(ratio) - (1 - spread)) / np.sqrt(spread)
    return pd.DataFrame(
        {"n_judgments": n, "mean": fit.item, "observed": observed, "expected": expected, "ratio": ratio, "z": z}
    )


def _dispute_pairs(compared: Comparisons, signs: SignTable) -> pd.DataFrame:
    n_items = len(compared.items)
    nothing = np.full(n_items, np.nan)
    strength, expected = nothing, np.full(signs.n_pairs, np.nan)
    if (compared.outcome != 1).any():
        counts = count_pairs(compared.a, compared.b, compared.outcome, compared.weight, n_items, keep_order=False)
        prior = max(separate_items(counts)[1], 1e-2)
        fit = fit_maximum_likelihood(
            counts, np.zeros(n_items, dtype=np.int64), penalty=1 / prior**2, standard_errors=False
        )
        strength = fit.strength
        probabilities = outcome_probabilities(strength[signs.a] - strength[signs.b], fit.log_nu)
        expected = 1 - sum((p**2 for p in probabilities), np.zeros(signs.n_pairs))
    observed = _split_pairs(signs)
    known = ~np.isnan(observed - expected)
    ends = np.concatenate([signs.a[known], signs.b[known]])

    def total(x: FloatArray) -> FloatArray:
        return np.bincount(ends, weights=np.tile(x[known], 2), minlength=n_items)

    n = total(np.ones(signs.n_pairs))
    gap, divisor = observed - expected, np.maximum(n, 1)
    mean = total(gap) / divisor
    variance = np.maximum(total(gap**2) / divisor - mean**2, 0.0) * n / np.maximum(n - 1, 1)
    fine = (n > 2) & (variance > 1e-12)
    middle = float(np.median(mean[fine])) if fine.any() else 0.0
    spread = 1.4826 * float(np.median(np.abs(mean[fine] - middle))) if fine.any() else 0.0
    scale = np.maximum(np.sqrt(variance / divisor), spread)
    z = np.divide(mean - middle, scale, out=nothing.copy(), where=fine & (scale > 0))
    seen, wanted = total(observed) / divisor, total(expected) / divisor
    judged = np.bincount(
        np.concatenate([compared.a, compared.b]), weights=np.tile(compared.weight, 2), minlength=n_items
    ).astype(np.int64)
    ratio = np.divide(seen, wanted, out=nothing.copy(), where=wanted > 0)
    return pd.DataFrame(
        {"n_judgments": judged, "mean": strength, "observed": seen, "expected": wanted, "ratio": ratio, "z": z}
    )


def _split_pairs(signs: SignTable) -> FloatArray:
    """Share of pairs of distinct raters who judge an item pair differently; nan with fewer than two raters."""
    judged = signs.judged
    m = judged.sum(axis=0)
    shares = [(signs.decided + signs.sign) / 2, (signs.decided - signs.sign) / 2, (1 - signs.decided) * judged]
    same = sum(((x * judged).sum(axis=0) ** 2 - ((x * judged) ** 2).sum(axis=0) for x in shares), np.zeros(len(m)))
    return np.asarray(1 - np.divide(same, m * (m - 1), out=np.full(len(m), np.nan), where=m > 1))
