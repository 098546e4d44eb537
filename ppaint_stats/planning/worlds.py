"""Worlds: items and raters drawn from the assumptions, among whom a design's judgments would be made."""

from dataclasses import dataclass, field, replace

import numpy as np

from ppaint_stats.design import locally_dense_pairs
from ppaint_stats.planning.assumptions import Assumptions
from ppaint_stats.planning.information import Habits, RaterInformation, Tasks, inform
from ppaint_stats.planning.outlook import Consensus, Derivatives, Outlook, Panel, look_ahead
from ppaint_stats.planning.tastes import absorb_tastes
from ppaint_stats.priors import Priors
from ppaint_stats.scale import RatingScale
from ppaint_stats.seeds import split_seed
from ppaint_stats.typing import FloatArray


@dataclass(frozen=True)
class Seen:
    """What designs seen before share with the next: raters' information, and scores' derivatives."""

    raters: dict[tuple[object, ...], RaterInformation] = field(default_factory=dict)
    slopes: dict[tuple[bool, bool], Derivatives] = field(default_factory=dict)


@dataclass(frozen=True)
class Crew:
    """Raters of one world: utilities of shape (item, dimension) and habits of each."""

    utilities: list[FloatArray]
    habits: list[Habits]


@dataclass(frozen=True, kw_only=True)
class World:
    """One draw of everything that judgments depend on.

    Parameters
    ----------
    assumed
        Quantities of the joint model.
    consensus
        True utilities of the items, and what is known of them beforehand.
    crew
        New raters, as many as the largest design asks for.
    first_estimate
        What pairs are chosen by, shape (item,).
    old_crew, old_tasks
        Raters of a pilot that is kept, and what they judged.
    seed
        Seed of the pairs and of the ranking.
    """

    assumed: Assumptions
    consensus: Consensus
    crew: Crew
    first_estimate: FloatArray
    seed: np.random.SeedSequence
    old_crew: Crew = field(default_factory=lambda: Crew([], []))
    old_tasks: tuple[Tasks, ...] = ()


