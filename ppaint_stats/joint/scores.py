r"""What the fused score means: expected ratings by new raters, by the panel at hand, or relative to a category's mean.

- population: E[y] for a new rater, whose taste, severity and discrimination are integrated out. The sampler fixes the
  panel's mean severity and mean log discrimination at 0; here they are put back as draws of what they are, the means of
  R raters from the population.
- panel: the mean over the raters at hand of E[y | their utilities, severity, discrimination].
- relative: the population's score minus its mean over the category's items.

On a continuous scale the rating is the logistic function of a latent with normal noise; on an ordinal one the
probability of passing a threshold is. Either way what is averaged is a logistic function over a normal shift.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import stats

from ppaint_stats.errors import ArgumentError
from ppaint_stats.joint.draws import Draws
from ppaint_stats.joint.encoding import SQUEEZE, Encoding
from ppaint_stats.kernels.densities import T_DOF
from ppaint_stats.kernels.expected import panel_shares, population_shares
from ppaint_stats.progress import track
from ppaint_stats.typing import FloatArray, Target

_SLOPE_NODES = 5
_SPREAD_NODES = 3

CHUNK = 100
"""Draws that a thread scores before it takes the next ones."""


def score_draws(
    draws: Draws,
    encoding: Encoding,
    *,
    target: Target,
    utilities: FloatArray | None,
    cores: int = 1,
    progressbar: bool = False,
) -> FloatArray:
    """Compute the scores of every draw.

    Parameters
    ----------
    draws
        Draws of a study with ratings.
    encoding
        The study.
    target
        What a score means.
    utilities
        Utilities of raters with a taste, shape (draw, row, dimension); of use for the panel alone.
    cores
        Threads.
    progressbar
        Whether to show progress, if standard error is a terminal.

    Returns
    -------
    ndarray of shape (draw, item, dimension)
        Scores on the rating scale (differences, for ``target="relative"``).
    """
    if target == "panel":
        shares = _panel(draws, encoding, utilities)
    else:
        shares = _population(draws, encoding, cores, progressbar=progressbar)
    scale = encoding.scale
    if scale is None:
        raise ArgumentError("scores on the rating scale need ratings")
    if not encoding.levels:
        shares = np.clip((shares - SQUEEZE) / (1 - 2 * SQUEEZE), 0.0, 1.0)
    scores = scale.low + scale.span * shares
    if target == "relative":
        # The mean is over the items that are scored: those with a judgment in the dimension.
        for start, end in zip(encoding.item_start[:-1], encoding.item_start[1:], strict=True):
            judged = encoding.judged[start:end]
            shares = judged / np.maximum(judged.sum(axis=0), 1)
            scores[:, start:end] -= (shares * scores[:, start:end]).sum(axis=1, keepdims=True)
    return scores


def check_panel(encoding: Encoding) -> None:
    """Refuse a panel's scores where the tastes of its raters are not known."""
    known = {(encoding.taste_raters[unit.taste_rater], encoding.categories[unit.category]) for unit in encoding.units}
    if encoding.ratings is None:
        raise ArgumentError("target='panel' needs ratings: it is the mean of what the raters are expected to say")
    pairs = np.unique(np.column_stack([encoding.ratings.rater, encoding.ratings.category]), axis=0)
    lost = [
        (encoding.rating_raters[r], encoding.categories[c])
        for r, c in pairs.tolist()
        if (encoding.rating_raters[r], encoding.categories[c]) not in known
    ]
    if lost:
        raise ArgumentError(
            "target='panel' needs each rater's own taste, which one rating per item, or a comparison or two, cannot "
            "tell from noise: these raters neither compare each item 2.5 times or more nor repeat ratings in the "
            f"category: {lost[:10]}; use target='population'"
        )


def _population(draws: Draws, e: Encoding, cores: int, *, progressbar: bool) -> FloatArray:
    v = draws.values
    theta = v.get("consensus_rating", v["consensus"])
    n, n_items, n_dims = theta.shape
    slope = v["slope"] * np.exp(-draws.mean_discrimination)[:, None]
    taste = np.zeros((n, n_dims))
    if "taste_sd" in v:
        taste = (v["taste_sd"] * np.exp(-draws.mean_taste_spread)[:, None]) ** 2
    severity = v["severity_sd"] ** 2 + v.get("severity_dimension_sd", np.zeros(n)) ** 2
    level = average_levels(draws, e)
    log_a, log_spread, weight = _new_raters()
    a_sd = v.get("discrimination_sd", np.zeros(n))
    spread_sd = v.get("taste_spread_sd", np.zeros(n))
    noise = np.zeros((n, 1)), np.ones(1)
    if "noise_mean" in v:  # a new rater's noise on a continuous scale
        nodes, noise_weight = _normal_nodes(_SPREAD_NODES)
        noise = (v["noise_mean"][:, None] * np.exp(v["noise_sd"][:, None] * nodes)) ** 2, noise_weight
    category = e.item_category
    out = np.zeros((n, n_items, n_dims))

    def fill(part: range) -> None:
        for s in part:
            factor, spread = np.exp(a_sd[s] * log_a), np.exp(spread_sd[s] * log_spread)
            for variance, share in zip(noise[0][s], noise[1], strict=True):
                out[s] += share * population_shares(
                    theta[s], level[s], category, slope[s], taste[s], severity[s] + variance, v["threshold"][s], factor,
                    spread, weight,
                )  # fmt: skip

    with ThreadPoolExecutor(max(cores, 1)) as pool:
        parts = [range(k, min(k + CHUNK, n)) for k in range(0, n, CHUNK)]
        done = pool.map(fill, parts)
        list(track(done, total=len(parts), description="scores", progressbar=progressbar, patience=2))
    return out


