"""plan_study: what a study will give, as a function of raters, ratings, comparisons and the minutes they take."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_count, check_positive, check_probability
from ppaint_stats.errors import ArgumentError
from ppaint_stats.priors import Priors
from ppaint_stats.progress import track
from ppaint_stats.report import Report
from ppaint_stats.scale import RatingScale
from ppaint_stats.seeds import describe_seed, split_seed
from ppaint_stats.simulation_design import PPaintDesign
from ppaint_stats.study import Study
from ppaint_stats.typing import RandomSeed, Target

if TYPE_CHECKING:
    from ppaint_stats.fusion import Fusion
    from ppaint_stats.planning.designs import Design
    from ppaint_stats.planning.outlook import Outlook
    from ppaint_stats.planning.worlds import World

_RANGE = (0.1, 0.9)


@dataclass(frozen=True, eq=False, repr=False)
class StudyPlan(Report):
    """A plan: a report whose tables are designs, the frontier, and the recommended ones.

    ``designs`` has a row per design: ``who`` judges ("new" raters, or the "same" ones as in a pilot that is kept),
    ``raters``, ``ratings_per_item`` and ``pairs_per_rater`` of each of them, ``ratings``, ``comparisons``, ``minutes``,
    ``hours``; mean widths of the intervals by target, ``width_population``, ``width_relative`` and, where asked for,
    ``width_panel``; ``width_low`` and ``width_high``, between which the width of the target lies in 8 of 10 worlds;
    ``srcc``, ``pairs_right``, ``best_right``; ``frontier``, whether no design as cheap has narrower intervals.
    """

    @property
    def designs(self) -> pd.DataFrame:
        """All designs."""
        return self.tables["designs"]

    @property
    def frontier(self) -> pd.DataFrame:
        """Designs that nothing as cheap matches, the cheapest first."""
        return self.tables["frontier"]

    @property
    def recommended(self) -> pd.DataFrame:
        """Answers to the questions asked."""
        return self.tables["recommended"]


def plan_study(
    *,
    n_items: int | None = None,
    n_dimensions: int | None = None,
    scale: RatingScale | tuple[float, ...] | None = None,
    design: PPaintDesign | None = None,
    pilot: "Fusion | None" = None,
    pilot_study: Study | None = None,
    category: str | None = None,
    priors: Priors | None = None,
    n_raters: Sequence[int] = (3, 5, 8, 12),
    ratings_per_item: Sequence[int] = (0, 1, 2),
    pairs_per_rater: Sequence[int] | None = None,
    minutes_per_rating: float = 0.5,
    minutes_per_comparison: float = 0.25,
    minutes_per_rater: float = 0.0,
    budget_minutes: float | None = None,
    target_width: float | None = None,
    target_srcc: float | None = None,
    target: Target = "population",
    interval_prob: float = 0.9,
    first_estimate_sd: float = 0.5,
    n_worlds: int = 8,
    random_seed: RandomSeed = 0,
    progressbar: bool = True,
) -> StudyPlan:
    r"""Plan a study: expected widths of intervals and accuracy of the ranking, against raters' minutes.

    Nothing is fitted: what judgments are expected to tell is computed, for `fuse_bayes`, in a fraction of a second a
    design. What is assumed of items and raters comes from a simulated design, from a pilot or, without either, from the
    joint model's priors, which are vague: a small pilot is worth more than any of them.

    Parameters
    ----------
    n_items
        Items, of one category. May be left out with a design or a pilot.
    n_dimensions
        Dimensions, all judged together; 1 unless a design or a pilot says otherwise.
    scale
        Rating scale; 1 to 5 in steps of 1 unless a design or a pilot says otherwise.
    design
        Simulated design whose quantities are assumed; its numbers of raters and pairs are not used.
    pilot
        Bayesian fusion of a smaller study: its posterior is assumed.
    pilot_study
        The study of which `pilot` is the fusion. Its judgments are then kept, of one category: designs come on top
        of them, by the same raters or by new ones. Without it new items are planned for.
    category
        The pilot's category whose judgments are kept, where there are several.
    priors
        Priors of the fit, and the assumptions where there is neither design nor pilot.
    n_raters
        Numbers of new raters to try.
    ratings_per_item
        How often each rater rates every item, values to try.
    pairs_per_rater
        Different pairs that each rater compares, values to try; by default 0 and 2, 4, 8 and 16 times the items.
    minutes_per_rating, minutes_per_comparison
        Minutes to rate one item, and to compare one pair, on all dimensions together.
    minutes_per_rater
        Minutes that a new rater costs before the first judgment.
    budget_minutes
        Minutes of raters' time to spend. Designs that spend it to the end are tried as well.
    target_width
        Mean width of the intervals to be reached, in points of the scale.
    target_srcc
        Rank correlation with the truth to be reached.
    target
        Whose scores; see `fuse_bayes`.
    interval_prob
        Probability of the intervals.
    first_estimate_sd
        Noise of the first estimate by which pairs are chosen, in standard deviations of the items.
    n_worlds
        Draws of items, raters and, with priors or a pilot, of the quantities assumed, to average over.
    random_seed
        Seed of the draws. Designs share them, so that their differences are not noise.
    progressbar
        Whether to show progress, if standard error is a terminal.

    Returns
    -------
    StudyPlan
        Tables ``designs``, ``frontier`` and ``recommended``, and what they say in words.

    Raises
    ------
    ArgumentError
        If an argument is not allowed, or arguments contradict each other.

    Notes
    -----
    A rater's utilities are :math:`u = \theta + t`, t the rater's taste. With :math:`I_r` the expected Fisher
    information of the rater's comparisons (Davidson's model with ties) and ratings (cumulative logit) on u, they tell
    :math:`(T + I_r^{-1})^{-1}` of the consensus; severities, discrimination, sharpness, thresholds and slope are
    unknown and integrated out, lapses are weighed as the fit would. A score's variance follows by the derivatives of
    the expected rating by a new rater. The panel's mean severity, of which judgments tell nothing, adds a mixture of
    :math:`N(0, \sigma_b^2 / R)` over what R raters are expected to tell of :math:`\sigma_b`: hence the long tails where
    raters are few.

    Examples
    --------
    >>> design = PPaintDesign(n_items=20, n_pairs=60, dimensions=("overall",))
    >>> plan = plan_study(design=design, n_raters=(3, 6), pairs_per_rater=(0, 60), budget_minutes=120, n_worlds=2)
    >>> bool(plan.recommended["minutes"].max() <= 120)
    True
    >>> plan.designs.groupby("raters")["width_population"].min().is_monotonic_decreasing
    True
    """
    _check_numbers(
        minutes_per_rating=minutes_per_rating, minutes_per_comparison=minutes_per_comparison,
        minutes_per_rater=minutes_per_rater, first_estimate_sd=first_estimate_sd,
    )  # fmt: skip
    check_probability("interval_prob", interval_prob)
    check_count("n_worlds", n_worlds, 1)
    for name, value in (("budget_minutes", budget_minutes), ("target_width", target_width)):
        if value is not None:
            check_positive(name, value)
    if target_srcc is not None:
        check_probability("target_srcc", target_srcc)
    if target not in get_args(Target.__value__):
        raise ArgumentError(f"target={target!r} is not one of {list(get_args(Target.__value__))}")
    from ppaint_stats.planning import designs as choices
    from ppaint_stats.planning.sources import build_worlds, resolve_source
    from ppaint_stats.planning.words import write_plan
    from ppaint_stats.planning.worlds import Load

    priors = Priors() if priors is None else priors
    source = resolve_source(
        n_items=n_items, n_dimensions=n_dimensions, scale=scale, design=design, pilot=pilot, pilot_study=pilot_study,
        category=category, priors=priors,
    )  # fmt: skip
    costs = choices.Costs(minutes_per_rating, minutes_per_comparison, minutes_per_rater)
    tried = choices.list_designs(
        n_items=source.n_items, n_raters=n_raters, n_old=source.n_kept, ratings_per_item=ratings_per_item,
        pairs_per_rater=pairs_per_rater, costs=costs, budget=budget_minutes,
    )  # fmt: skip
    if source.n_kept:
        tried.insert(0, choices.Design(choices.SAME, source.n_kept, Load(0, 0)))
    (seed,) = split_seed(random_seed, 1)
    most = max((one.n_raters for one in tried if one.who == choices.NEW), default=0)
    worlds = build_worlds(
        source, n_worlds=n_worlds, n_raters=most, first_estimate_sd=first_estimate_sd, interval_prob=interval_prob,
        seed=seed,
    )  # fmt: skip
    found: list[list[Outlook]] = [[] for _ in tried]
    for world in track(worlds, total=len(worlds), description="planning", progressbar=progressbar, patience=1.0):
        for place, outlook in zip(
            found, _foresee_all(world, tried, priors, source.scale, interval_prob, target == "panel"), strict=True
        ):
            place.append(outlook)
    table = choices.describe_designs(tried, n_items=source.n_items, costs=costs)
    width = f"width_{target}"
    table = pd.concat([table, pd.DataFrame([_average(row, target) for row in found])], axis=1)
    if target != "panel":
        table = table.drop(columns="width_panel")
    table["frontier"] = choices.mark_frontier(table, by=width, smaller=True)
    recommended = choices.recommend(
        table, width=width, budget=budget_minutes, target_width=target_width, target_srcc=target_srcc
    )
    facts: dict[str, object] = {
        "n_items": source.n_items,
        "n_dimensions": source.n_dimensions,
        "scale": str(source.scale),
        "source": source.kind,
        "pilot_kept": bool(source.n_kept),
        "minutes_per_rating": minutes_per_rating,
        "minutes_per_comparison": minutes_per_comparison,
        "minutes_per_rater": minutes_per_rater,
        "budget_minutes": budget_minutes,
        "target": target,
        "interval_prob": interval_prob,
        "first_estimate_sd": first_estimate_sd,
        "n_worlds": n_worlds,
        "random_seed": describe_seed(random_seed),
    }
    frontier = table[table["frontier"]].sort_values("minutes", kind="stable").reset_index(drop=True)
    tables = {"recommended": recommended, "frontier": frontier.drop(columns="frontier"), "designs": table}
    text = write_plan(table, recommended, width=width, facts=facts, source=source.words)
    return StudyPlan("Plan of a study", tables, text, settings=facts)


def _check_numbers(**numbers: float) -> None:
    for name, value in numbers.items():
        try:
            fine = 0 <= float(value) < float("inf")
        except (TypeError, ValueError):
            fine = False
        if not fine:
            raise ArgumentError(f"{name}={value!r} must be a finite number of at least 0")


def _foresee_all(
    world: "World", tried: "list[Design]", priors: Priors, scale: RatingScale, interval_prob: float, with_panel: bool
) -> "list[Outlook]":
    """Look ahead at every design in one world; raters' information is computed once for all designs that share it."""
    from ppaint_stats.planning.designs import NEW
    from ppaint_stats.planning.worlds import Load, Seen, foresee

    known = Seen()
    nothing = Load(0, 0)
    return [
        foresee(
            world, n_new=one.n_raters if one.who == NEW else 0, new_load=one.load if one.who == NEW else nothing,
            old_load=nothing if one.who == NEW else one.load, priors=priors, scale=scale,
            interval_prob=interval_prob, with_panel=with_panel, known=known,
        )
        for one in tried
    ]  # fmt: skip


def _average(outlooks: "list[Outlook]", target: str) -> dict[str, float]:
    """Average a design's outlooks over worlds."""
    own = np.array([outlook.width[target] for outlook in outlooks])
    low, high = np.quantile(own, _RANGE) if np.isfinite(own).all() else (np.nan, np.nan)
    names = list(outlooks[0].width)
    return {
        **{f"width_{name}": float(np.mean([o.width[name] for o in outlooks])) for name in names},
        "width_low": float(low),
        "width_high": float(high),
        **{name: float(np.mean([getattr(o.ranking, name) for o in outlooks])) for name in asdict(outlooks[0].ranking)},
    }
