"""Where a plan's assumptions come from: a simulated design, a pilot, or priors; and the worlds drawn from them."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ppaint_stats.arguments import check_count
from ppaint_stats.errors import ArgumentError
from ppaint_stats.planning.assumptions import assume_design, draw_from_priors
from ppaint_stats.planning.pilot import choose_category, draw_from_pilot, keep_pilot, name_gaps, read_posterior
from ppaint_stats.planning.worlds import Load, Seen, World, draw_world, foresee
from ppaint_stats.priors import Priors
from ppaint_stats.scale import RatingScale
from ppaint_stats.seeds import split_seed
from ppaint_stats.simulation_design import PPaintDesign
from ppaint_stats.study import Study

if TYPE_CHECKING:
    from ppaint_stats.fusion import Fusion

_DEFAULT_SCALE = RatingScale(1, 5, 1)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is assumed, in which words, of how many items; ``n_kept`` raters of a pilot go on, or none."""

    kind: str
    words: str
    n_items: int
    n_dimensions: int
    scale: RatingScale
    priors: Priors
    design: PPaintDesign | None = None
    pilot: "Fusion | None" = None
    pilot_study: Study | None = None
    category: str | None = None
    n_kept: int = 0


def resolve_source(
    *,
    n_items: int | None,
    n_dimensions: int | None,
    scale: RatingScale | tuple[float, ...] | None,
    design: PPaintDesign | None,
    pilot: "Fusion | None",
    pilot_study: Study | None,
    category: str | None,
    priors: Priors,
) -> Source:
    """Check what a plan is to rest on; arguments as those of `plan_study`."""
    if design is not None and pilot is not None:
        raise ArgumentError("design and pilot are two sources of assumptions; give one of them")
    if pilot_study is not None and pilot is None:
        raise ArgumentError("pilot_study goes with pilot=fuse_bayes(pilot_study)")
    if category is not None and pilot_study is None:
        raise ArgumentError("category names the pilot's items that are kept, and needs pilot_study")
    if n_items is not None:
        check_count("n_items", n_items, 3)
    if n_dimensions is not None:
        check_count("n_dimensions", n_dimensions, 1)
    known = "design" if design is not None else "pilot" if pilot is not None else None
    if known and n_dimensions is not None:
        raise ArgumentError(f"n_dimensions comes from the {known}; leave it out")
    if known and scale is not None and not (pilot is not None and pilot.scale is None):
        raise ArgumentError(f"scale comes from the {known}; leave it out")
    own_scale = _DEFAULT_SCALE if scale is None else RatingScale.parse(scale)
    if design is not None:
        return Source(
            kind="design",
            words="a simulated design",
            n_items=design.n_items if n_items is None else n_items,
            n_dimensions=len(design.dimensions),
            scale=design.rating_scale,
            priors=priors,
            design=design,
        )
    if pilot is not None:
        return _resolve_pilot(pilot, pilot_study, category, n_items, own_scale, priors)
    if n_items is None:
        raise ArgumentError("n_items is missing: how many items are to be scored?")
    return Source(
        kind="priors",
        words="the joint model's default priors, which are vague" if priors == Priors() else "the priors given",
        n_items=n_items,
        n_dimensions=1 if n_dimensions is None else n_dimensions,
        scale=own_scale,
        priors=priors,
    )


def _resolve_pilot(
    pilot: "Fusion", study: Study | None, category: str | None, n_items: int | None, scale: RatingScale, priors: Priors
) -> Source:
    data = read_posterior(pilot)
    gaps = name_gaps(pilot)
    words = "the pilot's posterior" + (f" (of {', '.join(gaps)} it says nothing: the priors do)" if gaps else "")
    n_kept = 0
    sizes = np.unique(np.asarray(data["item_category"]), return_counts=True)[1]
    if study is not None:
        category = choose_category(pilot, category)
        own = int((np.asarray(data["item_category"]) == category).sum())
        if n_items not in (None, own):
            raise ArgumentError(f"n_items={n_items}: the pilot's judgments are kept, and it has {own} items")
        n_items, n_kept = own, len(study.select(categories=category).raters)
    return Source(
        kind="pilot",
        words=words,
        n_items=round(float(sizes.mean())) if n_items is None else n_items,
        n_dimensions=int(data.sizes["dimension"]),
        scale=scale if pilot.scale is None else pilot.scale,
        priors=priors,
        pilot=pilot,
        pilot_study=study,
        category=category,
        n_kept=n_kept,
    )


def build_worlds(
    source: Source,
    *,
    n_worlds: int,
    n_raters: int,
    first_estimate_sd: float,
    interval_prob: float,
    seed: np.random.SeedSequence,
) -> list[World]:
    """Draw worlds.

    Parameters
    ----------
    source
        What they are drawn from.
    n_worlds, n_raters
        How many worlds, and new raters in each.
    first_estimate_sd
        Noise of the first estimate.
    interval_prob
        Of no influence on worlds; a kept pilot is looked at through the same function as designs.
    seed
        Seed.

    Returns
    -------
    list of World
        Worlds.
    """
    world_seed, draw_seed = split_seed(seed, 2)
    seeds = split_seed(world_seed, n_worlds)
    if source.pilot is None:
        rng = np.random.default_rng(draw_seed)
        drawn = [
            assume_design(source.design)
            if source.design is not None
            else draw_from_priors(source.priors, source.scale, source.n_dimensions, rng)
            for _ in range(n_worlds)
        ]
    else:
        draws = draw_from_pilot(source.pilot, source.priors, n_worlds, seed=draw_seed)
        if source.pilot_study is not None and source.category is not None:
            kept = keep_pilot(
                source.pilot, source.pilot_study, draws, category=source.category, n_raters=n_raters, seed=world_seed
            )
            return [_weigh_pilot(world, source, interval_prob) for world in kept]
        drawn = [draw.assumed for draw in draws]
    return [
        draw_world(one, n_items=source.n_items, n_raters=n_raters, first_estimate_sd=first_estimate_sd, seed=own)
        for one, own in zip(drawn, seeds, strict=True)
    ]


def _weigh_pilot(world: World, source: Source, interval_prob: float) -> World:
    """Find what the pilot alone tells of the consensus."""
    nothing = Load(0, 0)
    alone = foresee(
        world, n_new=0, new_load=nothing, old_load=nothing, priors=source.priors, scale=source.scale,
        interval_prob=interval_prob, with_panel=False, known=Seen(),
    )  # fmt: skip
    return replace(world, consensus=replace(world.consensus, cov=alone.covariance))
