"""From a study's arrays to those of the compiled density."""

import numpy as np

from ppaint_stats.joint.bases import helmert_basis, mean_basis, panel_basis
from ppaint_stats.joint.encoding import Encoding, find_chance
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.joint.tastes import list_tastes
from ppaint_stats.kernels.joint.data import NAMES, JointData
from ppaint_stats.priors import LogNormal, Priors
from ppaint_stats.typing import FloatArray, IntArray


def prepare_data(encoding: Encoding, layout: Layout, priors: Priors) -> JointData:
    """Gather what the compiled density needs.

    Parameters
    ----------
    encoding
        The study.
    layout
        Its parameters.
    priors
        Priors.

    Returns
    -------
    JointData
        Plain arrays.
    """
    e = encoding
    n_dims = len(e.dimensions)
    own = {name: layout.parameters[name].prior for name in layout.parameters}
    normal = [own.get(name) for name in NAMES]
    sizes = np.array([len(unit.items) for unit in e.units], dtype=np.int64)
    basis, category_basis, unit_basis = _share_bases(e)
    tastes = list_tastes(e)
    n_rich = int(sizes[[unit.rich for unit in e.units]].sum())
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    c, r = e.comparisons, e.ratings
    run, run_group = find_runs(none if c is None else c.rater * n_dims + c.dimension)
    groups, rating_group = none.reshape(0, 2), none
    if r is not None:
        groups, rating_group = np.unique(np.column_stack([r.rater, r.category]), axis=0, return_inverse=True)
    return JointData(
        n_dimensions=n_dims,
        at=layout.starts,
        normal_mean=np.array([0.0 if prior is None else prior.mean for prior in normal]),
        normal_sd=np.array([0.0 if prior is None else prior.sd for prior in normal]),
        eta=float(priors.correlation),
        item_prior=_logs(scale_item_prior(e, priors)),
        taste_prior=_logs(scale_taste_prior(e, priors)),
        centred=np.array(
            [name not in layout.parameters or layout.parameters[name].centred for name in NAMES], np.int64
        ),
        item_start=e.item_start,
        contrast_start=e.item_start - np.arange(len(e.item_start)),
        basis=basis,
        category_basis=category_basis,
        unit_basis=unit_basis,
        unit_row=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        unit_column=_columns(e),
        unit_category=np.array([unit.category for unit in e.units], dtype=np.int64),
        unit_taste=np.array([unit.taste_rater for unit in e.units], dtype=np.int64),
        unit_preference=np.array([unit.preference_rater for unit in e.units], dtype=np.int64),
        unit_full=np.array([unit.full for unit in e.units], dtype=np.int64),
        unit_rich=np.array([unit.rich for unit in e.units], dtype=np.int64),
        row_item=e.row_item,
        plain_rater=e.plain_rater,
        plain_item=e.plain_item,
        row_pattern=np.concatenate([np.full(n_rich, -1), tastes.row_pattern]).astype(np.int64),
        row_taste=np.concatenate([np.zeros(n_rich), tastes.row_start]).astype(np.int64),
        pattern_size=tastes.pattern_size,
        pattern_dimension=tastes.pattern_dimension,
        pair_a=(none if c is None else c.row_a * n_dims + c.dimension).astype(np.int32),
        pair_b=(none if c is None else c.row_b * n_dims + c.dimension).astype(np.int32),
        pair_outcome=(none if c is None else c.outcome).astype(np.int8),
        pair_weight=nothing if c is None or bool((c.weight == 1).all()) else c.weight,
        pair_run=run,
        run_group=run_group,
        run_rater=run_group // n_dims,
        rating_place=none if r is None else r.row * n_dims + r.dimension,
        rating_item=none if r is None else r.item * n_dims + r.dimension,
        rating_dimension=none if r is None else r.dimension,
        rating_group=np.ravel(rating_group).astype(np.int64),
        rating_rater=none if r is None else r.rater,
        rating_level=none if r is None or not e.levels else r.answer.astype(np.int64),
        rating_answer=nothing if r is None else r.answer,
        rating_chance=nothing if r is None or e.levels else find_chance(r.answer),
        preference_lapse=np.array([e.raters.index(name) for name in e.preference_raters], dtype=np.int64),
        rating_lapse=np.array([e.raters.index(name) for name in e.rating_raters], dtype=np.int64),
        group_rater=np.ascontiguousarray(groups[:, 0]),
        group_category=np.ascontiguousarray(groups[:, 1]),
        group_preference=_group_preference(e, groups),
        sharpness_basis=mean_basis(len(e.preference_raters)),
        spread_basis=helmert_basis(len(e.taste_raters)),
        discrimination_basis=mean_basis(len(e.rating_raters)),
        panel_basis=panel_basis(e.rating_panel),
        level_basis=helmert_basis(len(e.categories)),
        n_gaps=e.levels - 2 if e.levels else -1,
    )


def find_runs(group: IntArray) -> tuple[IntArray, IntArray]:
    """Where runs of equal values start, with the number of values as the last entry; and the value of each run."""
    start = np.flatnonzero(np.diff(group, prepend=-1))
    return np.append(start, len(group)).astype(np.int64), group[start]


def scale_item_prior(encoding: Encoding, priors: Priors) -> LogNormal:
    """Prior of the items' spread; with ratings alone on the scale of ratings, where the slope is 1."""
    return _scale(encoding, priors, priors.item_sd)


def scale_taste_prior(encoding: Encoding, priors: Priors) -> LogNormal:
    """Prior of the tastes' spread; likewise."""
    return _scale(encoding, priors, priors.taste_sd)


def _scale(e: Encoding, priors: Priors, spread: LogNormal) -> LogNormal:
    if e.comparisons is not None:
        return spread
    slope = priors.log_slope
    return LogNormal(float(spread.median * np.exp(slope.mean)), float(np.hypot(spread.log_sd, slope.sd)))


def _logs(prior: LogNormal) -> FloatArray:
    return np.array([np.log(prior.median), prior.log_sd])


def _share_bases(e: Encoding) -> tuple[FloatArray, IntArray, IntArray]:
    """Bases one after the other, equal ones once, and where each category's and each unit's begins."""
    parts: list[FloatArray] = []
    category_basis = []
    length = 0
    for block in e.category_bases:
        category_basis.append(length)
        parts.append(block.ravel())
        length += block.size
    by_size: dict[int, int] = {}
    unit_basis = []
    for unit in e.units:
        if not unit.rich:
            unit_basis.append(0)
            continue
        if unit.full:
            unit_basis.append(category_basis[unit.category])
            continue
        n = len(unit.items)
        if n not in by_size:
            by_size[n] = length
            parts.append(unit.basis.ravel())
            length += unit.basis.size
        unit_basis.append(by_size[n])
    return np.concatenate(parts), np.array(category_basis, dtype=np.int64), np.array(unit_basis, dtype=np.int64)


def _columns(e: Encoding) -> IntArray:
    """First row of each unit among the utilities that are sampled as such; those that are not stand last."""
    sizes = np.array([len(unit.items) - 1 for unit in e.units], dtype=np.int64)
    return np.cumsum(sizes) - sizes


def _group_preference(e: Encoding, groups: IntArray) -> IntArray:
    """Where the utilities behind a group's ratings stand on the scale of the rater's preferences: whose it is."""
    mine = {(e.taste_raters[unit.taste_rater], unit.category): unit.preference_rater for unit in e.units}
    return np.array([mine.get((e.rating_raters[r], c), -1) for r, c in groups.tolist()], dtype=np.int64)
