"""From the sampled vector to the quantities that people read: each named, with its dims, on its natural scale."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ppaint_stats.joint.bases import helmert_basis, mean_basis, panel_basis
from ppaint_stats.joint.encoding import Encoding
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.joint.tastes import TasteCells, list_tastes
from ppaint_stats.kernels.joint.data import NO_TIES
from ppaint_stats.typing import FloatArray


@dataclass(frozen=True)
class Draws:
    """Draws of the joint model's quantities; the first axis of every array runs over draws.

    Attributes
    ----------
    values
        Quantities by name, as :data:`DIMS` lists them; absent where the study has no use for them.
    level_shift
        What the panel's mean severity adds to the level of an average rater, shape (draw, panel, dimension).
    mean_discrimination, mean_taste_spread
        Means over the raters at hand of log a and of the log spread of taste, against the population's 0.
    """

    values: dict[str, FloatArray]
    level_shift: FloatArray
    mean_discrimination: FloatArray
    mean_taste_spread: FloatArray


DIMS: dict[str, tuple[str, ...]] = {
    "lapse": ("rater",),
    "consensus": ("item", "dimension"),
    "consensus_rating": ("item", "dimension"),
    "item_sd": ("dimension",),
    "item_correlation": ("dimension", "dimension_bis"),
    "taste_sd": ("dimension",),
    "taste_correlation": ("dimension", "dimension_bis"),
    "taste_spread": ("taste_rater",),
    "taste_spread_sd": (),
    "sharpness": ("preference_rater",),
    "sharpness_sd": (),
    "log_nu": ("preference_rater", "dimension"),
    "tie_mean": (),
    "tie_sd": (),
    "tie_dimension_sd": (),
    "position": ("preference_rater",),
    "position_mean": (),
    "position_sd": (),
    "slope": ("dimension",),
    "discrimination": ("rating_rater",),
    "discrimination_sd": (),
    "severity": ("rating_rater", "dimension"),
    "severity_sd": (),
    "severity_dimension_sd": (),
    "category_level": ("category", "dimension"),
    "threshold": ("dimension", "cut"),
    "noise": ("rating_rater",),
    "noise_mean": (),
    "noise_sd": (),
    "protocol_correlation": ("dimension",),
}
"""Dims of each quantity that is reported."""


def derive_draws(flat: FloatArray, encoding: Encoding, layout: Layout, *, seed: np.random.SeedSequence) -> Draws:
    """Turn draws of the sampled vector into named quantities.

    Parameters
    ----------
    flat
        Draws, shape (draw, parameters).
    encoding, layout
        The study and its parameters.
    seed
        For the panels' mean severities and taste spreads, which no judgment informs and which the sampler leaves out:
        given the spreads they are normal draws.

    Returns
    -------
    Draws
        Quantities by name.
    """
    e, x = encoding, layout.unpack(flat)
    n, n_dims = len(flat), len(e.dimensions)
    rng = np.random.default_rng(seed)
    values: dict[str, FloatArray] = {"lapse": expit(x["lapse"])}
    item_factor = unpack_factors(x["item_cov"], n_dims)
    consensus = x["consensus"]
    if not layout.parameters["consensus"].centred:
        consensus = consensus @ np.swapaxes(item_factor, 1, 2)
    values["consensus"] = expand_items(consensus, e)
    values["item_sd"], values["item_correlation"] = _describe_factor(item_factor)
    mean_spread = np.zeros(n)
    if e.units:
        values["taste_sd"], values["taste_correlation"] = _describe_factor(unpack_factors(x["taste_cov"], n_dims))
        spread = np.ones((n, len(e.taste_raters)))
        if "taste_spread" in x:
            values["taste_spread_sd"] = sd = np.exp(x["log_taste_spread_sd"])
            own = x["taste_spread"] if layout.parameters["taste_spread"].centred else x["taste_spread"] * sd[:, None]
            spread = np.exp(own @ helmert_basis(len(e.taste_raters)).T)
            mean_spread = sd / np.sqrt(len(e.taste_raters)) * rng.standard_normal(n)
        values["taste_spread"] = spread
    if e.comparisons is not None:
        _derive_preferences(values, x, e, layout)
    level_shift = np.zeros((n, 0, n_dims))
    mean_discrimination = np.zeros(n)
    if e.ratings is not None:
        mean_discrimination = _derive_ratings(values, x, e, layout)
        n_panels = int(e.rating_panel.max()) + 1
        size = np.bincount(e.rating_panel)
        own_sd = np.exp(x["log_severity_sd"])[:, None] / np.sqrt(size)
        level_shift = np.repeat((own_sd * rng.standard_normal((n, n_panels)))[:, :, None], n_dims, axis=2)
        if "log_severity_dimension_sd" in x:
            inner = np.exp(x["log_severity_dimension_sd"])[:, None, None] / np.sqrt(size)[:, None]
            level_shift = level_shift + inner * rng.standard_normal((n, n_panels, n_dims))
    if "protocol_correlation" in x:
        rho = np.tanh(x["protocol_correlation"] / 2)
        values["protocol_correlation"] = rho
        extra = expand_items(x["discrepancy"] @ np.swapaxes(item_factor, 1, 2), e)
        values["consensus_rating"] = rho[:, None, :] * values["consensus"] + np.sqrt(1 - rho**2)[:, None, :] * extra
    return Draws(values, level_shift, mean_discrimination, mean_spread)


def expand_items(contrasts: FloatArray, encoding: Encoding) -> FloatArray:
    """Contrasts of shape (draw, contrast, dimension) to items, shape (draw, item, dimension)."""
    e = encoding
    starts = e.item_start - np.arange(len(e.item_start))
    return np.concatenate(
        [basis @ contrasts[:, starts[c] : starts[c + 1]] for c, basis in enumerate(e.category_bases)], axis=1
    )


def expand_utilities(
    flat: FloatArray, draws: Draws, encoding: Encoding, layout: Layout, *, seed: np.random.SeedSequence
) -> FloatArray:
    """Utilities of raters with a taste, before any rater's own sharpness, shape (draw, row, dimension).

    ``seed`` is for tastes of raters with few comparisons in dimensions in which they did not judge the item: given
    the others they are normal draws.
    """
    e, x = encoding, layout.unpack(flat)
    theta = draws.values["consensus"]
    parts = []
    used = 0
    for unit in e.units:
        if not unit.rich:
            continue
        here = slice(used, used := used + len(unit.items) - 1)
        e_r = draws.values["sharpness"][:, unit.preference_rater][:, None, None]
        own = unit.basis @ x["utility"][:, here] / e_r
        parts.append(own if unit.full else own + theta[:, unit.items].mean(axis=1, keepdims=True))
    if "taste" in x:
        poor = [unit for unit in e.units if not unit.rich]
        items = np.concatenate([unit.items for unit in poor])
        owner = np.repeat([unit.taste_rater for unit in poor], [len(unit.items) for unit in poor])
        taste = _expand_tastes(x["taste"], unpack_factors(x["taste_cov"], len(e.dimensions)), list_tastes(e), seed)
        taste *= draws.values["taste_spread"][:, owner][:, :, None]
        taste += theta[:, items]
        parts.append(taste)
    return np.concatenate(parts, axis=1)


def _expand_tastes(
    cells: FloatArray, factor: FloatArray, tastes: TasteCells, seed: np.random.SeedSequence
) -> FloatArray:
    """Tastes in every dimension, shape (draw, row, dimension), before a rater's own spread."""
    rng = np.random.default_rng(seed)
    covariance = factor @ np.swapaxes(factor, 1, 2)
    out = np.zeros((len(cells), tastes.n_rows, factor.shape[1]))
    for k, (order, size) in enumerate(zip(tastes.pattern_dimension, tastes.pattern_size.tolist(), strict=True)):
        rows = np.flatnonzero(tastes.row_pattern == k)
        known = cells[:, tastes.row_start[rows][:, None] + np.arange(size)]
        new = rng.standard_normal((*known.shape[:2], len(order) - size))
        own = np.linalg.cholesky(covariance[:, order][:, :, order])  # those that the rows hold come first
        out[:, rows[:, None], order] = np.concatenate([known, new], axis=2) @ np.swapaxes(own, 1, 2)
    out[:, tastes.row, tastes.dimension] = tastes.center(out[:, tastes.row, tastes.dimension])
    return out


