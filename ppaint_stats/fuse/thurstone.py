"""The unified quality scale of 2019 as a baseline."""

import numpy as np

from ppaint_stats.fuse.cells import Cell
from ppaint_stats.fuse.engine import Interval, fuse_cells
from ppaint_stats.fuse.fits import CellFit, calibrate_latent, fit_ratings_cell
from ppaint_stats.fusion import Fusion
from ppaint_stats.kernels.thurstone import SIGMA, ThurstoneFit, fit_unified_scale
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, Protocols, RandomSeed, Target


def fuse_thurstone(
    study: Study,
    *,
    interval: Interval = "auto",
    interval_prob: float = 0.9,
    target: Target = "population",
    protocols: Protocols = "both",
    n_boot: int = 200,
    random_seed: RandomSeed = 0,
    progressbar: bool = False,
) -> Fusion:
    r"""Fuse ratings and preferences by the unified quality scale of Perez-Ortiz et al. (2019), the closest earlier one.

    Parameters
    ----------
    study, interval, interval_prob, target, protocols, n_boot, random_seed, progressbar
        As for :func:`ppaint_stats.fuse_davidson`.

    Returns
    -------
    Fusion
        ``latent`` is the quality q in just-objectionable differences, ``score`` is a q + b. ``parameters`` holds
        ``slope`` (a), ``intercept`` (b), ``noise_ratio`` (c), ``rating_share`` (the ratings' mean share of the
        information on an item) and both log-likelihoods.

    Raises
    ------
    DisconnectedGraphError
        If nothing links some items to the others.
    ArgumentError
        If an argument is not allowed or the interval cannot be had.

    Notes
    -----
    Comparisons are binomial with :math:`P(A) = \Phi((q_A - q_B)/(\sqrt2\sigma))`, ratings normal with mean
    :math:`a q_i + b` and standard deviation :math:`a c \sigma`. The method knows no ties, no raters, no limits of the
    scale: a tie counts as half a win each, severities and tastes are noise, and scores are cut at the ends of the
    scale. a > 0 always, so that ratings stay in the fit.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> ps.fuse_thurstone(sim.study, interval="none").method
    'thurstone'
    """

    def fit(cell: Cell, start: CellFit | None) -> CellFit:
        if not len(cell.a):
            return fit_ratings_cell(cell, shrink=False)
        state = start.state if start is not None and isinstance(start.state, ThurstoneFit) else None
        return _fit_cell(cell, state)

    return fuse_cells(
        study, fit, method="thurstone", interval=interval, interval_prob=interval_prob, target=target,
        protocols=protocols, n_boot=n_boot, random_seed=random_seed, progressbar=progressbar, settings={},
    )  # fmt: skip


def _fit_cell(cell: Cell, start: ThurstoneFit | None) -> CellFit:
    weight = np.bincount(cell.rated, weights=cell.rating_weight, minlength=cell.n_items).astype(float)
    total = np.bincount(cell.rated, weights=cell.rating_weight * cell.rating, minlength=cell.n_items)
    mean = np.divide(total, weight, out=np.zeros(cell.n_items), where=weight > 0)
    squares = float(cell.rating_weight @ (cell.rating - mean[cell.rated]) ** 2)
    counts = weight if cell.uses_ratings else np.zeros(cell.n_items)
    found = fit_unified_scale(
        cell.count_pairs(keep_order=False), counts, mean, squares if cell.uses_ratings else 0.0, start=start
    )
    latent, additive, calibration = found.quality, cell.fit_ratings(), None
    if cell.uses_ratings:
        score = np.clip(found.slope * latent + found.intercept, cell.low, cell.high)
    else:
        calibration = calibrate_latent(cell, latent, additive)
        score = latent if calibration is None else calibration.apply(latent)
    information = _information(cell, found, counts)
    covariance = np.linalg.pinv(information)
    ratings_part = counts / (found.noise_ratio * SIGMA) ** 2
    return CellFit(
        latent=latent,
        score=score,
        covariance=covariance if calibration is not None or not cell.has_ratings else found.slope**2 * covariance,
        parameters={
            "slope": found.slope if cell.uses_ratings else float("nan"),
            "intercept": found.intercept if cell.uses_ratings else float("nan"),
            "noise_ratio": found.noise_ratio if cell.uses_ratings else float("nan"),
            "rating_share": float((ratings_part / np.maximum(np.diag(information), 1e-300)).mean()),
            "loglik_preferences": found.loglik_preferences,
            "loglik_ratings": found.loglik_ratings,
            "rating_components": float(additive.n_components),
        },
        calibration=calibration,
        converged=found.converged,
        state=found,
    )


def _information(cell: Cell, found: ThurstoneFit, counts: FloatArray) -> FloatArray:
    """Expected information on the qualities: probit weights of the pairs, normal weights of the ratings."""
    from scipy.stats import norm

    pairs = cell.count_pairs(keep_order=False)
    z = (found.quality[pairs.a] - found.quality[pairs.b]) / (np.sqrt(2) * SIGMA)
    weight = pairs.total * norm.pdf(z) ** 2 / np.maximum(norm.cdf(z) * norm.sf(z), 1e-300) / (2 * SIGMA**2)
    information = np.zeros((cell.n_items, cell.n_items))
    np.add.at(information, (pairs.a, pairs.b), -weight)
    information += information.T
    information[np.diag_indices(cell.n_items)] -= information.sum(axis=1)
    return information + np.diag(counts / (found.noise_ratio * SIGMA) ** 2)
