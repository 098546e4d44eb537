"""Variances from leaving out items and raters, which tell how much a bootstrap of both overstates."""

from dataclasses import dataclass

import numpy as np

from ppaint_stats.typing import FloatArray, IntArray

MAX_GROUPS = 100
"""Groups of items that are left out, one at a time; each item by itself where there are no more."""

ROUNDING = 1e-24
"""Variance of replicates that are all alike but for rounding."""


@dataclass(frozen=True)
class Deletions:
    """What was left out in each of several replicates.

    Parameters
    ----------
    share
        Weight of each replicate's squared change in the variance, (n - 1) / n, shape (replicates,).
    kind
        Source of variation that it belongs to (0 for items), shape (replicates,).
    """

    share: FloatArray
    kind: IntArray


def group_items(n_items: int, rng: np.random.Generator) -> IntArray:
    """Weights that leave out one group of items after the other, shape (groups, items); groups are random."""
    n_groups = min(n_items, MAX_GROUPS)
    group = rng.permutation(n_items) % n_groups
    return np.asarray(group[None, :] != np.arange(n_groups)[:, None], dtype=np.int64)


@dataclass(frozen=True)
class Spread:
    r"""How much a statistic of items and raters varies from study to study, three times over.

    Parameters
    ----------
    items, raters
        Jackknife variances over items and over raters.
    bootstrap
        Variance of replicates in which both were resampled.

    Notes
    -----
    Split the variance into effects of single items and raters, and interactions of k of them: an item with a rater, two
    items, two raters, ... (Hoeffding). Leaving out one after the other meets an interaction of k k times, once with
    each of the k; the sum J of the jackknife variances is therefore not too small in expectation (Efron & Stein 1981,
    Annals of Statistics 9, 586-596). A bootstrap of both counts it 2^k - 1 times (for k = 2 see Owen 2007, Annals of
    Applied Statistics 1, 386-411). Where single judgments are noisy, J is the closer bound.
    """

    items: float
    raters: float
    bootstrap: float

    @property
    def jackknife(self) -> float:
        """Sum of the jackknife variances."""
        return self.items + self.raters

    @property
    def shrinkage(self) -> float:
        """Factor from 0 to 1 that takes replicates from the bootstrap's spread to the jackknife's, if that is less."""
        if self.bootstrap <= max(self.jackknife, ROUNDING):
            return 1.0
        return float(np.sqrt(self.jackknife / self.bootstrap))

    def scale_raters(self, factor: float) -> tuple[float, float]:
        """Variance as it is, and as the interval has it, with ``factor`` times as many raters.

        The interaction of items with raters is estimated as bootstrap - jackknife: counted 3 times and 2 times.
        """
        shared = min(max(self.bootstrap - self.jackknife, 0.0), self.items, self.raters)
        variance = self.items - shared + self.raters / factor
        return variance, variance + shared / factor


def measure_spread(value: float, draws: FloatArray, deleted: FloatArray, deletions: Deletions) -> Spread | None:
    r"""Measure the spread of a statistic of items and raters.

    Parameters
    ----------
    value
        The statistic.
    draws
        Bootstrap replicates, nan where undefined.
    deleted
        The statistic with something left out, shape (replicates,), nan where undefined.
    deletions
        What was left out.

    Returns
    -------
    Spread or None
        None where a source of variation has fewer than two defined replicates.

    Notes
    -----
    With n things in a source and the statistic :math:`\hat\theta_{(k)}` without the k-th of them, its variance is
    :math:`\sum_k (1 - 1/n)(\hat\theta_{(k)} - \hat\theta)^2`.
    """
    items = raters = 0.0
    for kind in np.unique(deletions.kind):
        mine = deletions.kind == kind
        squared = deletions.share[mine] * (deleted[mine] - value) ** 2
        defined = ~np.isnan(squared)
        if defined.sum() < min(2, len(squared)):
            return None
        variance = float(squared[defined].mean() * len(squared))
        items, raters = (variance, raters) if kind == 0 else (items, raters + variance)
    kept = draws[~np.isnan(draws)]
    return Spread(items, raters, float(kept.var(ddof=1)) if len(kept) > 1 else 0.0)