def unpack_factors(packed: FloatArray, n: int) -> FloatArray:
    """Lower triangular factors from packed rows with log diagonals; the first axis runs over draws."""
    factor = np.zeros((len(packed), n, n))
    row, column = np.tril_indices(n)
    factor[:, row, column] = np.where(row == column, np.exp(packed), packed)
    return factor


def _describe_factor(factor: FloatArray) -> tuple[FloatArray, FloatArray]:
    covariance = factor @ np.swapaxes(factor, 1, 2)
    sd = np.sqrt(np.einsum("sii->si", covariance))
    return sd, covariance / (sd[:, :, None] * sd[:, None, :])


def _habit(x: dict[str, FloatArray], layout: Layout, name: str, basis: FloatArray) -> FloatArray:
    """Heavy-tailed habits of raters, their mean included."""
    own = x[name] @ basis.T
    return own if layout.parameters[name].centred else own * np.exp(x[f"log_{name}_sd"])[:, None]


def _derive_preferences(values: dict[str, FloatArray], x: dict[str, FloatArray], e: Encoding, layout: Layout) -> None:
    n_raters, n_dims = len(e.preference_raters), len(e.dimensions)
    n = len(x["position_mean"])
    values["sharpness"] = np.ones((n, n_raters))
    if "sharpness" in x:
        own = _habit(x, layout, "sharpness", mean_basis(n_raters))
        values["sharpness"] = np.exp(own - own.mean(axis=1, keepdims=True))
        values["sharpness_sd"] = np.exp(x["log_sharpness_sd"])
    values["position_mean"], values["position_sd"] = x["position_mean"], np.exp(x["log_position_sd"])
    values["position"] = _nest(x, layout, "position", x["position_mean"][:, None], values["position_sd"])
    values["log_nu"] = np.full((n, n_raters, n_dims), NO_TIES)
    if "tie_mean" in x:
        values["tie_mean"], values["tie_sd"] = x["tie_mean"], np.exp(x["log_tie_sd"])
        rater = _nest(x, layout, "tie_rater", x["tie_mean"][:, None], values["tie_sd"])
        values["log_nu"] = np.repeat(rater[:, :, None], n_dims, axis=2)
        if "log_nu" in x:
            values["tie_dimension_sd"] = np.exp(x["log_tie_dimension_sd"])
            values["log_nu"] = _nest(x, layout, "log_nu", rater[:, :, None], values["tie_dimension_sd"])


