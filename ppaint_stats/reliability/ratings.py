"""Agreement of raters on the order of items: Kendall's W, rank correlations, and halves of the panel."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_count
from ppaint_stats.columns import RATER
from ppaint_stats.kernels.additive import fit_additive
from ppaint_stats.kernels.bootstrap import Resample
from ppaint_stats.kernels.panels import choose_splits, weighted_leave_one_out, weighted_split_half
from ppaint_stats.kernels.rank_agreement import (
    correlation_matrix,
    mean_defined,
    rank_moments,
    weighted_kendall_w,
    weighted_rank_correlation,
)
from ppaint_stats.reliability.estimate import Estimate, check_bootstrap, draw_bootstrap, summarise
from ppaint_stats.reliability.rating_matrix import RatingMatrix, read_rating_matrix
from ppaint_stats.seeds import split_seed
from ppaint_stats.typing import FloatArray, IntArray, RandomSeed

NO_RATINGS = "no ratings"
ONE_RATER = "one rater: agreement needs at least two"
ONE_ITEM = "one item: an order needs at least two"
NO_OVERLAP = "no two raters rated the same items"


def kendall_w(
    data: Any,
    *,
    tie_corrected: bool = True,
    n_boot: int = 0,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
) -> Estimate:
    r"""Estimate Kendall's coefficient of concordance.

    Parameters
    ----------
    data, n_boot, random_seed, interval_prob, resample
        As in :func:`~ppaint_stats.reliability.krippendorff_alpha`.
    tie_corrected : bool
        Divide by the largest sum of squares that is possible with the ties that each rater gave, or as if there were
        none.

    Returns
    -------
    Estimate
        With missing cells W is computed from pairs of raters over the items they share, and ``reason`` says so.

    Raises
    ------
    DataError, ArgumentError
        As in :func:`~ppaint_stats.reliability.krippendorff_alpha`.

    Notes
    -----
    :math:`W = 12 S / (m^2 (n^3 - n) - m \sum T)` (Kendall and Babington Smith 1939) is the same as
    :math:`(\bar v + (m - 1) \bar c) / (m \bar v)` with the mean rank variance :math:`\bar v` of the m raters and the
    mean rank covariance :math:`\bar c` of their pairs. Replicates take these means over pairs of distinct raters, and
    keep m.

    Examples
    --------
    >>> kendall_w([[1, 2, 3, 4], [1, 3, 2, 4], [2, 1, 3, 4]])
    Estimate(kendall_w 0.7778)
    """

    def compute(values: FloatArray, items: IntArray, raters: IntArray) -> FloatArray:
        return weighted_kendall_w(values, items, raters, tie_corrected=tie_corrected)

    name = "kendall_w" if tie_corrected else "kendall_w uncorrected"
    note = "{missing} of {cells} cells are missing: W from pairs of raters over the items they share"
    return _estimate(name, read_rating_matrix(data), compute, n_boot, random_seed, interval_prob, resample, note)


def rank_correlation(
    data: Any,
    *,
    n_boot: int = 0,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
) -> Estimate:
    """Estimate the mean Spearman correlation of pairs of raters.

    Parameters
    ----------
    data, n_boot, random_seed, interval_prob, resample
        As in :func:`~ppaint_stats.reliability.krippendorff_alpha`.

    Returns
    -------
    Estimate
        Every pair of raters weighs the same, and is ranked over the items that both rated. Pairs without a
        correlation (fewer than two shared items, or one rating for all of them) are left out, and counted in
        ``reason``.

    Raises
    ------
    DataError, ArgumentError
        As in :func:`~ppaint_stats.reliability.krippendorff_alpha`.

    Notes
    -----
    Replicates rank anew with weighted midranks and leave copies of one rater out
    (:mod:`ppaint_stats.kernels.rank_agreement`).

    Examples
    --------
    >>> rank_correlation([[1, 2, 3, 4], [1, 3, 2, 4], [2, 1, 3, 4]])
    Estimate(rank_correlation 0.6667)
    """
    matrix = read_rating_matrix(data)
    note = ""
    if len(matrix.raters) > 1 and len(matrix.items) > 1:
        found = correlation_matrix(rank_moments(matrix.values, np.ones((1, len(matrix.items)))))[0]
        pairs = np.isnan(found[np.triu_indices(len(found), 1)])
        note = f"{pairs.sum()} of {len(pairs)} pairs of raters have no rank correlation" if 0 < pairs.mean() < 1 else ""
    name, compute = "rank_correlation", weighted_rank_correlation
    return _estimate(name, matrix, compute, n_boot, random_seed, interval_prob, resample, note, always=True)


def mean_leave_one_out(
    data: Any,
    *,
    n_boot: int = 0,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
) -> Estimate:
    """Estimate the mean over raters of the Spearman correlation with the mean of the other raters.

    Parameters
    ----------
    data, n_boot, random_seed, interval_prob, resample
        As in :func:`~ppaint_stats.reliability.krippendorff_alpha`.

    Returns
    -------
    Estimate
        Raters without such a correlation are left out. With missing cells severities are subtracted first (see
        :func:`leave_one_rater_out`).

    Raises
    ------
    DataError, ArgumentError
        As in :func:`~ppaint_stats.reliability.krippendorff_alpha`.

    Examples
    --------
    >>> mean_leave_one_out([[1, 2, 3, 4], [1, 3, 2, 4], [2, 1, 3, 4]])
    Estimate(mean_leave_one_out 0.7550)
    """

    def compute(values: FloatArray, items: IntArray, raters: IntArray) -> FloatArray:
        return mean_defined(weighted_leave_one_out(values, items, raters), raters)

    matrix, note = _subtract_severity(read_rating_matrix(data))
    name = "mean_leave_one_out"
    return _estimate(name, matrix, compute, n_boot, random_seed, interval_prob, resample, note, always=True)


def leave_one_rater_out(
    data: Any,
    *,
    n_boot: int = 0,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
) -> pd.DataFrame:
    """Correlate each rater's ranks with those of the mean of the other raters.

    Parameters
    ----------
    data, n_boot, random_seed, interval_prob, resample
        As in :func:`~ppaint_stats.reliability.krippendorff_alpha`. A rater's own interval comes from resampled items
        and resampled other raters.

    Returns
    -------
    DataFrame
        A row per rater: ``rater, srcc, lower, upper, n_items, reason``. ``n_items`` counts the rater's items that
        someone else rated.

    Raises
    ------
    DataError, ArgumentError
        As in :func:`~ppaint_stats.reliability.krippendorff_alpha`.

    Notes
    -----
    With missing cells the others are not the same people for every item. The severities of an additive model of items
    and raters (least squares) are then subtracted before means are taken; complete tables are not touched by this.

    In a resample the others are fewer different people, and their mean is noisier. Replicates are corrected for that
    (:mod:`ppaint_stats.kernels.panels`).

    Examples
    --------
    >>> leave_one_rater_out([[1, 2, 3, 4], [1, 3, 2, 4], [2, 1, 3, 4]])["srcc"].round(3).tolist()
    [1.0, 0.632, 0.632]
    """
    check_bootstrap(n_boot, random_seed, interval_prob, resample)
    matrix, _ = _subtract_severity(read_rating_matrix(data))
    shape = matrix.values.shape
    items, raters = draw_bootstrap(shape[1], shape[0], n_boot=n_boot, random_seed=random_seed, resample=resample)
    found = weighted_leave_one_out(matrix.values, items, raters)
    counts = matrix.present.sum(axis=0)
    rows = []
    for r, rater in enumerate(matrix.raters):
        n_items = int((matrix.present[r] & (counts > 1)).sum())
        value = float(found[0, r])
        reason = ""
        if np.isnan(value):
            reason = "fewer than two items that others rated" if n_items < 2 else "the rater or the others never vary"
            reason = ONE_RATER if shape[0] < 2 else reason
        size = {"n_items": n_items, "n_raters": shape[0], "n_judgments": matrix.n_judgments}
        kind = {"interval_prob": interval_prob, "resample": resample}
        entry = summarise("srcc", value, found[1:, r], **size, **kind, reason=reason)  # type: ignore[arg-type]
        rows.append((rater, value, entry.lower, entry.upper, n_items, entry.reason))
    return pd.DataFrame(rows, columns=[RATER, "srcc", "lower", "upper", "n_items", "reason"])


def split_half(
    data: Any,
    *,
    n_splits: int = 200,
    n_boot: int = 0,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
) -> Estimate:
    r"""Estimate the reliability of the panel's mean rating by splitting the panel into halves.

    Parameters
    ----------
    data, n_boot, random_seed, interval_prob, resample
        As in :func:`~ppaint_stats.reliability.krippendorff_alpha`; the seed also serves random splits.
    n_splits : int
        All splits are used if there are at most so many, otherwise so many random ones.

    Returns
    -------
    Estimate
        Mean over splits of the corrected correlation. With missing cells it rests on covariances of pairs of raters
        over shared items, and ``reason`` says so.

    Raises
    ------
    DataError, ArgumentError
        As in :func:`~ppaint_stats.reliability.krippendorff_alpha`.

    Notes
    -----
    Spearman-Brown, 2 r / (1 + r), not below -1, for equal halves; Horst (1951) for an odd number of raters. In
    replicates all copies of one rater go to the same half, and the step up starts from the effective sizes of the
    halves (:mod:`ppaint_stats.kernels.panels`).

    Examples
    --------
    >>> split_half([[1, 2, 3, 4], [1, 3, 2, 4], [2, 1, 3, 4], [2, 1, 4, 4]])
    Estimate(split_half 0.8905)
    """
    check_count("n_splits", n_splits, 1)
    check_bootstrap(n_boot, random_seed, interval_prob, resample)
    matrix = read_rating_matrix(data)
    rng = np.random.default_rng(split_seed(random_seed, 2)[1])
    splits = choose_splits(len(matrix.raters), n_splits, rng)[0] if len(matrix.raters) > 1 else np.zeros((0, 1), bool)

    def compute(values: FloatArray, items: IntArray, raters: IntArray) -> FloatArray:
        return weighted_split_half(values, items, raters, splits)

    note = (
        "{missing} of {cells} cells are missing: halves from covariances of pairs of raters over the items they share"
    )
    return _estimate("split_half", matrix, compute, n_boot, random_seed, interval_prob, resample, note)


def _estimate(
    name: str,
    matrix: RatingMatrix,
    compute: Callable[[FloatArray, IntArray, IntArray], FloatArray],
    n_boot: int,
    random_seed: RandomSeed,
    interval_prob: float,
    resample: Resample,
    note: str,
    *,
    always: bool = False,
) -> Estimate:
    """Point and replicates of a statistic; ``note`` is given where cells are missing, or ``always``."""
    check_bootstrap(n_boot, random_seed, interval_prob, resample)
    n_raters, n_items = matrix.values.shape
    value, draws, reason = float("nan"), None, ""
    if n_raters < 2 or n_items < 2:
        reason = NO_RATINGS if not matrix.n_judgments else ONE_RATER if n_raters < 2 else ONE_ITEM
    else:
        options = {"n_boot": n_boot, "random_seed": random_seed, "resample": resample}
        found = compute(matrix.values, *draw_bootstrap(n_items, n_raters, **options))  # type: ignore[arg-type]
        value, draws = float(found[0]), found[1:]
        if always or not matrix.complete:
            reason = note.format(missing=(~matrix.present).sum(), cells=matrix.values.size)
        if np.isnan(value):
            shared = matrix.present.astype(int) @ matrix.present.T.astype(int)
            overlap = (shared - np.diag(np.diag(shared))).max() >= 2
            reason = "raters do not vary over the items they share: no order to agree on" if overlap else NO_OVERLAP
    return summarise(
        name,
        value,
        None if np.isnan(value) else draws,
        n_items=n_items,
        n_raters=n_raters,
        n_judgments=matrix.n_judgments,
        interval_prob=interval_prob,
        resample=resample,
        reason=reason,
    )


def _subtract_severity(matrix: RatingMatrix) -> tuple[RatingMatrix, str]:
    """Subtract rater severities where cells are missing, and say so."""
    if matrix.complete or not matrix.n_judgments:
        return matrix, ""
    rater, item = np.nonzero(matrix.present)
    rating = matrix.values[rater, item]
    n_raters, n_items = matrix.values.shape
    fit = fit_additive(item, rater, rating, np.ones(len(rating)), n_items, n_raters)
    severity = np.where(np.isnan(fit.severity), 0.0, fit.severity)
    note = f"{(~matrix.present).sum()} of {matrix.values.size} cells are missing: severities of raters subtracted first"
    if fit.n_components > 1:
        note += f", shrunken, as raters and items fall into {fit.n_components} parts without shared ratings"
    return RatingMatrix(matrix.values - severity[:, None], matrix.raters, matrix.items), note
