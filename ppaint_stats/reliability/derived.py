"""Scores from each rater's own comparisons, how well these orders agree, and how well items are separated."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_positive
from ppaint_stats.columns import ITEM, RATER
from ppaint_stats.errors import DataError
from ppaint_stats.kernels.bootstrap import Resample, draw_weights
from ppaint_stats.kernels.davidson import count_pairs
from ppaint_stats.kernels.derived import PENALTY, derive_scores, separate_items
from ppaint_stats.kernels.orders import describe_orders, split_raters
from ppaint_stats.reliability.comparisons import NO_RATERS, encode_comparisons
from ppaint_stats.reliability.estimate import Estimate, check_bootstrap, summarise
from ppaint_stats.seeds import split_seed
from ppaint_stats.typing import FloatArray, IntArray, RandomSeed

ORDER_STATISTICS = {
    "kendall_w": "kendall_w",
    "rank_correlation": "mean_srcc",
    "rank_leave_one_out": "leave_one_out",
    "rank_split_half": "split_half",
}
"""Statistics of the agreement of orders, and what the kernel calls them."""


def rater_scores(preferences: pd.DataFrame, *, penalty: float = PENALTY) -> pd.DataFrame:
    """Score items from each rater's own comparisons.

    Parameters
    ----------
    preferences
        Columns ``rater, item_a, item_b, outcome`` and perhaps ``count, trial``, one category and dimension.
    penalty
        Subtracts ``penalty / 2 * sum(strength**2)`` from each rater's log-likelihood.

    Returns
    -------
    DataFrame
        One row per rater and item that the rater compared: ``rater, item, score, n_comparisons``. Scores are
        log-worths of Davidson's model; they exist for every design. Items that no chain of the rater's comparisons
        connects compare by the penalty alone. A rater who called everything a tie scores everything 0.

    Raises
    ------
    DataError
        If the table holds what is not allowed, names no rater, or holds more than one category or dimension.
    ArgumentError
        If the penalty is not positive.

    Examples
    --------
    >>> import pandas as pd
    >>> votes = pd.DataFrame({"rater": "r", "item_a": ["x", "y"], "item_b": ["y", "z"], "outcome": ["A", "TIE"]})
    >>> rater_scores(votes, penalty=1).round(2)["score"].tolist()
    [0.41, -0.37, -0.04]
    """
    check_positive("penalty", penalty)
    found = encode_comparisons(preferences)
    if found.signs is None:
        raise DataError(f"preferences: {NO_RATERS}")
    scores = derive_scores(found.signs, penalty=penalty)
    rater, item = np.nonzero(~np.isnan(scores))
    table = found.signs
    compared = np.zeros(scores.shape)
    for code in range(table.n_raters):
        for ends in (table.a, table.b):
            compared[code] += np.bincount(ends, weights=table.count[code], minlength=table.n_items)
    return pd.DataFrame(
        {
            RATER: np.array(found.raters, dtype=object)[rater].astype(str),
            ITEM: np.array(found.items, dtype=object)[item].astype(str),
            "score": scores[rater, item],
            "n_comparisons": compared[rater, item].astype(np.int64),
        }
    )


def order_agreement(
    preferences: pd.DataFrame,
    *,
    n_boot: int = 0,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
    penalty: float = PENALTY,
) -> dict[str, Estimate]:
    r"""Agreement of the orders that raters' own comparisons imply.

    Parameters
    ----------
    preferences
        Columns ``rater, item_a, item_b, outcome`` and perhaps ``count, trial``, one category and dimension.
    n_boot
        Bootstrap replicates; 0 gives no interval.
    random_seed
        Seed of the bootstrap, and of the splits into halves where there are more than 50.
    interval_prob
        Probability of the percentile intervals.
    resample
        ``"both"``: items and raters are drawn; ``"items"``: these raters are fixed.
    penalty
        Of `rater_scores`.

    Returns
    -------
    dict of str to Estimate
        ``kendall_w``, ``rank_correlation`` (mean Spearman correlation of two raters), ``rank_leave_one_out`` (of a
        rater with the mean of the others' standardised ranks, mean over raters) and ``rank_split_half`` (of the means
        of two halves of the raters, stepped up by Spearman & Brown, mean over splits).

    Raises
    ------
    DataError, ArgumentError
        As for :func:`rater_scores`, or if another argument is not allowed.

    Notes
    -----
    Scores come from `rater_scores`, once. A resample weighs items and raters: ranks are midranks of the weighted items,
    and means are over pairs of distinct raters, weight w_r w_s. With these,
    :math:`W = ((m - 1) \bar\rho + 1) / m` (Kendall's W where all scores are there, corrected for ties), the
    correlation with the mean of m - 1 others is :math:`\bar\rho_r / \sqrt{1/(m-1) + (1 - 1/(m-1)) \bar\rho_{-r}}`,
    and halves likewise. The study's own number of raters m stays in the formulas, since a resample holds fewer
    distinct ones and would look less reliable for that alone.

    Examples
    --------
    >>> import pandas as pd
    >>> votes = pd.DataFrame(
    ...     {"rater": list("rrss"), "item_a": list("xyxy"), "item_b": list("yzyz"), "outcome": list("AAAA")}
    ... )
    >>> round(order_agreement(votes)["kendall_w"].estimate, 6)
    1.0
    """
    check_bootstrap(n_boot, random_seed, interval_prob, resample)
    check_positive("penalty", penalty)
    found = encode_comparisons(preferences)
    n_items, n_raters, n_judgments = len(found.items), len(found.raters), found.n_judgments
    if found.signs is None:
        return {
            name: summarise(
                name, float("nan"), reason=NO_RATERS, n_items=n_items, n_raters=n_raters, n_judgments=n_judgments
            )
            for name in ORDER_STATISTICS
        }
    draw_seed, split_seed_ = split_seed(random_seed, 2)
    weights = draw_weights(n_items, n_raters, n_boot, np.random.default_rng(draw_seed), resample)
    splits = split_raters(n_raters, np.random.default_rng(split_seed_))
    scores = derive_scores(found.signs, penalty=penalty)
    return estimate_orders(
        scores,
        weights[0],
        weights[1],
        splits=splits,
        interval_prob=interval_prob,
        resample=resample,
        n_items=n_items,
        n_raters=n_raters,
        n_judgments=n_judgments,
    )


def estimate_orders(
    scores: FloatArray,
    item_weights: IntArray,
    rater_weights: IntArray,
    *,
    splits: FloatArray,
    interval_prob: float,
    resample: Resample,
    n_items: int,
    n_raters: int,
    n_judgments: int,
) -> dict[str, Estimate]:
    """Estimate every statistic of `order_agreement` for given weights of items and raters.

    Parameters
    ----------
    scores
        Shape (raters, items), nan where a rater gave none.
    item_weights, rater_weights
        Shapes (replicates, items) and (replicates, raters); the same weights for two protocols give paired replicates.
    splits
        Of `split_raters`.
    interval_prob, resample
        Probability of the intervals, and what the weights resample.
    n_items, n_raters, n_judgments
        What the estimates rest on.
    """
    value = point_orders(scores, splits)
    draws: Mapping[str, FloatArray | None] = dict.fromkeys(value)
    if len(item_weights):
        draws = describe_orders(scores, item_weights, rater_weights, splits)
    reason = explain_orders(scores)
    return {
        name: summarise(
            name,
            value[key],
            draws[key],
            n_items=n_items,
            n_raters=n_raters,
            n_judgments=n_judgments,
            interval_prob=interval_prob,
            resample=resample,
            reason=reason if np.isnan(value[key]) or reason.startswith(("rater", "fewer than two raters")) else "",
        )
        for name, key in ORDER_STATISTICS.items()
    }


def point_orders(scores: FloatArray, splits: FloatArray) -> dict[str, float]:
    """Statistics of the agreement of orders with all weights 1, by the kernel's names."""
    ones = np.ones((1, scores.shape[1]), dtype=np.int64), np.ones((1, len(scores)), dtype=np.int64)
    return {name: float(x[0]) for name, x in describe_orders(scores, *ones, splits).items()}


def explain_orders(scores: FloatArray) -> str:
    """Say why orders have no agreement, or which raters are not in it."""
    if len(scores) < 2:
        return f"agreement of orders needs two raters, there {'is one' if len(scores) else 'are none'}"
    known = ~np.isnan(scores)
    if (known.astype(float) @ known.T)[np.triu_indices(len(scores), 1)].max() < 2:
        return "no two raters scored the same two items"
    flat = [np.ptp(row[~np.isnan(row)]) == 0 if (~np.isnan(row)).any() else True for row in scores]
    if sum(flat) >= len(scores) - 1:
        return "fewer than two raters tell items apart: the others give all of them one score"
    if any(flat):
        return f"raters who give all items one score have no rank correlation: {sum(flat)} of {len(scores)}"
    return "no two raters who tell their common items apart"


def separation_reliability(preferences: pd.DataFrame) -> Estimate:
    r"""Scale separation reliability: how much of the spread of consensus scores is more than their standard errors.

    Parameters
    ----------
    preferences
        Columns ``item_a, item_b, outcome`` and perhaps ``rater, count, trial``, one category and dimension.

    Returns
    -------
    Estimate
        Between 0 and 1, without interval; nan, with the reason, where every judgment is a tie.

    Raises
    ------
    DataError
        If the table holds what is not allowed, or more than one category or dimension.

    Notes
    -----
    SSR is the mean of :math:`1 - v_i / \tau^2`, the posterior variance of an item's strength in Davidson's model
    against the variance of strengths, estimated by maximum marginal likelihood. The usual :math:`(s^2 -
    \overline{se^2}) / s^2` of maximum-likelihood strengths (Verhavert, De Maeyer, Donche & Coertjens 2018, Applied
    Psychological Measurement 42, 428-445) is the same idea, but has no value where an item won or lost throughout.

    It takes all comparisons as independent, as if each came from a new rater: raters with tastes of their own make
    it too high, and so does choosing pairs by earlier outcomes. Put the split-half reliability of `order_agreement`
    beside it, which knows raters.

    Examples
    --------
    >>> import pandas as pd
    >>> votes = pd.DataFrame(
    ...     [("x", "y", "A", 18), ("x", "y", "B", 2), ("y", "z", "A", 15), ("y", "z", "B", 5), ("x", "z", "A", 20)],
    ...     columns=["item_a", "item_b", "outcome", "count"],
    ... )
    >>> round(separation_reliability(votes).estimate, 2)
    0.94
    """
    found = encode_comparisons(preferences)
    counts = count_pairs(found.a, found.b, found.outcome, found.weight, len(found.items), keep_order=False)
    value, reason = float("nan"), "every judgment is a tie"
    if (found.outcome != 1).any():
        value, reason = separate_items(counts)[0], ""
    return summarise(
        "separation_reliability",
        value,
        reason=reason,
        n_items=len(found.items),
        n_raters=len(found.raters),
        n_judgments=found.n_judgments,
    )
