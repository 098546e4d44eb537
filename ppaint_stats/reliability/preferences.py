"""Agreement of raters on comparisons with ties: alpha_sym and its companions, Kendall's u, habits of raters."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from ppaint_stats.kernels.bootstrap import Resample, draw_weights
from ppaint_stats.kernels.signs import SignTable, average_pairs, describe_agreement
from ppaint_stats.kernels.unanimity import chi_square_agreement, exact_agreement
from ppaint_stats.reliability.comparisons import NO_RATERS, Comparisons, encode_comparisons
from ppaint_stats.reliability.estimate import Estimate, check_bootstrap, summarise
from ppaint_stats.seeds import split_seed
from ppaint_stats.typing import FloatArray, IntArray, RandomSeed

STATISTICS = {
    "alpha_sym": "alpha_sym",
    "alpha_nominal": "alpha_nominal",
    "percent_agreement": "agreement",
    "agreement_decided": "agreement_decided",
    "alpha_decided": "alpha_decided",
    "kendall_u": "product",
    "tie_rate": "tie_rate",
}
"""Statistics of `preference_agreement`, and what the kernel calls them."""


def alpha_sym(
    preferences: pd.DataFrame,
    *,
    n_boot: int = 0,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
) -> Estimate:
    r"""Chance-corrected agreement on comparisons with ties, whatever was called A and what B.

    Parameters
    ----------
    preferences
        Columns ``rater, item_a, item_b, outcome`` and perhaps ``count, trial``, one category and dimension.
    n_boot
        Bootstrap replicates; 0 gives no interval.
    random_seed
        Seed of the bootstrap.
    interval_prob
        Probability of the percentile interval.
    resample
        ``"both"``: items and raters are drawn, for raters and items like these; ``"items"``: these raters are fixed.

    Returns
    -------
    Estimate
        1: raters always decide alike; 0: as by chance; nan, with the reason, where no two raters judged one item pair
        or every judgment is a tie.

    Raises
    ------
    DataError
        If the table holds what is not allowed, or more than one category or dimension.
    ArgumentError
        If another argument is not allowed.

    Notes
    -----
    With s = 1 where a certain one of two items is preferred (whichever side of the screen it is on), -1 where the other
    is and 0 for a tie,

    .. math:: \alpha_{sym} = \frac{E[s s']}{E[s^2]} = \frac{E[s s']}{1 - t},

    s and s' by two raters, E over rater pairs within an item pair, item pairs weighing the same, t the tie rate. It is
    Krippendorff's alpha (interval level) with the expected disagreement of judgments made symmetric, since the sign
    of s is a matter of naming: swapping A and B changes nothing, while alpha on the labels A and B changes with each
    swap. Without ties it equals Kendall's u = 2 p_o - 1.

    A rater who judged a pair repeatedly enters with the mean of s and the mean of s^2 over these trials; trials of one
    rater never pair with each other. The mean of s^2, not the square of the mean, is the denominator: alpha_sym is the
    reliability of a single judgment, however often each was repeated.

    Item pairs that only one rater judged say nothing about agreement; ``reason`` counts them.

    The bootstrap weighs a pair of distinct raters by w_r w_s and an item pair by m_a m_b, with the numbers of times
    that each was drawn, so that copies of one rater never pair. Resampling pairs as if they were independent gives
    intervals that cover a third to a half of what they promise.

    Examples
    --------
    >>> import pandas as pd
    >>> votes = pd.DataFrame(
    ...     [("r", "x", "y", "A"), ("s", "y", "x", "B"), ("r", "y", "z", "A"), ("s", "y", "z", "TIE")],
    ...     columns=["rater", "item_a", "item_b", "outcome"],
    ... )
    >>> round(alpha_sym(votes).estimate, 4)
    0.6667
    """
    found = preference_agreement(
        preferences,
        n_boot=n_boot,
        random_seed=random_seed,
        interval_prob=interval_prob,
        resample=resample,
    )
    return found["alpha_sym"]


def preference_agreement(
    preferences: pd.DataFrame,
    *,
    n_boot: int = 0,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
) -> dict[str, Estimate]:
    r"""All statistics of agreement on comparisons, from one draw of items and raters.

    Parameters
    ----------
    preferences, n_boot, random_seed, interval_prob, resample
        As for :func:`alpha_sym`.

    Returns
    -------
    dict of str to Estimate
        - ``alpha_sym``;
        - ``alpha_nominal``: (p_o - p_e) / (1 - p_e), p_e = t^2 + (1 - t)^2 / 2, where a tie and a preference differ as
          much as two opposite preferences;
        - ``percent_agreement``: p_o, the share of rater pairs with the same judgment;
        - ``agreement_decided``: the same among rater pairs who both decided; ``alpha_decided``: twice that, less 1;
        - ``kendall_u``: E[s s'], which is Kendall's u where nobody tied (`kendall_u` adds its test);
        - ``tie_rate``: t, item pairs with two raters or more, weighing the same.

    Raises
    ------
    DataError, ArgumentError
        As for :func:`alpha_sym`.

    Examples
    --------
    >>> import pandas as pd
    >>> votes = pd.DataFrame({"rater": ["r", "s"], "item_a": "x", "item_b": "y", "outcome": ["A", "TIE"]})
    >>> {name: found.estimate for name, found in preference_agreement(votes).items()}["tie_rate"]
    0.5
    """
    check_bootstrap(n_boot, random_seed, interval_prob, resample)
    found = encode_comparisons(preferences)
    rng = np.random.default_rng(split_seed(random_seed, 1)[0])  # the draw of `order_agreement` with this seed
    items, raters = (
        draw_weights(len(found.items), len(found.raters), n_boot, rng, resample) if found.raters else _none()
    )
    return estimate_agreement(found, items, raters, interval_prob=interval_prob, resample=resample)


def _none() -> tuple[IntArray, IntArray]:
    return np.zeros((0, 0), dtype=np.int64), np.zeros((0, 0), dtype=np.int64)


def estimate_agreement(
    found: Comparisons, item_weights: IntArray, rater_weights: IntArray, *, interval_prob: float, resample: Resample
) -> dict[str, Estimate]:
    """Estimate every statistic of `preference_agreement` for given weights of items and raters.

    Parameters
    ----------
    found
        Comparisons as arrays.
    item_weights, rater_weights
        Shapes (replicates, items) and (replicates, raters), in the order of ``found.items`` and ``found.raters``; the
        same weights for two protocols give paired replicates.
    interval_prob, resample
        Probability of the intervals, and what the weights resample.
    """
    sizes = {"n_items": len(found.items), "n_raters": len(found.raters), "n_judgments": found.n_judgments}
    value = dict.fromkeys(STATISTICS.values(), float("nan"))
    draws: Mapping[str, FloatArray | None] = dict.fromkeys(STATISTICS.values())
    if found.signs is not None:
        value = point_agreement(found.signs)
        if len(item_weights):
            draws = describe_agreement(average_pairs(found.signs, item_weights, rater_weights))
    reasons = explain_agreement(found.signs, value)
    return {
        name: summarise(
            name,
            value[key],
            draws[key],
            interval_prob=interval_prob,
            resample=resample,
            reason=reasons[key],
            **sizes,
        )
        for name, key in STATISTICS.items()
    }


def point_agreement(signs: SignTable) -> dict[str, float]:
    """Statistics of agreement with all weights 1, by the kernel's names."""
    ones = np.ones((1, signs.n_items), dtype=np.int64), np.ones((1, signs.n_raters), dtype=np.int64)
    return {name: float(x[0]) for name, x in describe_agreement(average_pairs(signs, *ones)).items()}


def explain_agreement(signs: SignTable | None, value: Mapping[str, float]) -> dict[str, str]:
    """Say of each statistic why it is undefined, or what it leaves out."""
    if signs is None:
        return dict.fromkeys(value, NO_RATERS)
    if signs.n_raters < 2:
        return dict.fromkeys(value, "agreement needs two raters, and there is one")
    judges = signs.judged.sum(axis=0)
    if not (judges > 1).any():
        return dict.fromkeys(value, "no item pair was judged by two raters")
    alone = int((judges == 1).sum())
    note = f"{alone:,} of {signs.n_pairs:,} item pairs were judged by one rater only and say nothing" if alone else ""
    reasons = dict.fromkeys(value, note)
    for name in value:
        if np.isnan(value[name]):
            ties = "every judgment is a tie" if value["tie_rate"] > 1 - 1e-9 else "no two raters both decided on a pair"
            reasons[name] = f"{ties}; {note}" if note else ties
    return reasons


@dataclass(frozen=True, eq=False, repr=False)
class KendallU(Estimate):
    """Kendall's u and its test.

    Parameters
    ----------
    chi2, df
        Kendall & Babington Smith's chi-square and its degrees of freedom; nan where there is no test.
    p_value
        Probability of as much agreement or more if all preferences were fair coins.
    test
        ``"exact"``, ``"chi-square"`` or ``"none"``.
    test_reason
        Why there is no test; empty where there is one.

    Notes
    -----
    The other fields are those of `Estimate`.
    """

    chi2: float = float("nan")
    df: float = float("nan")
    p_value: float = float("nan")
    test: str = "none"
    test_reason: str = ""


def kendall_u(
    preferences: pd.DataFrame,
    *,
    n_boot: int = 0,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
) -> KendallU:
    r"""Kendall's coefficient of agreement u in paired comparisons, with its significance test.

    Parameters
    ----------
    preferences, n_boot, random_seed, interval_prob, resample
        As for :func:`alpha_sym`.

    Returns
    -------
    KendallU
        An estimate with ``chi2, df, p_value, test, test_reason``.

    Raises
    ------
    DataError, ArgumentError
        As for :func:`alpha_sym`.

    Notes
    -----
    With :math:`a_{ij}` of m raters preferring i to j, :math:`\Sigma = \sum_{i \ne j} \binom{a_{ij}}{2}` pairs of raters
    agree, and :math:`u = 2 \Sigma / \left(\binom{m}{2} \binom{n}{2}\right) - 1` (Kendall & Babington Smith 1940,
    Biometrika 31, 324-345): the mean of s s' over rater pairs. On incomplete designs the mean is over the item pairs
    that two raters judged, and ties count as 0; then there is no test.

    The test assumes that all preferences are independent fair coins. Up to 20,000 points its null distribution is
    computed exactly. Beyond, :math:`\chi^2 = \frac{4}{m - 2}\left(\Sigma - \frac12 \binom{n}{2}\binom{m}{2} \frac{m -
    3}{m - 2}\right)` with :math:`\binom{n}{2} m (m - 1) / (m - 2)^2` degrees of freedom. It tells that raters do not
    toss coins, not that they agree well.

    Examples
    --------
    >>> import pandas as pd
    >>> votes = pd.DataFrame(
    ...     {"rater": list("rrrsss"), "item_a": list("xxyxxy"), "item_b": list("yzzyzz"), "outcome": list("AAAAAA")}
    ... )
    >>> found = kendall_u(votes)
    >>> found.estimate, found.p_value, found.test
    (1.0, 0.125, 'exact')
    """
    found = encode_comparisons(preferences)
    base = preference_agreement(
        preferences, n_boot=n_boot, random_seed=random_seed, interval_prob=interval_prob, resample=resample
    )["kendall_u"]
    parts = {item.name: getattr(base, item.name) for item in fields(Estimate)}
    reason = base.reason if np.isnan(base.estimate) else _refuse_test(found)
    if reason or found.signs is None:
        return KendallU(**parts, test_reason=reason)
    m, n_pairs = found.signs.n_raters, found.signs.n_pairs
    agreements = float((m**2 + found.signs.sign.sum(axis=0) ** 2 - 2 * m).sum() / 4)
    nan = float("nan")
    chi2, df, p_value = chi_square_agreement(agreements, n_pairs, m) if m > 2 else (nan, nan, nan)
    exact = exact_agreement(round(agreements), n_pairs, m)
    if exact is not None:
        return KendallU(**parts, chi2=chi2, df=df, p_value=exact, test="exact")
    return KendallU(**parts, chi2=chi2, df=df, p_value=p_value, test="chi-square")


def _refuse_test(found: Comparisons) -> str:
    """Why u has no test, or nothing."""
    if found.signs is None:
        return NO_RATERS
    n, full = len(found.items), len(found.items) * (len(found.items) - 1) // 2
    reasons = []
    if found.signs.n_pairs < full or not found.signs.judged.all():
        judged = int(found.signs.judged.sum())
        reasons.append(
            f"the test needs all {full:,} pairs of the {n:,} items judged by every rater; of these "
            f"{full * found.signs.n_raters:,} judgments {judged:,} are there"
        )
    if (found.signs.count > 1).any():
        reasons.append("the test needs one judgment of each pair by each rater, and some are repeated")
    if (found.outcome == 1).any():
        reasons.append(f"the test needs comparisons without ties, and {found.tie_rate:.1%} are ties")
    return "; ".join(reasons)