def average_levels(draws: Draws, e: Encoding) -> FloatArray:
    """Level of each category for an average rater of the population, shape (draw, category, dimension)."""
    n, _, n_dims = draws.values["consensus"].shape
    level = draws.values.get("category_level", np.zeros((n, len(e.categories), n_dims))).copy()
    if e.ratings is not None:
        for c in range(len(e.categories)):
            present = np.unique(e.rating_panel[e.ratings.rater[e.ratings.category == c]])
            if len(present):
                level[:, c] += draws.level_shift[:, present[0]]
    return level


def _new_raters() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nodes over new raters in units of their spreads: log discrimination (t), log spread of taste, weight."""
    # A t quantile of a normal probability: of a smooth function of a normal variable Gauss-Hermite nodes take the mean.
    places, a_weight = _normal_nodes(_SLOPE_NODES)
    log_a = stats.t.ppf(stats.norm.cdf(places), T_DOF)
    log_spread, spread_weight = _normal_nodes(_SPREAD_NODES)
    grid = np.meshgrid(log_a, log_spread, indexing="ij")
    return grid[0].ravel(), grid[1].ravel(), np.outer(a_weight, spread_weight).ravel()


def _normal_nodes(n: int) -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return nodes, weights / weights.sum()


def _panel(draws: Draws, e: Encoding, utilities: FloatArray | None) -> FloatArray:
    """Mean over the raters at hand; a rater's taste for an item that the rater never judged is integrated out."""
    if utilities is None or e.ratings is None:
        raise ArgumentError("a panel's scores need utilities")
    v = draws.values
    shift = v["consensus_rating"] - v["consensus"] if "consensus_rating" in v else np.zeros_like(v["consensus"])
    theta = v["consensus"]
    n, n_items, n_dims = theta.shape
    rows = _panel_rows(e)
    centre, variance = np.zeros((n, len(rows.item), n_dims)), np.zeros((n, len(rows.item), n_dims))
    own = rows.utility >= 0
    centre[:, own] = utilities[:, rows.utility[own]]
    centre[:, ~own] = theta[:, rows.item[~own]]
    centre += shift[:, rows.item]
    spread = v["taste_spread"][:, rows.taste_rater]
    slope = v["slope"][:, None, :] * v["discrimination"][:, rows.rater][:, :, None]
    variance[:, ~own] = (slope * spread[:, :, None] * v["taste_sd"][:, None, :])[:, ~own] ** 2
    centre = slope * centre - v["severity"][:, rows.rater]
    if "category_level" in v:
        centre += v["category_level"][:, e.item_category[rows.item]]
    if "noise" in v:
        variance += v["noise"][:, rows.rater][:, :, None] ** 2
    return np.stack(
        [panel_shares(centre[s], variance[s], rows.weight, rows.item, v["threshold"][s], n_items) for s in range(n)]
    )


class _PanelRows:
    """Rows (rater, item) of a panel: item, rater, taste rater, row of the utilities or -1, weight."""

    def __init__(self, rows: list[tuple[int, int, int, int, float]]) -> None:
        table = np.array([row[:4] for row in rows], dtype=np.int64).reshape(-1, 4)
        self.item, self.rater, self.taste_rater, self.utility = (np.ascontiguousarray(part) for part in table.T)
        self.weight = np.array([row[4] for row in rows])


def _panel_rows(e: Encoding) -> _PanelRows:
    rows = []
    place = 0
    ratings = e.ratings
    if ratings is None:
        raise ArgumentError("a panel's scores need ratings")
    units = {}
    for unit in e.units:
        units[e.taste_raters[unit.taste_rater], unit.category] = (
            unit.taste_rater,
            {int(item): place + k for k, item in enumerate(unit.items)},
        )
        place += len(unit.items)
    for c in range(len(e.categories)):
        members = np.unique(ratings.rater[ratings.category == c]).tolist()
        for r in members:
            taste_rater, at = units[e.rating_raters[r], c]
            rows += [
                (item, r, taste_rater, at.get(item, -1), 1 / len(members))
                for item in range(int(e.item_start[c]), int(e.item_start[c + 1]))
            ]
    return _PanelRows(rows)