def draw_crew(theta: FloatArray, assumed: Assumptions, n_raters: int, rng: np.random.Generator) -> Crew:
    """Draw raters one after the other, so that a smaller panel is part of a larger one."""
    n_items, n_dims = theta.shape
    values, vectors = np.linalg.eigh(assumed.taste_cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    utilities, habits = [], []
    for _ in range(n_raters):
        draw = rng.standard_normal
        spread = float(np.exp(assumed.taste_spread_sd * draw()))
        taste = spread * draw((n_items, n_dims)) @ root
        utilities.append(theta + taste - taste.mean(axis=0))
        log_nu = assumed.tie_mean + assumed.tie_sd * draw() + assumed.tie_dimension_sd * draw(n_dims)
        severity = assumed.severity_sd * draw() + assumed.severity_dimension_sd * draw(n_dims)
        habits.append(
            Habits(
                taste_spread=spread,
                sharpness=float(np.exp(assumed.sharpness_sd * draw())),
                discrimination=float(np.exp(assumed.discrimination_sd * draw())),
                log_nu=np.asarray(log_nu),
                severity=np.asarray(severity),
                position=float(assumed.position_mean + assumed.position_sd * draw()),
                noise=float((assumed.noise_mean or 1.0) * np.exp(assumed.noise_sd * draw())),
            )
        )
    return Crew(utilities, habits)


def draw_world(
    assumed: Assumptions, *, n_items: int, n_raters: int, first_estimate_sd: float, seed: np.random.SeedSequence
) -> World:
    """Draw new items and new raters.

    Parameters
    ----------
    assumed
        Quantities of the joint model.
    n_items, n_raters
        How many.
    first_estimate_sd
        Noise of the first estimate that pairs are chosen by, in spreads of the items.
    seed
        Seed.

    Returns
    -------
    World
        The world.
    """
    item_seed, rater_seed, own_seed = split_seed(seed, 3)
    rng = np.random.default_rng(item_seed)
    values, vectors = np.linalg.eigh(assumed.item_cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    theta = rng.standard_normal((n_items, assumed.n_dimensions)) @ root
    theta = theta - theta.mean(axis=0)
    overall = theta.mean(axis=1)
    first = overall + first_estimate_sd * overall.std() * rng.standard_normal(n_items)
    crew = draw_crew(theta, assumed, n_raters, np.random.default_rng(rater_seed))
    consensus = Consensus(theta, np.empty(0), np.empty((0, 0)))
    return World(assumed=assumed, consensus=consensus, crew=crew, first_estimate=first, seed=own_seed)


@dataclass(frozen=True)
class Load:
    """What a design asks of each rater who works: ratings of each item, and different pairs to compare."""

    ratings_per_item: int
    n_pairs: int


def assign(load: Load, world: World) -> Tasks:
    """Give a rater's tasks: the same pairs for all, each shown in either order."""
    n_items = len(world.first_estimate)
    rated = np.full(n_items, float(load.ratings_per_item))
    if not load.n_pairs:
        none = np.empty(0, dtype=np.int64)
        return Tasks(none, none, np.empty(0), rated)
    order = np.argsort(-world.first_estimate).astype(str)
    pairs = locally_dense_pairs(order, n_pairs=load.n_pairs, random_seed=world.seed).astype(np.int64)
    a, b = pairs["item_a"].to_numpy(), pairs["item_b"].to_numpy()
    turn = np.arange(len(a)) % 2 == 1
    return Tasks(np.where(turn, b, a), np.where(turn, a, b), np.ones(len(a)), rated)


def foresee(
    world: World,
    *,
    n_new: int,
    new_load: Load,
    old_load: Load,
    priors: Priors,
    scale: RatingScale,
    interval_prob: float,
    with_panel: bool,
    known: Seen,
) -> Outlook:
    """Look ahead at one design in one world.

    Parameters
    ----------
    world
        The world.
    n_new
        New raters.
    new_load, old_load
        What each of them, and each rater of a kept pilot, judges (for the latter: beyond the pilot).
    priors, scale, interval_prob, with_panel
        As `look_ahead` takes them.
    known
        What designs seen before in this world share with this one; it is read and added to.

    Returns
    -------
    Outlook
        Widths and ranking.
    """
    new_tasks, more_tasks = assign(new_load, world), assign(old_load, world)
    tasks = [tasks.join(more_tasks) for tasks in world.old_tasks] + [new_tasks] * n_new
    utilities = world.old_crew.utilities + world.crew.utilities[:n_new]
    habits = world.old_crew.habits + world.crew.habits[:n_new]
    assumed, consensus = world.assumed, world.consensus
    plain = not any(task.has_taste for task in tasks)
    factor = np.ones(consensus.theta.size - consensus.theta.shape[1])
    if plain:  # nothing tells tastes from noise, and the joint model leaves them to it
        absorbed = absorb_tastes(assumed, compares=any(task.compares for task in tasks))
        assumed, habits = absorbed.assumed, [absorbed.absorb_habits(rater) for rater in habits]
        shrunk = consensus.theta / absorbed.utility_factor
        factor = np.repeat(absorbed.utility_factor, len(shrunk) - 1)
        cov = consensus.cov / np.outer(factor, factor) if consensus.cov.size else consensus.cov
        consensus = Consensus(shrunk, consensus.mean / factor if consensus.mean.size else consensus.mean, cov)
        utilities = [shrunk] * len(tasks)
    informed = []
    for k, (u, rater, task) in enumerate(zip(utilities, habits, tasks, strict=True)):
        load = old_load if k < len(world.old_tasks) else new_load
        key = (k - len(world.old_tasks), load, plain and task.compares, plain)
        if key not in known.raters:
            known.raters[key] = inform(u, rater, task, assumed, priors, settle=with_panel)
        informed.append(known.raters[key])
    kind = plain, plain and any(task.compares for task in tasks)
    if kind not in known.slopes:
        known.slopes[kind] = Derivatives.of(consensus.theta, assumed, scale)
    outlook = look_ahead(
        Panel(habits, tasks, informed), consensus, assumed, priors, scale,
        interval_prob=interval_prob, with_panel=with_panel and not plain, slopes=known.slopes[kind],
        rng=np.random.default_rng(world.seed),
    )  # fmt: skip
    return replace(outlook, covariance=outlook.covariance * np.outer(factor, factor))
