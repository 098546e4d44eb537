"""What a pilot tells: draws of its posterior as assumptions, and its items, raters and judgments if kept."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ppaint_stats.columns import CATEGORY, COUNT, ITEM, ITEM_A, ITEM_B, RATER
from ppaint_stats.errors import ArgumentError
from ppaint_stats.planning.assumptions import Assumptions, draw_from_priors
from ppaint_stats.planning.contrasts import contrast_basis
from ppaint_stats.planning.information import Habits, Tasks
from ppaint_stats.planning.outlook import Consensus
from ppaint_stats.planning.worlds import Crew, World, draw_crew
from ppaint_stats.priors import Priors
from ppaint_stats.scale import RatingScale
from ppaint_stats.seeds import split_seed
from ppaint_stats.simulation_design import LOGISTIC_SD
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import xarray as xr

    from ppaint_stats.fusion import Fusion

_LACKING = {
    "sharpness": "comparisons",
    "tie_mean": "ties",
    "taste_sd": "tastes",
    "severity": "ratings",
}


@dataclass(frozen=True)
class PilotDraw:
    """One draw: assumptions, all quantities by name, and the factors by which utilities and ratings' logits grew."""

    assumed: Assumptions
    values: dict[str, FloatArray]
    utility_factor: FloatArray
    rating_factor: FloatArray


def read_posterior(pilot: "Fusion") -> "xr.Dataset":
    """Return a pilot's posterior, or say that there is none."""
    if pilot.posterior is None:
        raise ArgumentError(f"pilot: a fusion by {pilot.method!r} holds no posterior; use one made by fuse_bayes")
    return pilot.posterior["posterior"].to_dataset()


def name_gaps(pilot: "Fusion") -> tuple[str, ...]:
    """Say what a pilot tells nothing of."""
    held = read_posterior(pilot)
    return tuple(words for name, words in _LACKING.items() if name not in held)


def draw_from_pilot(pilot: "Fusion", priors: Priors, n_draws: int, *, seed: np.random.SeedSequence) -> list[PilotDraw]:
    """Take draws of a pilot's posterior, evenly spaced; what the pilot says nothing of is drawn from the priors.

    Parameters
    ----------
    pilot
        A Bayesian fusion.
    priors
        Priors of what it lacks.
    n_draws
        Number of draws.
    seed
        Seed of the latter.

    Returns
    -------
    list of PilotDraw
        Draws.
    """
    data = read_posterior(pilot)
    n_all = data.sizes["chain"] * data.sizes["draw"]
    chosen = np.linspace(0, n_all - 1, n_draws).round().astype(int)
    arrays = {str(name): np.asarray(v).reshape(n_all, *v.shape[2:])[chosen] for name, v in data.data_vars.items()}
    scale = pilot.scale if pilot.scale is not None else RatingScale(1, 5, 1)
    rng = np.random.default_rng(seed)
    found = []
    for k in range(n_draws):
        at = {name: np.asarray(array[k], dtype=np.float64) for name, array in arrays.items()}
        found.append(_merge(at, draw_from_priors(priors, scale, data.sizes["dimension"], rng)))
    return found


def _merge(at: dict[str, FloatArray], prior: Assumptions) -> PilotDraw:
    n_dims = prior.n_dimensions

    def take(name: str, other: float) -> float:
        return float(at[name]) if name in at else other

    def cov(kind: str, other: FloatArray) -> FloatArray:
        sd = at.get(f"{kind}_sd")
        return other if sd is None else at[f"{kind}_correlation"] * np.outer(sd, sd)

    compared, rated = "sharpness" in at, "severity_sd" in at
    assumed = Assumptions(
        item_cov=cov("item", prior.item_cov),
        taste_cov=cov("taste", prior.taste_cov),
        taste_spread_sd=take("taste_spread_sd", prior.taste_spread_sd),
        sharpness_sd=take("sharpness_sd", prior.sharpness_sd),
        discrimination_sd=take("discrimination_sd", prior.discrimination_sd),
        tie_mean=take("tie_mean", -20.0 if compared else prior.tie_mean),  # compared without a tie: there are none
        tie_sd=take("tie_sd", prior.tie_sd),
        tie_dimension_sd=take("tie_dimension_sd", 0.0 if compared else prior.tie_dimension_sd),
        position_mean=take("position_mean", prior.position_mean),
        position_sd=take("position_sd", prior.position_sd),
        slope=at["slope"] if compared and rated else prior.slope,
        severity_sd=take("severity_sd", prior.severity_sd),
        severity_dimension_sd=take("severity_dimension_sd", 0.0 if rated else prior.severity_dimension_sd),
        threshold=at["threshold"].reshape(n_dims, -1) if rated else prior.threshold,
        noise_mean=take("noise_mean", prior.noise_mean) if prior.noise_mean is not None else None,
        noise_sd=take("noise_sd", prior.noise_sd),
        lapse=float(at["lapse"].mean()) if "lapse" in at else prior.lapse,
    )
    return _restore_tastes(assumed, at, compared=compared, rated=rated)


