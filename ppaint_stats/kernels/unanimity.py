"""Kendall & Babington Smith's test of agreement in paired comparisons."""

from math import comb, gcd

import numpy as np

from ppaint_stats.typing import FloatArray

EXACT_LENGTH = 20_000
"""Points of the null distribution up to which it is computed exactly."""


def chi_square_agreement(agreements: float, n_pairs: int, m: int) -> tuple[float, float, float]:
    """Kendall & Babington Smith's approximation: chi-square, its degrees of freedom, and the probability above it.

    Parameters
    ----------
    agreements
        Sum over item pairs of the pairs of raters who agree.
    n_pairs, m
        Item pairs, each judged once by each of m > 2 raters.
    """
    from scipy.special import chdtrc

    expected = n_pairs * comb(m, 2) * (m - 3) / (2 * (m - 2))
    chi2 = 4 / (m - 2) * (agreements - expected)
    df = n_pairs * m * (m - 1) / (m - 2) ** 2
    return chi2, df, float(chdtrc(df, max(chi2, 0.0)))


def exact_agreement(agreements: int, n_pairs: int, m: int) -> float | None:
    """Probability that as many pairs of raters agree, or more, if preferences are fair coins; None if it is too long.

    Examples
    --------
    >>> exact_agreement(3, 3, 2)  # two raters, three item pairs, always the same
    0.125
    """
    votes = np.arange(m + 1)
    values = (votes * (votes - 1) + (m - votes) * (m - votes - 1)) // 2
    low = int(values.min())
    step = gcd(*(int(v) - low for v in values)) or 1
    if (int(values.max()) - low) // step * n_pairs > EXACT_LENGTH:
        return None
    once = np.zeros((int(values.max()) - low) // step + 1)
    for v, value in enumerate(values):
        once[(int(value) - low) // step] += comb(m, v) / 2.0**m
    total, power = np.ones(1), once
    remaining = n_pairs
    while remaining:  # powers by squaring; sums of positive terms keep their digits far into the tail
        if remaining & 1:
            total = np.convolve(total, power)
        remaining >>= 1
        if remaining:
            power = np.convolve(power, power)
    return _tail(total, -((n_pairs * low - agreements) // step))  # rounded up to the next point


def _tail(probability: FloatArray, start: int) -> float:
    return float(min(probability[max(start, 0) :].sum(), 1.0))
