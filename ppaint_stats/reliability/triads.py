"""How consistent each rater's own comparisons are: circular triads, zeta, violations of indifference."""

import numpy as np
import pandas as pd

from ppaint_stats.errors import DataError
from ppaint_stats.kernels.triads import Triads, count_triads
from ppaint_stats.reliability.comparisons import NO_RATERS, encode_comparisons
from ppaint_stats.typing import FloatArray, IntArray

CHANCE = 0.25
"""Probability that three decisions by fair coins form a cycle: two of the eight patterns do."""


def circular_triads(preferences: pd.DataFrame) -> pd.DataFrame:
    r"""Count each rater's circular triads: i preferred to j, j to k, and k to i.

    Parameters
    ----------
    preferences
        Columns ``rater, item_a, item_b, outcome`` and perhaps ``count, trial``, one category and dimension.

    Returns
    -------
    DataFrame
        One row per rater, in order of first appearance:

        - ``rater, n_items, n_pairs``: items and distinct pairs that the rater judged;
        - ``judged_triads``: triads of items of which all three pairs were judged; ``decided_triads``: those without
          ties;
        - ``triads``: circular ones, d; ``expected_triads``: a quarter of the decided ones, what fair coins would give;
          ``z``: (expected - d) / sd under fair coins, above 0 for raters more consistent than chance;
        - ``zeta``: Kendall & Babington Smith's coefficient of consistence, 1 without circular triads and 0 with as
          many as there can be; nan where a pair is not judged or tied, with the ``reason``;
        - ``transitivity``: share of decided triads that are not circular (three in four by chance);
        - ``broken_chains``: i > k > j but i ~ j, a tie across a strict preference;
        - ``indifference_violations``: i ~ k and k ~ j but i > j, which anyone does who cannot tell small differences;
        - ``weak_order``: share of judged triads that one order with ties could have given, none of the three above.

    Raises
    ------
    DataError
        If the table holds what is not allowed, names no rater, or holds more than one category or dimension.

    Notes
    -----
    For complete comparisons of n items without ties :math:`\zeta = 1 - 24 d / (n^3 - n)` for odd n and
    :math:`1 - 24 d / (n^3 - 4n)` for even n (Kendall & Babington Smith 1940, Biometrika 31, 324-345). In an incomplete
    design the largest possible d depends on the design, so that zeta is not given; ``transitivity`` and ``z`` are.
    Two triads share at most one pair, so that under fair coins they are uncorrelated and the variance of d is 3/16 of
    the decided triads in any design.

    Repeated judgments of one pair by one rater count as their majority, and as a tie where there is none. Every triad
    with exactly two ties is a violation of indifference; triads with ties are never counted as circular.

    Examples
    --------
    >>> import pandas as pd
    >>> loop = pd.DataFrame(
    ...     {"rater": "r", "item_a": ["x", "y", "z"], "item_b": ["y", "z", "x"], "outcome": ["A", "A", "A"]}
    ... )
    >>> circular_triads(loop)[["rater", "triads", "zeta", "transitivity"]]
      rater  triads  zeta  transitivity
    0     r       1   0.0           0.0
    """
    found = encode_comparisons(preferences)
    if found.signs is None:
        raise DataError(f"preferences: {NO_RATERS}")
    table = found.signs
    rows = []
    for code, rater in enumerate(found.raters):
        judged = table.count[code] > 0
        ends, index = np.unique(np.r_[table.a[judged], table.b[judged]], return_inverse=True)
        a, b = index[: int(judged.sum())], index[int(judged.sum()) :]
        rows.append({"rater": rater, **_describe_rater(a, b, table.sign[code, judged], len(ends))})
    return pd.DataFrame(rows)


def _describe_rater(a: IntArray, b: IntArray, sign: FloatArray, n: int) -> dict[str, object]:
    # Means over trials are sums of small whole numbers divided: what is this close to zero is a draw.
    sign = np.where(np.abs(sign) < 1e-9, 0.0, np.sign(sign))
    triads = count_triads(a, b, sign, n)
    expected = CHANCE * triads.decided
    zeta, reason = _find_zeta(triads, n, len(a), int((sign == 0).sum()))
    spread = np.sqrt(triads.decided * CHANCE * (1 - CHANCE))
    odd = triads.circular + triads.broken_chains + triads.two_ties
    return {
        "n_items": n,
        "n_pairs": len(a),
        "judged_triads": triads.judged,
        "decided_triads": triads.decided,
        "triads": triads.circular,
        "expected_triads": expected,
        "z": (expected - triads.circular) / spread if spread > 0 else float("nan"),
        "zeta": zeta,
        "transitivity": 1 - triads.circular / triads.decided if triads.decided else float("nan"),
        "broken_chains": triads.broken_chains,
        "indifference_violations": triads.two_ties,
        "weak_order": 1 - odd / triads.judged if triads.judged else float("nan"),
        "reason": reason,
    }


def _find_zeta(triads: Triads, n: int, n_pairs: int, n_ties: int) -> tuple[float, str]:
    """Zeta, or nan and why there is none."""
    full = n * (n - 1) // 2
    reasons = []
    if n < 3:
        reasons.append(f"zeta needs 3 items, there are {n}")
    elif n_pairs < full:
        reasons.append(f"zeta needs all {full:,} pairs of the {n} items, {n_pairs:,} were judged")
    if n_ties:
        reasons.append(f"zeta needs comparisons without ties, {n_ties:,} pairs are tied")
    if not triads.judged and n >= 3:
        reasons.append("no three items were all compared with each other")
    elif not triads.decided and n >= 3:
        reasons.append("no three items were all compared without a tie")
    if reasons:
        return float("nan"), "; ".join(reasons)
    return 1 - 24 * triads.circular / (n**3 - (n if n % 2 else 4 * n)), ""
