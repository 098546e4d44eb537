"""What the simulator draws: items, raters, their tastes, and the law of an outcome."""

from dataclasses import dataclass

import numpy as np

from ppaint_stats.simulation_design import LOGISTIC_SD, PPaintDesign
from ppaint_stats.typing import BoolArray, FloatArray


@dataclass(frozen=True)
class DrawnRaters:
    """Drawn quantities of all raters: arrays of shape (rater,) or, where so named, (rater, dimension)."""

    severity_by_dimension: FloatArray
    rating_discrimination: FloatArray
    preference_discrimination: FloatArray
    nu_by_dimension: FloatArray
    position: FloatArray
    taste_sd: FloatArray
    noise: FloatArray
    careless: BoolArray
    lapse: FloatArray


def outcome_probabilities(difference: FloatArray, nu: FloatArray | float, *, link: str = "logit") -> FloatArray:
    """Compute the probabilities of A, TIE and B.

    Parameters
    ----------
    difference : array of float
        Utility of the item shown first minus that of the other, position effect included.
    nu : array of float or float
        Tie parameter, at least 0.
    link : {"logit", "probit"}
        Davidson's model, or Thurstone's with a band of indifference, with noise of the same standard deviation and
        the same probability of a tie between equals.

    Returns
    -------
    array of float
        Probabilities in the order of ``OUTCOMES`` (A, TIE, B) on a new first axis.

    Examples
    --------
    >>> outcome_probabilities(np.zeros(1), 0.5).ravel().round(12).tolist()
    [0.4, 0.2, 0.4]
    """
    if link == "logit":
        x = np.exp(-np.abs(difference) / 2.0)
        total = 1.0 + x * x + nu * x
        larger, smaller = 1.0 / total, x * x / total
        first = np.where(difference >= 0, larger, smaller)
        second = np.where(difference >= 0, smaller, larger)
    else:
        from scipy.special import ndtr, ndtri  # late, to keep the import of the package fast

        band = -ndtri(1.0 / (2.0 + np.asarray(nu)))
        first = ndtr(difference / LOGISTIC_SD - band)
        second = ndtr(-difference / LOGISTIC_SD - band)
    return np.stack([first, 1.0 - first - second, second])


def draw_items(design: PPaintDesign, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Utilities behind ratings and behind preferences (category, item, dimension), and category levels."""
    shape = (design.n_categories, design.n_items, len(design.dimensions))
    root = _root(design.item_correlations) * design.item_sd
    theta_preference = rng.standard_normal(shape) @ root.T
    rho = design.protocol_correlation
    theta = rho * theta_preference + np.sqrt(1.0 - rho * rho) * (rng.standard_normal(shape) @ root.T)
    mu = design.category_sd * rng.standard_normal((design.n_categories, len(design.dimensions)))
    # Levels live in mu and severity, so that utilities sum to zero within a category.
    centred = (values - values.mean(axis=1, keepdims=True) for values in (theta, theta_preference))
    return *centred, mu - mu.mean(axis=0)  # type: ignore[return-value]


def draw_raters(design: PPaintDesign, rng: np.random.Generator, rng_lapses: np.random.Generator) -> DrawnRaters:
    """Draw the quantities of all raters."""
    n_raters, n_dimensions = design.n_raters_in_all, len(design.dimensions)
    normal = rng.standard_normal
    severity = design.severity_sd * normal(n_raters)
    severity_by_dimension = severity[:, None] + design.severity_dimension_sd * normal((n_raters, n_dimensions))
    log_nu = design.tie_log_mean + design.tie_log_sd * normal(n_raters)
    careless = np.zeros(n_raters, dtype=np.bool_)
    careless[rng_lapses.permutation(n_raters)[: design.n_careless]] = True
    return DrawnRaters(
        severity_by_dimension=severity_by_dimension,
        rating_discrimination=np.exp(design.rating_discrimination_log_sd * normal(n_raters)),
        preference_discrimination=np.exp(design.preference_discrimination_log_sd * normal(n_raters)),
        nu_by_dimension=np.exp(log_nu[:, None] + design.tie_dimension_log_sd * normal((n_raters, n_dimensions))),
        position=design.position_mean + design.position_sd * normal(n_raters),
        taste_sd=design.taste_sd * np.exp(design.taste_log_sd * normal(n_raters)),
        noise=np.exp(design.rating_noise_log_sd * normal(n_raters)),
        careless=careless,
        lapse=np.where(careless, design.careless_lapse, design.lapse),
    )


def draw_taste(design: PPaintDesign, taste_sd: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Taste of shape (category, rater, item, dimension); `taste_sd` is (category, rater)."""
    shape = (design.n_categories, design.n_raters, design.n_items, len(design.dimensions))
    taste = rng.standard_normal(shape) @ _root(design.taste_correlations).T
    if design.taste == "t3":
        # One chi-square for all dimensions of a rater and item: an item that strikes a rater does so throughout.
        taste = taste / np.sqrt(rng.chisquare(3.0, shape[:3]))[..., None]
    return taste_sd[:, :, None, None] * taste


def _root(correlations: FloatArray) -> FloatArray:
    """Symmetric root, which a correlation of one allows as well."""
    values, vectors = np.linalg.eigh(correlations)
    root: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    return root


def draw_noise(design: PPaintDesign, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Draw the noise of ratings on the latent scale."""
    return rng.logistic(size=shape) if design.link == "logit" else LOGISTIC_SD * rng.standard_normal(shape)
