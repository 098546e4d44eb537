"""Spread: the uncertainty of all scores of a fusion together, so that differences and ranks have their own."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ppaint_stats.typing import FloatArray, RandomSeed


@dataclass(frozen=True)
class Spread:
    r"""Joint uncertainty of scores.

    Parameters
    ----------
    deviations
        Shape (replicates, rows): the covariance of the scores is ``deviations.T @ deviations`` (jackknife). None if
        there are draws.
    dof
        Degrees of freedom of each row's t distribution, shape (rows,).
    draws
        Shape (draws, rows): draws of the scores (bootstrap, Hessian, posterior). None if there are deviations.
    """

    deviations: FloatArray | None = None
    dof: FloatArray | None = None
    draws: FloatArray | None = None

    def sd(self) -> FloatArray:
        """Standard deviation of each score, shape (rows,)."""
        if self.deviations is not None:
            return np.asarray(np.sqrt((self.deviations**2).sum(axis=0)))
        return np.asarray(np.std(self._draws, axis=0, ddof=1))

    def interval(self, score: FloatArray, prob: float) -> tuple[FloatArray, FloatArray]:
        """Equal-tailed interval around each score: t quantiles for deviations, sample quantiles for draws."""
        if self.deviations is not None:
            half = stats.t.ppf((1 + prob) / 2, np.asarray(self.dof)) * self.sd()
            return score - half, score + half
        tail = (1 - prob) / 2
        low, high = np.quantile(self._draws, [tail, 1 - tail], axis=0)
        return low, high

    def probability_positive(self, score: FloatArray, contrast: FloatArray) -> float:
        """Probability that ``contrast @ score`` is above 0, both of shape (rows,)."""
        if self.deviations is None:
            values = self._draws @ contrast
            return float((values > 0).mean() + (values == 0).mean() / 2)
        value, sd = float(contrast @ score), float(np.linalg.norm(self.deviations @ contrast))
        if sd == 0:
            return 0.5 + 0.5 * float(np.sign(value))
        dof = np.asarray(self.dof)[contrast != 0].min()
        return float(stats.t.cdf(value / sd, dof))

    def sample(self, score: FloatArray, n: int, random_seed: RandomSeed) -> FloatArray:
        """Draw ``n`` joint scores, shape (n, rows): multivariate t for deviations, a resample for draws."""
        rng = np.random.default_rng(random_seed)
        if self.deviations is None:
            return self._draws[rng.integers(len(self._draws), size=n)]
        dof = np.asarray(self.dof)
        normal = rng.standard_normal((n, len(self.deviations))) @ self.deviations
        chi = rng.random(n)
        scale = np.empty((n, len(score)))
        for value in np.unique(dof):  # one chi-square per draw, shared by all rows with the same degrees of freedom
            scale[:, dof == value] = np.sqrt(value / stats.chi2.ppf(chi, value))[:, None]
        return np.asarray(score + normal * scale)

    @property
    def _draws(self) -> FloatArray:
        if self.draws is None:
            message = "a spread holds deviations or draws"
            raise ValueError(message)
        return self.draws
