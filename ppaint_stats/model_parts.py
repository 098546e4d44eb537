"""Parts of the joint PyMC model: distributions of judgments, heavy tails, hierarchies, padded blocks of items."""

# mypy: allow-untyped-calls

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy.special import expit, logit

from ppaint_stats.joint.encoding import SQUEEZE, Encoding
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.joint.tastes import TasteCells
from ppaint_stats.kernels.densities import GUMBEL_SD, draw_minima
from ppaint_stats.priors import LogNormal
from ppaint_stats.typing import BoolArray, FloatArray, IntArray

type Tensor = Any
"""A PyTensor variable, whose annotations are partial: what it returns goes unchecked."""

T_DOF = np.float64(4.0)
"""Degrees of freedom of heavy-tailed hierarchies."""


@dataclass(frozen=True)
class Tails:
    """A law of independent values of mean 0 and scale sd, seen in an orthonormal basis.

    ``entry_logp`` is the log density of values at a scale, ``entry_draw`` draws standard ones.
    """

    name: str
    entry_logp: Callable[[Tensor, Tensor], Tensor]
    entry_draw: Callable[[np.random.Generator, tuple[int, ...]], FloatArray]

    def logp(self, value: Tensor, basis: Tensor, sd: Tensor) -> Tensor:
        """Log density of the coordinates."""
        return self.entry_logp(pt.dot(basis, value), sd).sum(axis=-1)

    def draw(
        self, basis: FloatArray, sd: FloatArray, rng: np.random.Generator, size: tuple[int, ...] | None = None
    ) -> FloatArray:
        """Draw coordinates."""
        shape = np.shape(sd) if size is None else tuple(size)
        entries = np.asarray(sd)[..., None] * self.entry_draw(rng, (*shape, basis.shape[-1]))
        return np.asarray((entries[..., None, :] @ basis)[..., 0, :])


def _minima_logp(value: Tensor, sd: Tensor) -> Tensor:
    beta = sd / GUMBEL_SD
    return pm.logp(pm.Gumbel.dist(mu=-np.euler_gamma * beta, beta=beta), -value)


HEAVY_TAILS = Tails(
    "StudentT",
    lambda value, sd: pm.logp(pm.StudentT.dist(nu=T_DOF, mu=0.0, sigma=sd), value),
    lambda rng, shape: rng.standard_t(T_DOF, size=shape),
)
BLUNT_TAILS = Tails("Minima", _minima_logp, draw_minima)
"""Log sharpness: some raters may be far blunter than the others, none is far sharper."""


@dataclass(frozen=True)
class Blocks:
    """Sets of items with a basis each, padded to one size, so that one product serves all of them.

    Parameters
    ----------
    items
        Items of each block, padded by 0.
    basis
        Bases, padded by zeros: padding adds nothing to any product.
    column
        Which rows of the contrasts belong to each block, padded by 0.
    row_block, row_place
        Block of each row, one after the other, and its place in there.
    column_block, column_place
        Likewise of each contrast.
    """

    items: IntArray
    basis: FloatArray
    column: IntArray
    row_block: IntArray
    row_place: IntArray
    column_block: IntArray
    column_place: IntArray

    @classmethod
    def pad(cls, items: Sequence[IntArray], bases: Sequence[FloatArray]) -> "Blocks":
        """Pad blocks of items and their bases."""
        sizes = np.array([len(block) for block in items], dtype=np.int64)
        n = int(sizes.max())
        padded = np.zeros((len(items), n), dtype=np.int64)
        basis = np.zeros((len(items), n, n - 1))
        column = np.zeros((len(items), n - 1), dtype=np.int64)
        first = np.cumsum(sizes - 1) - (sizes - 1)
        for k, (block, own) in enumerate(zip(items, bases, strict=True)):
            padded[k, : len(block)] = block
            basis[k, : len(block), : len(block) - 1] = own
            column[k, : len(block) - 1] = first[k] + np.arange(len(block) - 1)
        row_block, row_place = _count_through(sizes)
        column_block, column_place = _count_through(sizes - 1)
        return cls(padded, basis, column, row_block, row_place, column_block, column_place)

    @property
    def row_item(self) -> IntArray:
        """Item of each row."""
        return np.asarray(self.items[self.row_block, self.row_place])

    def expand(self, contrasts: Tensor) -> Tensor:
        """Turn contrasts into values that sum to zero over each block: one row per block and item."""
        return pt.matmul(self.basis, contrasts[self.column])[self.row_block, self.row_place]

    def contract(self, values: Tensor) -> Tensor:
        """Contrasts of items' values in each block, the inverse of ``expand`` up to a constant per block."""
        return pt.matmul(self.basis.transpose(0, 2, 1), values[self.items])[self.column_block, self.column_place]

    def average(self, values: Tensor) -> Tensor:
        """Mean of items' values in each block."""
        weight = np.zeros(self.items.shape)
        weight[self.row_block, self.row_place] = 1.0
        weight /= weight.sum(axis=1, keepdims=True)
        return (weight[:, :, None] * values[self.items]).sum(axis=1)


