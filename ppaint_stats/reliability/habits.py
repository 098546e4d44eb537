"""Habits of raters in comparisons: how often they tie, which side they prefer, whether they repeat themselves."""

from statistics import NormalDist

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_probability
from ppaint_stats.errors import DataError
from ppaint_stats.reliability.comparisons import NO_RATERS, Comparisons, encode_comparisons


def rater_habits(preferences: pd.DataFrame, *, interval_prob: float = 0.95) -> pd.DataFrame:
    r"""Tie rate, position bias and self-consistency of each rater.

    Parameters
    ----------
    preferences
        Columns ``rater, item_a, item_b, outcome`` and perhaps ``count, trial``, one category and dimension.
    interval_prob
        Probability of the intervals.

    Returns
    -------
    DataFrame
        One row per rater:

        - ``rater, n_judgments, n_pairs``;
        - ``tie_rate, tie_lower, tie_upper``: share of ties;
        - ``first_rate, first_lower, first_upper``: share of decisions for the item shown first, 1/2 without position
          bias;
        - ``n_repeated``: item pairs that the rater judged more than once; ``self_agreement``: mean share of pairs of
          trials with the same judgment; ``self_alpha``: E[s s'] / E[s^2] over pairs of trials, alpha_sym of the rater
          with themself;
        - ``reason``: what is undefined, and why.

    Raises
    ------
    DataError
        If the table holds what is not allowed, names no rater, or holds more than one category or dimension.
    ArgumentError
        If the probability is none.

    Notes
    -----
    Intervals are Wilson's, which take judgments as independent. The first-position rate shows a bias where each item is
    shown first about as often as second (`balanced_presentation`); otherwise it also shows which items were put first.

    Examples
    --------
    >>> import pandas as pd
    >>> votes = pd.DataFrame({"rater": "r", "item_a": ["x", "y"], "item_b": ["y", "x"], "outcome": ["A", "A"]})
    >>> rater_habits(votes)[["first_rate", "n_repeated", "self_agreement"]]
       first_rate  n_repeated  self_agreement
    0         1.0           1             0.0
    """
    check_probability("interval_prob", interval_prob)
    found = encode_comparisons(preferences)
    if found.signs is None:
        raise DataError(f"preferences: {NO_RATERS}")
    rows = [_describe_rater(found, code, interval_prob) for code in range(len(found.raters))]
    return pd.DataFrame(rows)


def _describe_rater(found: Comparisons, code: int, prob: float) -> dict[str, object]:
    mine = found.rater == code
    total = float(found.weight[mine].sum())
    first, ties = (float(found.weight[mine & (found.outcome == outcome)].sum()) for outcome in (0, 1))
    nan = float("nan")
    tie_lower, tie_upper = _wilson(ties, total, prob)
    first_lower, first_upper = _wilson(first, total - ties, prob)
    reasons = []
    if total == ties:
        reasons.append("every judgment is a tie, so that no side is preferred")
    row: dict[str, object] = {
        "rater": found.raters[code],
        "n_judgments": int(total),
        "n_pairs": 0,
        "tie_rate": ties / total,
        "tie_lower": tie_lower,
        "tie_upper": tie_upper,
        "first_rate": first / (total - ties) if total > ties else nan,
        "first_lower": first_lower,
        "first_upper": first_upper,
        "n_repeated": 0,
        "self_agreement": nan,
        "self_alpha": nan,
    }
    if found.signs is not None:
        n = found.signs.count[code]
        row["n_pairs"] = int((n > 0).sum())
        again = n > 1
        n, s, q = n[again], found.signs.sign[code, again] * n[again], found.signs.decided[code, again] * n[again]
        if len(n):
            votes = np.stack([(q + s) / 2, n - q, (q - s) / 2])
            same = (votes * (votes - 1)).sum(axis=0) / (n * (n - 1))
            product, decided = ((s * s - q) / (n * (n - 1))).mean(), (q / n).mean()
            row |= {"n_repeated": len(n), "self_agreement": float(same.mean())}
            row["self_alpha"] = float(product / decided) if decided > 0 else nan
        else:
            reasons.append("no item pair was judged twice")
    return {**row, "reason": "; ".join(reasons)}


def _wilson(successes: float, n: float, prob: float) -> tuple[float, float]:
    """Wilson's interval of a proportion; nan without trials."""
    if n <= 0:
        return float("nan"), float("nan")
    z = NormalDist().inv_cdf((1 + prob) / 2)
    share = successes / n
    centre, half = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float((centre - half) / (1 + z * z / n)), float((centre + half) / (1 + z * z / n))