def _restore_tastes(assumed: Assumptions, at: dict[str, FloatArray], *, compared: bool, rated: bool) -> PilotDraw:
    """Undo what a pilot without tastes has absorbed into its noise, and put utilities on the preferences' scale.

    The inverse of `absorb_tastes`: see there.
    """
    utility, rating = np.ones(assumed.n_dimensions), np.ones(assumed.n_dimensions)
    noise = LOGISTIC_SD**2
    slope, taste = assumed.slope, np.diag(assumed.taste_cov)
    ordinal = assumed.noise_mean is None
    if "taste_sd" in at:
        if not compared:  # ratings repeated: utilities in rating logits, and a slope from the prior
            utility = 1 / slope
            assumed = replace(assumed, taste_cov=assumed.taste_cov * np.outer(utility, utility))
    elif not compared:
        rating = np.sqrt(1 + slope**2 * taste / noise) if ordinal else rating
        utility = rating / slope
    else:
        utility = np.sqrt(1 + 2 * taste / noise)
        if rated:
            ratio = assumed.slope / utility
            # No slope, however steep, gives ratings less noise than the tastes: the ratio has a limit.
            slope = ratio / np.sqrt(np.maximum(1 - ratio**2 * taste / noise, 0.1)) if ordinal else ratio
            rating = slope / ratio
    assumed = replace(
        assumed,
        item_cov=assumed.item_cov * np.outer(utility, utility),
        slope=slope,
        threshold=assumed.threshold * rating[:, None],
        severity_sd=assumed.severity_sd * float(rating.mean()),
        severity_dimension_sd=assumed.severity_dimension_sd * float(rating.mean()),
    )
    return PilotDraw(assumed, at, utility, rating)


def choose_category(pilot: "Fusion", category: str | None) -> str:
    """Name the category whose items are planned for."""
    known = pilot.scores[CATEGORY].unique().tolist()
    if category is None and len(known) == 1:
        return str(known[0])
    if category not in known:
        raise ArgumentError(f"category={category!r}: name the one whose judgments are kept; the pilot holds {known}")
    return str(category)


def keep_pilot(
    pilot: "Fusion", study: Study, draws: list[PilotDraw], *, category: str, n_raters: int, seed: np.random.SeedSequence
) -> list[World]:
    """Build worlds of a pilot's own items, with its raters and judgments.

    Parameters
    ----------
    pilot
        A Bayesian fusion.
    study
        The study that was fused.
    draws
        Draws of its posterior.
    category
        Whose items.
    n_raters
        New raters to draw.
    seed
        Seed.

    Returns
    -------
    list of World
        A world for each draw. What is known of the consensus beforehand holds its mean; the covariance is left to the
        caller.

    Raises
    ------
    ArgumentError
        If the study is not the pilot's, or its comparisons bear no rater.
    """
    data = read_posterior(pilot)
    rows = np.flatnonzero(np.asarray(data["item_category"]) == category)
    items = [str(name) for name in np.asarray(data["item"])[rows]]
    if set(items) != set(study.items(category)):
        raise ArgumentError(f"pilot_study: its items in category {category!r} are not those of the pilot")
    raters, tasks = _list_tasks(study, category, items)
    name = "consensus_rating" if "consensus_rating" in data else "consensus"
    mean = np.asarray(data[name].mean(("chain", "draw")))[rows]
    basis = contrast_basis(len(items))
    worlds = []
    for draw, own in zip(draws, split_seed(seed, len(draws)), strict=True):
        values = draw.values
        theta = values[name][rows] * draw.utility_factor
        theta = theta - theta.mean(axis=0)
        new_seed, old_seed, world_seed = split_seed(own, 3)
        spare = draw_crew(theta, draw.assumed, len(raters), np.random.default_rng(old_seed))
        at = [_find_rater(data, values, draw, spare, k, rater, items, theta) for k, rater in enumerate(raters)]
        before = (basis.T @ (mean * draw.utility_factor)).T.ravel()
        worlds.append(
            World(
                assumed=_shift_level(draw, data, category),
                consensus=Consensus(theta, before, np.empty((0, 0))),
                crew=draw_crew(theta, draw.assumed, n_raters, np.random.default_rng(new_seed)),
                first_estimate=mean.mean(axis=1),
                seed=world_seed,
                old_crew=Crew([u for u, _ in at], [h for _, h in at]),
                old_tasks=tasks,
            )
        )
    return worlds