def _nest(x: dict[str, FloatArray], layout: Layout, name: str, mean: FloatArray, sd: FloatArray) -> FloatArray:
    if layout.parameters[name].centred:
        return x[name]
    return mean + sd.reshape(-1, *([1] * (x[name].ndim - 1))) * x[name]


def _derive_ratings(values: dict[str, FloatArray], x: dict[str, FloatArray], e: Encoding, layout: Layout) -> FloatArray:
    """Quantities of the ratings; returns the raters' mean log discrimination."""
    n, n_dims, n_raters = len(x["log_severity_sd"]), len(e.dimensions), len(e.rating_raters)
    values["slope"] = np.exp(x["log_slope"]) if "log_slope" in x else np.ones((n, n_dims))
    mean = np.zeros(n)
    values["discrimination"] = np.ones((n, n_raters))
    if "discrimination" in x:
        own = _habit(x, layout, "discrimination", mean_basis(n_raters))
        mean = own.mean(axis=1)
        values["discrimination"] = np.exp(own - mean[:, None])
        values["discrimination_sd"] = np.exp(x["log_discrimination_sd"])
    values["severity_sd"] = np.exp(x["log_severity_sd"])
    contrasts = np.zeros((n, n_raters - len(set(e.rating_panel.tolist())), n_dims))
    if "severity_rater" in x:
        rater = _nest(x, layout, "severity_rater", np.zeros((n, 1)), values["severity_sd"])
        contrasts = np.repeat(rater[:, :, None], n_dims, axis=2)
        if "severity" in x:
            inner = np.exp(x["log_severity_dimension_sd"])
            contrasts = _nest(x, layout, "severity", rater[:, :, None], inner)
    if "log_severity_dimension_sd" in x:
        values["severity_dimension_sd"] = np.exp(x["log_severity_dimension_sd"])
    values["severity"] = panel_basis(e.rating_panel) @ contrasts
    if "category_level" in x:
        values["category_level"] = helmert_basis(len(e.categories)) @ x["category_level"]
    centre = x["threshold_centre"][:, :, None]
    if e.levels:
        gaps = np.exp(x["log_gap"]) if "log_gap" in x else np.zeros((n, n_dims, 0))
        steps = np.concatenate([np.zeros((n, n_dims, 1)), np.cumsum(gaps, axis=2)], axis=2)
        values["threshold"] = steps - steps.mean(axis=2, keepdims=True) + centre
    else:
        values["threshold"] = -centre
        values["noise_mean"], values["noise_sd"] = np.exp(x["log_noise_mean"]), np.exp(x["log_noise_sd"])
        values["noise"] = np.exp(_nest(x, layout, "log_noise", x["log_noise_mean"][:, None], values["noise_sd"]))
    return mean