def _count_through(sizes: IntArray) -> tuple[IntArray, IntArray]:
    """Block of each element, and its place in the block."""
    block = np.repeat(np.arange(len(sizes)), sizes)
    return block, np.arange(len(block)) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def spread_tastes(cells: Tensor, factor: Tensor, tastes: TasteCells) -> Tensor:
    """Tastes, shape (row, dimension), of standard normal cells; they sum to zero over a rater's items in a dimension.

    The cells of a row have the covariance that ``factor`` gives the dimensions it holds; the others are left at 0.
    """
    covariance = pt.dot(factor, factor.T)
    parts, order = [], []
    for k, pattern in enumerate(tastes.patterns):
        held = np.flatnonzero(pattern)
        own = pt.linalg.cholesky(covariance[held][:, held])
        place = tastes.row_start[tastes.row_pattern == k][:, None] + np.arange(len(held))
        parts.append(pt.dot(cells[place], own.T).ravel())
        order.append(place.ravel())
    correlated = pt.concatenate(parts)[np.argsort(np.concatenate(order))]
    count = np.bincount(tastes.group, minlength=tastes.n_groups)
    mean = pt.inc_subtensor(pt.zeros(tastes.n_groups)[tastes.group], correlated) / count
    blank = pt.zeros((tastes.n_rows, tastes.patterns.shape[1]))
    return pt.set_subtensor(blank[tastes.row, tastes.dimension], correlated - mean[tastes.group])


@dataclass(frozen=True)
class Variables:
    """Random variables by name, with the dims, the priors and the way of sampling that a layout gives them."""

    layout: Layout

    def __contains__(self, name: str) -> bool:
        return name in self.layout.parameters

    def add_normal(self, name: str) -> Tensor:
        """Add a parameter with a normal prior of its own."""
        parameter = self.layout.parameters[name]
        # PyTensor computes with Python's 3.0, but not with NumPy's, in single precision.
        mean, sd = np.asarray((0.0, 1.0) if parameter.prior is None else parameter.prior, dtype=np.float64)
        return pm.Normal(name, mean, sd, dims=parameter.dims)

    def add_spread(self, name: str) -> Tensor:
        """Add the logarithm of a spread, normal, and return the spread."""
        return pt.exp(self.add_normal(f"log_{name}"))

    def add_hierarchy(self, name: str, parent: Tensor | float, sd: Tensor) -> Tensor:
        """Add values that vary by ``sd`` around their parent: as such, or as standardised deviations."""
        parameter = self.layout.parameters[name]
        if parameter.centred:
            return pm.Normal(name, parent, sd, dims=parameter.dims)
        return parent + sd * pm.Normal(name, 0.0, 1.0, dims=parameter.dims)

    def add_habit(self, name: str, n: int, basis: FloatArray, tails: Tails) -> Tensor:
        """Add a habit of n raters, its spread before it, relative to the raters' mean; zeros for one rater."""
        if name not in self:
            return pt.zeros(n)
        sd = self.add_spread(f"{name}_sd")
        parameter = self.layout.parameters[name]
        own = pm.CustomDist(
            name,
            basis,
            sd if parameter.centred else np.float64(1.0),
            logp=tails.logp,
            random=tails.draw,
            signature="(n,n),()->(n)",
            class_name=f"Rotated{tails.name}",
            dims=parameter.dims,
        )
        values = pt.dot(basis, own) if parameter.centred else sd * pt.dot(basis, own)
        return values - values.mean()

    def add_factor(self, name: str, n: int, *, eta: float, spread: LogNormal) -> Tensor:
        """Add a covariance by its packed lower triangular factor: LKJ correlation, log-normal spreads."""
        dims = self.layout.parameters[name].dims
        log_median, log_sd = np.log(spread.median), np.float64(spread.log_sd)
        if n == 1:
            return pm.LogNormal(name, log_median, log_sd, dims=dims)[:, None]
        spreads = pm.LogNormal.dist(log_median, log_sd)
        packed = pm.LKJCholeskyCov(name, n=n, eta=np.float64(eta), sd_dist=spreads, compute_corr=False, dims=dims)
        return pm.math.expand_packed_triangular(n, packed)

    def add_rows(self, name: str, factor: Tensor) -> Tensor:
        """Add rows under N(0, factor factor'), sampled as such or as independent standard normal ones."""
        parameter = self.layout.parameters[name]
        if parameter.centred:
            return pm.MvNormal(name, np.zeros(parameter.shape[1]), chol=factor, dims=parameter.dims)
        return pt.dot(pm.Normal(name, 0.0, 1.0, dims=parameter.dims), factor.T)


def mix_lapses(attentive: Tensor, chance: Tensor, lapse: Tensor) -> Tensor:
    """Log probability of an answer that may be a lapse, from those of an attentive and of a chance answer."""
    return pm.math.logaddexp(attentive - pt.softplus(lapse), chance - pt.softplus(-lapse))


