"""Which parameters hang together, given the others: raters in categories, categories, and what all of them share."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ppaint_stats.joint.bases import helmert_basis, mean_basis, panel_basis
from ppaint_stats.joint.encoding import Encoding
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.kernels.densities import T_DOF
from ppaint_stats.kernels.joint.data import NAMES, JointData
from ppaint_stats.typing import FloatArray, IntArray

FLAT = 30.0
"""Log spread under which a prior has no curvature to speak of."""

BLOCKED = ("consensus", "discrepancy", "utility", "taste")
"""Parameters of categories and of raters in categories; the others are hyperparameters or shared."""

HABITS = {
    "taste_spread": "taste_rater", "sharpness": "preference_rater", "tie_rater": "preference_rater",
    "log_nu": "preference_rater", "position": "preference_rater", "discrimination": "rating_rater",
    "severity_rater": "rating_rater", "severity": "rating_rater", "log_noise": "rating_rater", "lapse": "rater",
}  # fmt: skip
"""Habits of raters, and which raters have them."""


MEANS = {
    "taste_spread": "", "position": "position_mean", "tie_rater": "tie_mean", "log_nu": "tie_rater",
    "severity_rater": "", "severity": "severity_rater", "log_noise": "log_noise_mean",
}  # fmt: skip
"""Normal hierarchies, and what each is centred on."""


@dataclass(frozen=True)
class Places:
    """Where the parts of the flat vector stand.

    Parameters
    ----------
    hyper
        Hyperparameters: covariance factors, logarithms of spreads, correlations of protocols.
    shared
        Habits of raters, thresholds, slopes and levels.
    categories, units
        Consensus of each category's items; utilities or tastes of each rater in a category.
    unit_category
        Category of each unit.
    """

    hyper: IntArray
    shared: IntArray
    categories: tuple[IntArray, ...]
    units: tuple[IntArray, ...]
    unit_category: IntArray

    @property
    def inner(self) -> IntArray:
        """All in the order of the arrow's parts."""
        return np.concatenate([*self.units, *self.categories, self.shared])


def find_places(encoding: Encoding, layout: Layout) -> Places:
    """Find them."""
    e, starts = encoding, layout.starts
    n_dims = len(e.dimensions)

    def span(name: str) -> IntArray:
        k = NAMES.index(name)
        return np.arange(starts[k], starts[k + 1])

    hyper = [n for n in layout.names if n in {"item_cov", "taste_cov", "protocol_correlation"} or _is_spread(n)]
    shared = [n for n in layout.names if n not in hyper and n not in BLOCKED]
    consensus, discrepancy = span("consensus"), span("discrepancy")
    contrast = (e.item_start - np.arange(len(e.item_start))) * n_dims
    categories = []
    for c in range(len(e.categories)):
        rows = slice(contrast[c], contrast[c + 1])
        categories.append(np.concatenate([consensus[rows], discrepancy[rows]]))
    units, column, cell = [], 0, 0
    utility, taste = span("utility"), span("taste")
    for unit in e.units:
        if unit.rich:
            size = (len(unit.items) - 1) * n_dims
            units.append(utility[column : column + size])
            column += size
        else:
            size = int(unit.judged.sum())
            units.append(taste[cell : cell + size])
            cell += size
    return Places(
        hyper=np.concatenate([span(n) for n in hyper]),
        shared=np.concatenate([span(n) for n in shared]),
        categories=tuple(categories),
        units=tuple(units),
        unit_category=np.array([unit.category for unit in e.units], dtype=np.int64),
    )


def _is_spread(name: str) -> bool:
    return name.startswith("log_") and name.endswith("_sd")


@dataclass(frozen=True)
class ValueSpace:
    """The same density by habits as such, without their priors: each judgment then knows one rater's habits alone.

    Parameters
    ----------
    data
        The study, its habits' bases being unit matrices and their priors flat.
    local
        Places of the habits in this space, one row per kind of habit; -1 where a rater has none. One column per rater.
    common
        Places of what belongs to no rater.
    categories, units
        As in :class:`Places`.
    """

    data: JointData
    local: IntArray
    common: IntArray
    categories: tuple[IntArray, ...]
    units: tuple[IntArray, ...]
    kept: IntArray
    kept_from: IntArray
    fixed: FloatArray
    size: int

    @property
    def outer(self) -> IntArray:
        """Places of habits and of what is common."""
        return np.concatenate([self.local[self.local >= 0], self.common])

    def expand(self, x: FloatArray, values: FloatArray) -> FloatArray:
        """Vector in this space from the flat vector and the values of habits (in the order of ``outer``)."""
        y = self.fixed.copy()
        y[self.kept] = x[self.kept_from]
        y[self.outer] = values
        return y


