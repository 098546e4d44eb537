"""Curvature of the joint density, by differences of its gradient in many places at the same time."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from scipy import sparse

from ppaint_stats.joint.encoding import Encoding
from ppaint_stats.joint.laplace_arrow import Arrow, Parts
from ppaint_stats.joint.laplace_places import Places, map_values, open_values, prior_curvature
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.kernels.joint.data import NAMES, JointData
from ppaint_stats.kernels.joint.density import joint_logp
from ppaint_stats.typing import FloatArray, IntArray

STEP = 1e-5


class Curvature:
    """What is needed to find the negative Hessian of the log density by all but the hyperparameters."""

    def __init__(self, encoding: Encoding, layout: Layout, data: JointData, places: Places, cores: int) -> None:
        self.encoding, self.layout, self.data, self.places = encoding, layout, data, places
        self.space = open_values(encoding, layout, data, places)
        self.pool = ThreadPoolExecutor(max(cores, 1))
        first = NAMES.index("lapse")
        self.lapses = np.arange(layout.starts[first], layout.starts[first + 1])
        self.prior_sd = _spread_prior(data, layout, places)
        self.colours = _colour_categories(encoding)
        outer = self.space.outer
        place = np.full(self.space.size, -1)
        place[outer] = np.arange(len(outer))
        self.place = place
        n_local = int((self.space.local >= 0).sum())
        self.common = np.arange(n_local, len(outer))
        raters = encoding.raters
        self.unit_values = [
            self._values_of([raters.index(encoding.taste_raters[unit.taste_rater])]) for unit in encoding.units
        ]
        self.category_values = [self._values_of(judges) for judges in _judges(encoding)]

    def _values_of(self, raters: Collection[int]) -> IntArray:
        own = self.space.local[:, sorted(raters)]
        return np.concatenate([self.place[own[own >= 0]], self.common])

    def gradients(self, points: Sequence[FloatArray] | FloatArray, data: JointData | None = None) -> list[FloatArray]:
        """Gradients at several points."""
        used = self.data if data is None else data
        return list(self.pool.map(lambda x: joint_logp(x, used)[1], points))

    def find(self, x: FloatArray, draws: Sequence[FloatArray], *, near: Arrow | None = None) -> Arrow:
        """Negative Hessian at ``x``; by habits of raters, a mean over draws around it.

        ``near`` is one from nearby, whose blocks of units and categories serve again. Without draws only the blocks
        are found.
        """
        if near is not None:
            to_values = map_values(self.encoding, self.layout, self.space, self.places, x)
            return self._add_values(near, x, draws, to_values)
        space, places = self.space, self.places
        to_values = map_values(self.encoding, self.layout, space, places, x)
        base = space.expand(x, to_values @ x[places.shared])
        centre = joint_logp(base, space.data)[1]
        units = [np.zeros((len(p), len(p))) for p in space.units]
        categories = [np.zeros((len(p), len(p))) for p in space.categories]
        unit_by_category = [
            np.zeros((len(p), len(space.categories[c]))) for p, c in zip(space.units, places.unit_category, strict=True)
        ]
        category_by_values = [
            np.zeros((len(p), len(v))) for p, v in zip(space.categories, self.category_values, strict=True)
        ]
        of_category: list[list[int]] = [[] for _ in space.categories]
        for j, c in enumerate(places.unit_category):
            of_category[c].append(j)

        def run(chosen: list[IntArray], read: Callable[[int, FloatArray], None]) -> None:
            """Move the k-th place of each of ``chosen`` together, for every k."""
            widest = max((len(p) for p in chosen), default=0)

            def difference(k: int) -> None:
                y = base.copy()
                y[[p[k] for p in chosen if k < len(p)]] += STEP
                read(k, (centre - joint_logp(y, space.data)[1]) / STEP)

            list(self.pool.map(difference, range(widest)))

        def read_units(k: int, change: FloatArray) -> None:
            for j, p in enumerate(space.units):
                if k < len(p):
                    units[j][:, k] = change[p]

        run(list(space.units), read_units)
        for colour in self.colours:

            def read_categories(k: int, change: FloatArray, colour: list[int] = colour) -> None:
                for c in colour:
                    p = space.categories[c]
                    if k >= len(p):
                        continue
                    categories[c][:, k] = change[p]
                    category_by_values[c][k] = change[space.outer[self.category_values[c]]]
                    for j in of_category[c]:
                        unit_by_category[j][:, k] = change[space.units[j]]

            run([space.categories[c] for c in colour], read_categories)
        n_values = len(space.outer)
        arrow = Arrow(
            units=[_symmetric(b) for b in units],
            unit_category=places.unit_category,
            unit_by_category=unit_by_category,
            unit_by_values=[np.zeros((len(p), len(v))) for p, v in zip(space.units, self.unit_values, strict=True)],
            unit_values=self.unit_values,
            categories=[_symmetric(b) for b in categories],
            category_by_values=category_by_values,
            category_values=self.category_values,
            values=np.zeros((n_values, n_values)),
            values_by_core=to_values,
            core=np.eye(len(places.shared)),
        )
        return self._add_values(arrow, x, draws, to_values) if draws else arrow

    def _add_values(
        self, arrow: Arrow, x: FloatArray, draws: Sequence[FloatArray], to_values: sparse.csr_matrix
    ) -> Arrow:
        """Fill what belongs to habits and to what is common."""
        values, unit_by_values, category_by_common = self._find_values(x, draws, to_values)
        n_common = len(self.common)
        own = [found[:, : found.shape[1] - n_common] for found in arrow.category_by_values]
        return replace(
            arrow,
            unit_by_values=unit_by_values,
            category_by_values=[np.hstack(pair) for pair in zip(own, category_by_common, strict=True)],
            values=values,
            values_by_core=to_values,
            core=prior_curvature(self.layout, self.data, self.places, x),
        )

    def _find_values(
        self, x: FloatArray, draws: Sequence[FloatArray], to_values: sparse.csr_matrix
    ) -> tuple[FloatArray, list[FloatArray], list[FloatArray]]:
        """Curvature by the values of habits and what is common, a mean over draws."""
        space, places = self.space, self.places
        n_values = len(space.outer)
        n_common = len(self.common)
        kinds = [[int(i)] for i in space.outer[self.common]] + [row[row >= 0].tolist() for row in space.local]
        own_values = to_values @ x[places.shared]
        bases = [space.expand(x + d, own_values) for d in draws]
        # What is common bends so little that the centre serves; habits scale what they act on, and are averaged.
        change = np.concatenate(
            [
                self._difference([space.expand(x, own_values)], kinds[:n_common], space.data),
                self._difference(bases, kinds[n_common:], space.data),
            ]
        )
        change *= -1.0
        values = np.zeros((n_values, n_values))
        unit_by_values = [np.zeros((len(p), len(v))) for p, v in zip(space.units, self.unit_values, strict=True)]
        position = [{int(v): a for a, v in enumerate(chosen)} for chosen in self.unit_values]
        for k, kind in enumerate(kinds):
            places_moved = self.place[kind]
            if k < n_common:
                values[:, places_moved[0]] = change[k, space.outer]
            else:
                r = np.flatnonzero(space.local[k - n_common] >= 0)
                own = space.local[:, r]  # each rater's habits change with the habit that was moved
                for i, column in enumerate(places_moved):
                    at = own[:, i][own[:, i] >= 0]
                    values[self.place[at], column] = change[k, at]
            for j, p in enumerate(space.units):
                for v in places_moved:
                    if int(v) in position[j]:
                        unit_by_values[j][:, position[j][int(v)]] = change[k, p]
        n_local = n_values - n_common
        values[n_local:, :n_local] = values[:n_local, n_local:].T
        # Far from the answers' mode a lapse's log-likelihood bends upwards: it then says nothing, and the prior speaks.
        k = NAMES.index("lapse")
        lapse = self.place[np.arange(space.data.at[k], space.data.at[k + 1])]
        values[lapse, lapse] = np.maximum(values[lapse, lapse], 0.0)
        category_by_common = [change[:n_common, p].T for p in space.categories]
        return _symmetric(values), unit_by_values, category_by_common

    def find_hyper(self, x: FloatArray, draws: Sequence[FloatArray]) -> FloatArray:
        """Mean derivatives of the gradient by the hyperparameters, over draws: shape (parameters, hyperparameters)."""
        hyper = self.places.hyper
        return self._difference([x + d for d in draws], [[int(h)] for h in hyper], self.data).T

    def _difference(self, points: Sequence[FloatArray], kinds: Sequence[list[int]], data: JointData) -> FloatArray:
        """Mean over points of the gradient's change when some places move together, shape (kinds, places)."""
        out = np.zeros((len(kinds), len(points[0])))
        for start in range(0, len(points), 4):
            part = points[start : start + 4]
            centres = self.gradients(part, data)

            def add(k: int, part: Sequence[FloatArray] = part, centres: list[FloatArray] = centres) -> None:
                for point, centre in zip(part, centres, strict=True):
                    y = point.copy()
                    y[kinds[k]] += STEP
                    out[k] += (joint_logp(y, data)[1] - centre) / (STEP * len(points))

            list(self.pool.map(add, range(len(kinds))))
        return out

    def subtract_missing(self, arrow: Arrow, x: FloatArray, xi: FloatArray) -> Arrow:
        """Subtract what draws of the blocks leave unknown of scores that are quadratic in them (Louis 1982)."""
        space, places = self.space, self.places
        own_values = arrow.values_by_core @ x[places.shared]
        points = [space.expand(x + s * xi[:, k], own_values) for s in (1, -1) for k in range(xi.shape[1])]
        found = np.array(self.gradients(points, space.data))[:, space.outer]
        half = len(found) // 2
        even = 0.5 * (found[:half] + found[half:])
        even -= even.mean(axis=0)
        values = arrow.values.copy()
        for r in range(space.local.shape[1]):
            own = self.place[space.local[:, r][space.local[:, r] >= 0]]
            values[np.ix_(own, own)] -= even[:, own].T @ even[:, own] / (half - 1)
        return replace(arrow, values=values)

    def split(self, columns: FloatArray) -> Parts:
        """Split columns over the flat vector into parts."""
        p = self.places
        return Parts([columns[i] for i in p.units], [columns[i] for i in p.categories], columns[p.shared])

    def spread(self, parts: Parts, size: int) -> FloatArray:
        """Put parts back into columns over the flat vector, hyperparameters at 0."""
        out = np.zeros((size, parts.core.shape[1]))
        out[self.places.inner] = parts.join()
        return out