def draw_lapses(lapse: FloatArray, rng: np.random.Generator, shape: tuple[int, ...]) -> BoolArray:
    """Draw which answers are lapses."""
    return np.asarray(rng.random(shape) < expit(lapse))


def davidson_logp(value: Tensor, d: Tensor, log_nu: Tensor, lapse: Tensor) -> Tensor:
    """Log probability of outcomes 0, 1, 2 (A, TIE, B) at a difference d, a tie parameter nu, and a logit of lapses."""
    x = pt.exp(-pt.abs(d) / 2)
    own = (1 - value) * d / 2 + pt.eq(value, 1) * log_nu - pt.abs(d) / 2 - pt.log1p(x * (x + pt.exp(log_nu)))
    return mix_lapses(own, -np.log(3.0), lapse)


def draw_davidson(
    d: FloatArray, log_nu: FloatArray, lapse: FloatArray, rng: np.random.Generator, size: tuple[int, ...] | None = None
) -> IntArray:
    """Draw outcomes 0, 1, 2 (A, TIE, B)."""
    logits = np.stack(np.broadcast_arrays(d / 2, log_nu, -d / 2))
    share = np.exp(logits - logits.max(axis=0))
    upper = np.cumsum(share / share.sum(axis=0), axis=0)
    shape = np.broadcast_shapes(upper.shape[1:], np.shape(lapse)) if size is None else tuple(size)
    uniform = rng.random(shape)
    own = (uniform > upper[0]).astype(np.int64) + (uniform > upper[1])
    return np.asarray(np.where(draw_lapses(lapse, rng, shape), rng.integers(3, size=shape), own))


def ordinal_logp(value: Tensor, eta: Tensor, kappa: Tensor, lapse: Tensor) -> Tensor:
    """Log probability of levels 0, 1, ... at a latent eta, with the thresholds of each rating along the last axis.

    With u and l the distances to the upper and the lower threshold, sigma(u) - sigma(l) is
    sigma(u) sigma(-l) (1 - exp(l - u)): no difference of nearly equal numbers.
    """
    top = kappa.shape[-1]
    above = pt.take_along_axis(kappa, pt.minimum(value, top - 1)[..., None], axis=-1)[..., 0]
    below = pt.take_along_axis(kappa, pt.maximum(value - 1, 0)[..., None], axis=-1)[..., 0]
    has_above, has_below = pt.lt(value, top), pt.gt(value, 0)
    gap = pt.switch(has_above & has_below, above - below, np.inf)
    own = (
        -pt.switch(has_above, pt.softplus(eta - above), 0.0)
        - pt.switch(has_below, pt.softplus(below - eta), 0.0)
        + pt.log(-pt.expm1(-gap))
    )
    return mix_lapses(own, -pt.log(top + 1.0), lapse)


def draw_ordinal(
    eta: FloatArray, kappa: FloatArray, lapse: FloatArray, rng: np.random.Generator, size: tuple[int, ...] | None = None
) -> IntArray:
    """Draw levels: the number of thresholds below the latent and its logistic noise."""
    least = np.broadcast_shapes(np.shape(eta), kappa.shape[:-1], np.shape(lapse))
    shape = least if size is None else tuple(size)
    own = (kappa < (eta + rng.logistic(size=shape))[..., None]).sum(axis=-1)
    return np.asarray(np.where(draw_lapses(lapse, rng, shape), rng.integers(kappa.shape[-1] + 1, size=shape), own))


def logit_normal_logp(value: Tensor, mu: Tensor, sd: Tensor, lapse: Tensor) -> Tensor:
    """Log density of the logits of a continuous scale, normal but for lapses, which are uniform on the scale."""
    chance = -pt.softplus(value) - pt.softplus(-value) - np.log1p(-2 * SQUEEZE)
    return mix_lapses(pm.logp(pm.Normal.dist(mu, sd), value), chance, lapse)


def draw_logit_normal(
    mu: FloatArray, sd: FloatArray, lapse: FloatArray, rng: np.random.Generator, size: tuple[int, ...] | None = None
) -> FloatArray:
    """Draw such logits."""
    shape = np.broadcast_shapes(np.shape(mu), np.shape(sd), np.shape(lapse)) if size is None else tuple(size)
    chance = logit(rng.uniform(SQUEEZE, 1 - SQUEEZE, shape))
    return np.asarray(np.where(draw_lapses(lapse, rng, shape), chance, rng.normal(mu, sd, shape)))


def find_sharpness(encoding: Encoding) -> IntArray:
    """Whose sharpness a rating's utility carries: the rater's, where they compare in that category, else -1."""
    if encoding.ratings is None:
        return np.zeros(0, dtype=np.int64)
    mine = {(encoding.taste_raters[unit.taste_rater], unit.category): unit.preference_rater for unit in encoding.units}
    names = [encoding.rating_raters[rater] for rater in encoding.ratings.rater]
    found = [mine.get(key, -1) for key in zip(names, encoding.ratings.category.tolist(), strict=True)]
    return np.array(found, dtype=np.int64)