def open_values(encoding: Encoding, layout: Layout, data: JointData, places: Places) -> ValueSpace:
    """Set the density up by habits as such."""
    e, starts = encoding, layout.starts
    n_dims = len(e.dimensions)
    sizes = np.diff(starts).copy()
    names = list(layout.names)
    n_of = {"taste_rater": len(e.taste_raters), "preference_rater": len(e.preference_raters),
            "rating_rater": len(e.rating_raters), "rater": len(e.raters)}  # fmt: skip
    bases: dict[str, Any] = {}
    for name, field in (("taste_spread", "spread_basis"), ("sharpness", "sharpness_basis"),
                        ("discrimination", "discrimination_basis")):  # fmt: skip
        if name in names:
            n = n_of[HABITS[name]]
            sizes[NAMES.index(name)] = n + 1
            bases[field] = np.eye(n, n + 1)  # not square: square ones stand for habits with heavy tails
    if "severity_rater" in names:
        n = n_of["rating_rater"]
        sizes[NAMES.index("severity_rater")] = n
        if "severity" in names:
            sizes[NAMES.index("severity")] = n * n_dims
        bases["panel_basis"] = np.eye(n)
    at = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    centred, normal_sd = data.centred.copy(), data.normal_sd.copy()
    fixed = np.zeros(int(at[-1]))
    local, common, kept, kept_from = [], [], [], []
    outer = set(names)
    for name in names:
        k = NAMES.index(name)
        if _is_spread(name):
            fixed[at[k]] = FLAT
        if name in BLOCKED or name in {"item_cov", "taste_cov", "protocol_correlation"}:
            kept.append(np.arange(at[k], at[k + 1]))
            kept_from.append(np.arange(starts[k], starts[k + 1]))
            continue
        normal_sd[k] = 0.0
        if name in HABITS:
            centred[k] = 1
            if (name == "tie_rater" and "log_nu" in outer) or (name == "severity_rater" and "severity" in outer):
                continue
            own = getattr(e, f"{HABITS[name]}s")
            width = n_dims if name in {"log_nu", "severity"} else 1
            grid = np.full((width, len(e.raters)), -1)
            for i, rater in enumerate(own):
                grid[:, e.raters.index(rater)] = at[k] + i * width + np.arange(width)
            local.append(grid)
        elif not _is_spread(name) and name not in {"tie_mean", "position_mean", "log_noise_mean"}:
            common.append(np.arange(at[k], at[k + 1]))
    shift = (
        at[[NAMES.index(n) for n in ("consensus", "discrepancy", "utility", "taste")]]
        - starts[[NAMES.index(n) for n in ("consensus", "discrepancy", "utility", "taste")]]
    )

    def move(part: IntArray) -> IntArray:
        out = part.copy()
        for name, by in zip(("consensus", "discrepancy", "utility", "taste"), shift, strict=True):
            k = NAMES.index(name)
            inside = (part >= starts[k]) & (part < starts[k + 1])
            out[inside] += by
        return out

    return ValueSpace(
        data=data._replace(at=at, centred=centred, normal_sd=normal_sd, **bases),
        local=np.concatenate(local) if local else np.zeros((0, len(e.raters)), dtype=np.int64),
        common=np.concatenate([np.zeros(0, dtype=np.int64), *common]),
        categories=tuple(move(part) for part in places.categories),
        units=tuple(move(part) for part in places.units),
        kept=np.concatenate(kept),
        kept_from=np.concatenate(kept_from),
        fixed=fixed,
        size=int(at[-1]),
    )


