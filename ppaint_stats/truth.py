"""What the scores of a simulated study should be: expected ratings by new raters and by the panel at hand."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ppaint_stats.simulation_design import LOGISTIC_SD, PPaintDesign
from ppaint_stats.typing import FloatArray

_N_TABLE = 4001  # points of the table of the expected rating against the latent
_N_NODES = 11  # Gauss-Hermite nodes of each log-normal quantity
_N_TAIL_NODES = 32  # Gauss-Legendre nodes of the chi-square factor of a heavy tail


@dataclass(frozen=True, eq=False)
class ExpectedRating:
    """Expected rating as a function of the latent, without the noise of the single judgment and without lapses.

    With levels ``v_0 < v_1 < ...`` and thresholds ``kappa``, E[y | eta] is ``v_0`` plus, over all thresholds, the
    step times F(eta - kappa_k), F being the distribution of the noise (logistic, or normal of the same spread). On
    a continuous scale y is the logistic function of ``4 (eta + shift + noise) / span``, stretched over the scale.

    Parameters
    ----------
    grid : array of float
        Evenly spaced latents.
    values : array of float
        Expected rating at each of them, in rating points; beyond the grid that of its ends.

    Examples
    --------
    >>> expected = ExpectedRating.of(PPaintDesign(rating_shift=0.0))
    >>> expected(np.array([-100.0, 0.0, 100.0])).round(6).tolist()
    [1.0, 3.0, 5.0]
    """

    grid: FloatArray
    values: FloatArray

    @classmethod
    def of(cls, design: PPaintDesign, *, noise: float | FloatArray = 1.0) -> Self:
        """Tabulate the function for a design.

        Parameters
        ----------
        design : PPaintDesign
            The study; its scale, thresholds and link are used.
        noise : float or array of float, optional
            Continuous scales: the noise factor of a rater, or of several over whom to average.

        Returns
        -------
        ExpectedRating
            The function.
        """
        scale = design.rating_scale
        reach = 3.0 * design.rating_span + abs(design.rating_shift) + np.abs(design.kappa).max(initial=0.0) + 25.0
        grid = np.linspace(-reach, reach, _N_TABLE)
        shares = np.zeros(_N_TABLE)
        if scale.step is not None:
            for kappa in design.kappa:
                shares += _noise_cdf(grid - kappa, design.link) / design.kappa.size
        else:
            quantiles = _noise_quantiles(design.link)
            factors = np.atleast_1d(np.asarray(noise, dtype=np.float64))
            for factor in factors:
                latent = grid[:, None] + design.rating_shift + factor * quantiles
                shares += stretch(latent, design).mean(axis=1) / factors.size
        return cls(grid, scale.low + scale.span * shares)

    def __call__(self, eta: FloatArray) -> FloatArray:
        """Expected rating at each latent, in rating points."""
        values: FloatArray = np.interp(eta, self.grid, self.values)
        return values

    def smooth(self, spreads: FloatArray, *, weights: FloatArray) -> Self:
        """Average over a shift of the latent that is a mixture of normals around 0.

        Parameters
        ----------
        spreads, weights : array of float
            Standard deviations of the parts, and their weights, which sum to 1.

        Returns
        -------
        ExpectedRating
            The averaged function.
        """
        from scipy.special import ndtr  # late, to keep the import of the package fast

        half = _N_TABLE // 2
        edges = (np.arange(-half, half) + 0.5) * (self.grid[1] - self.grid[0])
        below = weights @ ndtr(edges / np.maximum(spreads, 1e-12)[:, None])
        # Mass beyond the grid goes to its ends, where the rating has reached the end of the scale.
        mass = np.diff(below, prepend=0.0, append=1.0)
        padded = np.pad(self.values, half, mode="edge")
        size = padded.size + mass.size
        product = np.fft.irfft(np.fft.rfft(padded, size) * np.fft.rfft(mass, size), size)
        return replace(self, values=product[mass.size - 1 : padded.size])


def stretch(latent: FloatArray, design: PPaintDesign) -> FloatArray:
    """Map a latent rating to the share of a continuous scale that it reaches.

    Parameters
    ----------
    latent : array of float
        Latent ratings, noise and shift included.
    design : PPaintDesign
        The study; its rating span is used.

    Returns
    -------
    array of float
        Shares from 0 to 1; the slope at the middle is ``1 / rating_span``.

    Examples
    --------
    >>> stretch(np.array([0.0]), PPaintDesign(scale=(0, 100, None))).tolist()
    [0.5]
    """
    shares: FloatArray = 0.5 + 0.5 * np.tanh(2.0 * latent / design.rating_span)
    return shares


def population_scores(theta: FloatArray, mu: FloatArray, *, design: PPaintDesign) -> FloatArray:
    """Compute the expected rating of items by a new rater of the kind that the design generates.

    Taste, its rater-specific spread, severity, discrimination and noise are integrated out by quadrature, to within
    1e-4 of the scale. Lapses are left out: the truth is what attentive raters would say.

    Parameters
    ----------
    theta : array of float
        Item utilities behind ratings, shape (category, item, dimension).
    mu : array of float
        Category levels on the latent scale of ratings, shape (category, dimension).
    design : PPaintDesign
        The generating design.

    Returns
    -------
    array of float
        Rating points, of the shape of `theta`.

    Notes
    -----
    Given discrimination and spread of taste, severity and taste add up to one normal shift of the latent. Their
    mixture over Gauss-Hermite nodes (and, for a Student t, over its chi-square factor) is laid on the grid of
    `ExpectedRating` and convolved with it; discrimination, which multiplies the utility too, is summed last.

    Examples
    --------
    >>> design = PPaintDesign(n_categories=1, rating_shift=0.0)
    >>> population_scores(np.zeros((1, 1, 1)), np.zeros((1, 1)), design=design).round(3).tolist()
    [[[3.0]]]
    """
    from scipy.special import gammaincinv, ndtri  # late, to keep the import of the package fast

    nodes, weights = np.polynomial.hermite_e.hermegauss(_N_NODES)
    weights = weights / weights.sum()
    taste_sd, taste_weights = design.taste_sd * np.exp(design.taste_log_sd * nodes), weights
    if design.taste == "t3":
        # t3 / sqrt(3) is a normal over the root of a chi-square on 3 degrees of freedom, which is 2 Gamma(3/2).
        places, tail_weights = np.polynomial.legendre.leggauss(_N_TAIL_NODES)
        root = np.sqrt(2.0 * gammaincinv(1.5, (places + 1.0) / 2.0))
        taste_sd = (taste_sd[:, None] / root).ravel()
        taste_weights = (weights[:, None] * tail_weights / 2.0).ravel()
    noise = np.exp(design.rating_noise_log_sd * ndtri((np.arange(16) + 0.5) / 16))
    expected = ExpectedRating.of(design, noise=noise)
    severity_variance = design.severity_sd**2 + design.severity_dimension_sd**2
    scores = np.zeros_like(theta)
    for node, weight in zip(nodes, weights, strict=True):
        slope = design.rating_slope * np.exp(design.rating_discrimination_log_sd * node)
        smoothed = expected.smooth(np.sqrt(severity_variance + (slope * taste_sd) ** 2), weights=taste_weights)
        scores += weight * smoothed(mu[:, None, :] + slope * theta)
    return scores


def panel_scores(latent: FloatArray, *, design: PPaintDesign, rater_index: np.ndarray, noise: FloatArray) -> FloatArray:
    """Compute the mean over a category's own raters of the rating that each is expected to give.

    Parameters
    ----------
    latent : array of float
        Latent ratings without noise, shape (category, rater, item, dimension).
    design : PPaintDesign
        The generating design.
    rater_index : array of int
        Position of each category's raters among all raters, shape (category, rater).
    noise : array of float
        Noise factor of every rater; of use on continuous scales alone.

    Returns
    -------
    array of float
        Rating points, shape (category, item, dimension). Lapses are left out.

    Examples
    --------
    >>> design = PPaintDesign(n_categories=1, n_raters=1, rating_shift=0.0)
    >>> index, noise = np.zeros((1, 1), dtype=int), np.ones(1)
    >>> panel_scores(np.zeros((1, 1, 1, 1)), design=design, rater_index=index, noise=noise).round(9).item()
    3.0
    """
    if design.rating_scale.step is not None:
        return ExpectedRating.of(design)(latent).mean(axis=1)
    by_rater = np.empty_like(latent)
    functions = {int(r): ExpectedRating.of(design, noise=float(noise[r])) for r in np.unique(rater_index)}
    for c, row in enumerate(rater_index):
        for position, r in enumerate(row):
            by_rater[c, position] = functions[int(r)](latent[c, position])
    means: FloatArray = by_rater.mean(axis=1)
    return means


def _noise_cdf(x: FloatArray, link: str) -> FloatArray:
    from scipy.special import expit, ndtr  # late, to keep the import of the package fast

    values: FloatArray = expit(x) if link == "logit" else ndtr(x / LOGISTIC_SD)
    return values


def _noise_quantiles(link: str) -> FloatArray:
    """Midpoint quantiles of the noise, enough of them for an error of the mean below 1e-4 of the scale."""
    from scipy.special import logit, ndtri  # late, to keep the import of the package fast

    uniform = (np.arange(128) + 0.5) / 128
    values: FloatArray = logit(uniform) if link == "logit" else LOGISTIC_SD * ndtri(uniform)
    return values
