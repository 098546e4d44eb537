r"""Variance components of rating = mean + item + rater + error, items and raters random.

Complete tables: mean squares. Missing cells: restricted maximum likelihood. The covariance of the ratings is
:math:`\sigma_e^2 (I + \gamma_i Z_i Z_i' + \gamma_r Z_r Z_r')`; the mean and the error variance are profiled out,
which leaves the two ratios. The factor with more levels is eliminated by a formula (its block is diagonal), so that a
step costs as much as the smaller factor has levels, squared.
"""

from dataclasses import dataclass

import numpy as np

from ppaint_stats.typing import BoolArray, FloatArray, IntArray

TOP = 1 - 1e-9
"""Largest gamma / (1 + gamma)."""


@dataclass(frozen=True)
class MeanSquares:
    """Mean squares of a complete table of n items and k raters."""

    items: float
    raters: float
    error: float
    within: float
    n: int
    k: int

    @property
    def components(self) -> FloatArray:
        """Variances of items, raters and error that have these mean squares as expectations; may be negative."""
        item, rater = (self.items - self.error) / self.k, (self.raters - self.error) / self.n
        return np.array([item, rater, self.error])


def mean_squares(values: FloatArray) -> MeanSquares:
    """Compute mean squares of a complete table, shape (raters, items), at least two of each."""
    k, n = values.shape
    x = values - values.mean()
    item, rater = x.mean(axis=0), x.mean(axis=1)
    residual = x - item - rater[:, None]
    ss_items, ss_raters, ss_error = (float(v) for v in (k * (item**2).sum(), n * (rater**2).sum(), (residual**2).sum()))
    if ss_error < 1e-20 * max(ss_items, ss_raters):  # round-off of a table without error
        ss_error = 0.0
    within = (ss_raters + ss_error) / (n * (k - 1))
    return MeanSquares(
        float(ss_items / (n - 1)),
        float(ss_raters / (k - 1)),
        float(ss_error / ((n - 1) * (k - 1))),
        float(within),
        n,
        k,
    )


class CrossedDesign:
    """Which rater rated which item, prepared for many fits.

    Parameters
    ----------
    present
        Shape (raters, items).
    """

    def __init__(self, present: FloatArray | BoolArray) -> None:
        self.present = present.astype(float)
        self.flipped = present.shape[0] > present.shape[1]  # the factor with fewer levels comes first
        mask = self.present.T if self.flipped else self.present
        self.mask = mask
        self.n = int(mask.sum())
        self.n_small = mask.sum(axis=1)
        # ratings of each level of the large factor; levels with equally many behave alike
        self.size, self.group = np.unique(mask.sum(axis=0), return_inverse=True)
        self.n_groups = np.bincount(self.group, minlength=len(self.size)).astype(float)
        masks = [mask[:, self.group == g] for g in range(len(self.size))]
        self.cross = np.stack([part @ part.T for part in masks])
        self.overlap = np.stack([part.sum(axis=1) for part in masks])

    def fit(self, values: FloatArray, *, with_raters: bool = True, polish: bool = True) -> FloatArray:
        """Fit by REML.

        Parameters
        ----------
        values
            Ratings, shape (raters, items); what is missing in the design is ignored.
        with_raters
            Whether raters have a variance of their own; otherwise it is part of the error (one-way model).
        polish
            Whether to go on to the last digits.

        Returns
        -------
        array
            Variances of items, raters (0 without) and error.
        """
        from scipy.optimize import minimize

        data = self._summarise(values)

        def deviance(x: FloatArray) -> float:
            fraction = np.clip(x, 0.0, TOP)
            return self._profile(data, self._ratios(fraction))[0] + 1e3 * float(((x - fraction) ** 2).sum())

        starts = ([0.3, 0.3], [0.8, 0.1]) if with_raters else ([0.3], [0.8])
        best = None
        for start in starts if polish else starts[:1]:
            bounds = [(0.0, TOP)] * len(start)
            found = minimize(deviance, start, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13})
            best = found if best is None or found.fun < best.fun else best
        point = np.asarray(best.x if best is not None else starts[0])
        if polish:
            simplex = np.vstack([point, point + 1e-3 * np.eye(len(point))])
            exact = {"initial_simplex": simplex, "xatol": 1e-10, "fatol": 1e-13, "maxiter": 400}
            point = np.asarray(minimize(deviance, point, method="Nelder-Mead", options=exact).x)  # type: ignore[call-overload]
        ratios = self._ratios(np.clip(point, 0.0, TOP))
        error = self._profile(data, ratios)[1]
        return np.array([ratios[0] * error, ratios[1] * error, error])

    def simulate(self, components: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Draw normal ratings with these variances of items, raters and error, shape (raters, items)."""
        shape = self.present.shape
        item, rater, error = (np.sqrt(max(float(c), 0.0)) for c in components)
        effects = item * rng.standard_normal(shape[1]) + rater * rng.standard_normal((shape[0], 1))
        return np.asarray(effects + error * rng.standard_normal(shape))

    def _ratios(self, fraction: FloatArray) -> tuple[float, float]:
        """Variance ratios gamma of items and raters."""
        gamma = fraction / (1 - fraction)
        return float(gamma[0]), float(gamma[1]) if len(gamma) > 1 else 0.0

    def _summarise(self, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, float]:
        """Sums of the ratings that the likelihood needs, by group of levels of the large factor where that matters."""
        y = np.where(self.present > 0, values, 0.0)
        y = np.where(self.present > 0, y - y.sum() / self.n, 0.0)
        y = y.T if self.flipped else y
        large = y.sum(axis=0)
        k = len(self.size)
        by_small = np.stack([self.mask[:, self.group == g] @ large[self.group == g] for g in range(k)])
        total, square = (np.bincount(self.group, weights=large**p, minlength=k) for p in (1, 2))
        return y.sum(axis=1), by_small, total, square, float((y**2).sum())

    def _profile(
        self, data: tuple[FloatArray, FloatArray, FloatArray, FloatArray, float], ratios: tuple[float, float]
    ) -> tuple[float, float]:
        """Return -2 log restricted likelihood, less a constant, and the error variance."""
        small, by_small, total, square, squares = data
        large_ratio, small_ratio = (ratios[1], ratios[0]) if self.flipped else ratios
        d = large_ratio / (1 + large_ratio * self.size)
        h = np.diag(self.n_small) - np.tensordot(d, self.cross, 1)
        h_one = self.n_small - (d * self.size) @ self.overlap
        h_y = small - d @ by_small
        one = self.n - d @ (self.n_groups * self.size**2)
        one_y = total.sum() - (d * self.size) @ total
        y_y = squares - d @ square
        logdet = float(self.n_groups @ np.log1p(large_ratio * self.size))
        if small_ratio > 0:
            factor = np.linalg.cholesky(np.eye(len(h)) + small_ratio * h)
            solved = np.linalg.solve(factor, np.column_stack([h_one, h_y]))
            one -= small_ratio * solved[:, 0] @ solved[:, 0]
            one_y -= small_ratio * solved[:, 0] @ solved[:, 1]
            y_y -= small_ratio * solved[:, 1] @ solved[:, 1]
            logdet += 2 * float(np.log(np.diag(factor)).sum())
        error = max((y_y - one_y**2 / one) / (self.n - 1), 1e-300)
        return float((self.n - 1) * np.log(error) + logdet + np.log(one)), float(error)


def residual_freedom(n_ratings: int, component: IntArray) -> int:
    """Ratings less the rank of items and raters; ``component`` is that of every item and rater that has a rating."""
    return n_ratings - (len(component) - len(np.unique(component)))