def _shift_level(draw: PilotDraw, data: "xr.Dataset", category: str) -> Assumptions:
    if "category_level" not in draw.values:
        return draw.assumed
    level = draw.values["category_level"][np.asarray(data["category"]).tolist().index(category)]
    return replace(draw.assumed, threshold=draw.assumed.threshold - (level * draw.rating_factor)[:, None])


def _find_rater(
    data: "xr.Dataset", values: dict[str, FloatArray], draw: PilotDraw, spare: Crew, k: int, rater: str,
    items: list[str], theta: FloatArray,
) -> tuple[FloatArray, Habits]:  # fmt: skip
    """Utilities and habits of a pilot's rater, those of a new one where the pilot does not tell."""
    utilities, habits = spare.utilities[k].copy(), spare.habits[k]
    if "utility" in values:
        row = {item: i for i, item in enumerate(items)}
        owner, what = np.asarray(data["utility_rater"]), np.asarray(data["utility_item"])
        own = [j for j in np.flatnonzero(owner == rater) if what[j] in row]
        utilities[[row[what[j]] for j in own]] = values["utility"][own] * draw.utility_factor

    def find(name: str, dim: str) -> FloatArray | None:
        known = np.asarray(data[dim]).tolist() if name in values else []
        return values[name][known.index(rater)] if rater in known else None

    changes: dict[str, object] = {}
    for field, name, dim in (
        ("sharpness", "sharpness", "preference_rater"), ("log_nu", "log_nu", "preference_rater"),
        ("position", "position", "preference_rater"), ("discrimination", "discrimination", "rating_rater"),
        ("severity", "severity", "rating_rater"), ("noise", "noise", "rating_rater"),
        ("taste_spread", "taste_spread", "taste_rater"),
    ):  # fmt: skip
        value = find(name, dim)
        if value is not None:
            changes[field] = value if value.ndim else float(value)
    if "severity" in changes:
        changes["severity"] = np.asarray(changes["severity"]) * draw.rating_factor
    return utilities - utilities.mean(axis=0) + theta.mean(axis=0), replace(habits, **changes)  # type: ignore[arg-type]


def _list_tasks(study: Study, category: str, items: list[str]) -> tuple[list[str], tuple[Tasks, ...]]:
    """Raters of a category, and what each judged: averaged over dimensions where these differ."""
    one = study.select(categories=category)
    if one.preferences is not None and RATER not in one.preferences:
        raise ArgumentError("pilot_study: its comparisons bear no rater, so that they cannot be kept; leave it out")
    n_dims, place = len(study.dimensions), {item: i for i, item in enumerate(items)}
    tasks = []
    for rater in one.raters:
        a: IntArray = np.empty(0, np.int64)
        b: IntArray = np.empty(0, np.int64)
        count = np.empty(0)
        if one.preferences is not None:
            own = one.preferences[one.preferences[RATER] == rater]
            weight = own.get(COUNT, 1.0)
            pairs = own.assign(n=weight).groupby([ITEM_A, ITEM_B], sort=True)["n"].sum().reset_index()
            a, b = (np.asarray(pairs[name].map(place), dtype=np.int64) for name in (ITEM_A, ITEM_B))
            count = pairs["n"].to_numpy(float) / n_dims
        rated = np.zeros(len(items))
        if one.ratings is not None:
            items_rated = one.ratings.loc[one.ratings[RATER] == rater, ITEM]
            rated = np.bincount(items_rated.map(place).to_numpy(np.int64), minlength=len(items)) / n_dims
        tasks.append(Tasks(a, b, count, rated))
    return list(one.raters), tuple(tasks)