def map_values(
    encoding: Encoding, layout: Layout, space: ValueSpace, places: Places, x: FloatArray
) -> sparse.csr_matrix:
    """Matrix that takes the shared parameters to the values of ``space.outer``, given the hyperparameters in ``x``."""
    e, starts = encoding, layout.starts
    n_dims = len(e.dimensions)
    at = space.data.at
    column = np.full(int(starts[-1]), -1)
    column[places.shared] = np.arange(len(places.shared))
    row = np.full(space.size, -1)
    row[space.outer] = np.arange(len(space.outer))
    rows, columns, values = [], [], []

    def put(name: str, source: str, block: FloatArray) -> None:
        k, s = NAMES.index(name), NAMES.index(source)
        r, c = np.nonzero(block)
        rows.append(row[at[k] + r])
        columns.append(column[starts[s] + c])
        values.append(block[r, c])

    def scale(name: str) -> float:
        return 1.0 if layout.parameters[name].centred else _spread_of(name, layout, x)

    names = set(layout.names)
    for name in ("lapse", "log_slope", "category_level", "threshold_centre", "log_gap"):
        if name in names:
            put(name, name, np.eye(layout.parameters[name].size))
    if "taste_spread" in names:
        put("taste_spread", "taste_spread", scale("taste_spread") * helmert_basis(len(e.taste_raters)))
    for name in ("sharpness", "discrimination"):
        if name in names:
            n = layout.parameters[name].size
            put(name, name, scale(name) * (np.eye(n) - 1 / n) @ mean_basis(n))
    for name, mean, inner in (("position", "position_mean", ""), ("log_noise", "log_noise_mean", ""),
                              ("tie_rater", "tie_mean", "log_nu"), ("severity_rater", "", "severity")):  # fmt: skip
        if name not in names:
            continue
        n = layout.parameters[name].size
        basis = np.eye(n) if mean else panel_basis(e.rating_panel)
        nested = bool(inner) and inner in names
        target = inner if nested else name
        by_own = scale(name) * np.eye(n)
        by_mean = np.zeros((n, 1)) if layout.parameters[name].centred or not mean else np.ones((n, 1))
        if nested:
            deep = scale(inner) * np.eye(n * n_dims)
            put(target, inner, np.kron(basis, np.eye(n_dims)) @ deep)
            if layout.parameters[inner].centred:
                continue
            spread = np.kron(basis, np.ones((n_dims, 1)))
        else:
            spread = basis
        put(target, name, spread @ by_own)
        if by_mean.any():
            put(target, mean, spread @ by_mean)
    r, c, v = (np.concatenate(part) for part in (rows, columns, values))
    keep = r >= 0
    return sparse.csr_matrix((v[keep], (r[keep], c[keep])), shape=(len(space.outer), len(places.shared)))


def prior_curvature(layout: Layout, data: JointData, places: Places, x: FloatArray) -> FloatArray:
    """Negative Hessian of the log prior of the shared parameters, given the hyperparameters in ``x``."""
    starts = layout.starts
    column = np.full(int(starts[-1]), -1)
    column[places.shared] = np.arange(len(places.shared))
    out = np.zeros((len(places.shared), len(places.shared)))

    def of(name: str) -> IntArray:
        k = NAMES.index(name)
        return column[starts[k] : starts[k + 1]]

    def add(one: IntArray, other: IntArray, block: FloatArray) -> None:
        out[np.ix_(one, other)] += block

    for k, sd in enumerate(data.normal_sd):
        if sd > 0 and NAMES[k] in layout.parameters:
            own = of(NAMES[k])
            own = own[own >= 0]
            out[own, own] += 1 / sd**2
    for name, mean in MEANS.items():
        if name not in layout.parameters:
            continue
        own = of(name)
        centred = layout.parameters[name].centred
        precision = _spread_of(name, layout, x) ** -2 if centred else 1.0
        out[own, own] += precision
        if mean and centred and mean in layout.parameters:
            middle = np.repeat(of(mean), len(own) // layout.parameters[mean].size)
            np.add.at(out, (middle, middle), precision)
            np.add.at(out, (own, middle), -precision)
            np.add.at(out, (middle, own), -precision)
    for name in ("sharpness", "discrimination"):
        if name in layout.parameters:
            own, k = of(name), NAMES.index(name)
            basis = mean_basis(len(own))
            spread = _spread_of(name, layout, x) if layout.parameters[name].centred else 1.0
            z2 = (basis @ x[starts[k] : starts[k + 1]] / spread) ** 2
            bend = (T_DOF + 1) * (T_DOF - z2) / (T_DOF + z2) ** 2 / spread**2
            add(own, own, basis.T @ (bend[:, None] * basis))
    return out


def _spread_of(name: str, layout: Layout, x: FloatArray) -> float:
    """Spread of a hierarchy."""
    own = {
        "log_nu": "tie_dimension", "tie_rater": "tie", "severity_rater": "severity", "severity": "severity_dimension",
        "log_noise": "noise",
    }.get(name, name)  # fmt: skip
    return float(np.exp(x[layout.starts[NAMES.index(f"log_{own}_sd")]]))