def _symmetric(block: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (block + block.T))


def _spread_prior(data: JointData, layout: Layout, places: Places) -> FloatArray:
    """About the prior sd of each hyperparameter."""
    sd = np.ones(int(layout.starts[-1]))
    for k, name in enumerate(NAMES):
        at = np.arange(layout.starts[k], layout.starts[k + 1])
        if data.normal_sd[k] > 0:
            sd[at] = data.normal_sd[k]
        if name in {"item_cov", "taste_cov"} and len(at):
            log_median, log_sd = data.item_prior if name == "item_cov" else data.taste_prior
            row, column = np.tril_indices(data.n_dimensions)
            sd[at] = np.where(row == column, log_sd, np.exp(log_median))
    return sd[places.hyper]


def _judges(e: Encoding) -> list[set[int]]:
    """Who judges in each category."""
    found: list[set[int]] = [set() for _ in e.categories]
    item_of = np.concatenate([e.row_item, e.plain_item])
    category = e.item_category
    if e.comparisons is not None:
        pairs = np.column_stack([category[item_of[e.comparisons.row_a]], e.comparisons.rater])
        for c, r in np.unique(pairs, axis=0).tolist():
            found[c].add(e.raters.index(e.preference_raters[r]))
    if e.ratings is not None:
        for c, r in np.unique(np.column_stack([e.ratings.category, e.ratings.rater]), axis=0).tolist():
            found[c].add(e.raters.index(e.rating_raters[r]))
    return found


def _colour_categories(e: Encoding) -> list[list[int]]:
    """Groups of categories that share no rater."""
    judges = _judges(e)
    groups: list[tuple[list[int], set[int]]] = []
    for c, own in enumerate(judges):
        for members, taken in groups:
            if not taken & own:
                members.append(c)
                taken.update(own)
                break
        else:
            groups.append(([c], set(own)))
    return [members for members, _ in groups]
