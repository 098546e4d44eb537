"""Parameters of the joint model: which a study needs, their shapes, dims and priors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ppaint_stats.joint.encoding import Comparisons, Encoding, Ratings
from ppaint_stats.joint.tastes import list_tastes
from ppaint_stats.kernels.joint.data import NAMES
from ppaint_stats.priors import LogNormal, Normal, Priors
from ppaint_stats.typing import FloatArray, IntArray

CENTRED_POSITION = 1500
CENTRED_TIES = 300
"""Comparisons per rater from which position effects and tie habits are sampled as such, not as scaled deviations."""

CENTRED_CONSENSUS = 12
"""Judgments per item and dimension from which the consensus is sampled as such."""

CENTRED_RATERS = 3
"""Raters from which on that may be: a spread over fewer is hardly known."""

CENTRED_RATINGS = 40
"""Ratings per rater and dimension from which the habits of rating are sampled as such."""

CENTRED_PLAIN = 60
"""Judgments per rater from which sharpness, tie habits and discrimination are, where some raters have no taste."""

CROSSING_RATERS = 0.1
"""Share of the raters who must judge in two dimensions or more for habits to differ between a rater's dimensions.

Where each rater judges in one dimension, the spread of habits over dimensions is one with that over raters.
"""


@dataclass(frozen=True)
class Parameter:
    """One parameter: its dims and shape, its normal prior if it has one of its own, and how it is sampled."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    prior: Normal | None = None
    centred: bool = True

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Layout:
    """The parameters of a study's joint model in one flat vector, and the coordinates of their dims."""

    parameters: Mapping[str, Parameter]
    coords: Mapping[str, tuple[str, ...] | IntArray]

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters of this study in the order of the flat vector."""
        return tuple(name for name in NAMES if name in self.parameters)

    @property
    def starts(self) -> IntArray:
        """Where each parameter of ``NAMES`` begins, and the total length."""
        sizes = [self.parameters[name].size if name in self.parameters else 0 for name in NAMES]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def places(self, name: str) -> IntArray:
        """Where a parameter's entries stand in the flat vector."""
        k = NAMES.index(name)
        return np.arange(self.starts[k], self.starts[k + 1])

    @property
    def middle(self) -> FloatArray:
        """The flat vector with every parameter at its prior's mean, where it has a prior of its own, else at 0."""
        own = self.parameters.values()
        values = {p.name: np.full(p.shape, 0.0 if p.prior is None else p.prior.mean) for p in own}
        return self.pack(values)

    def unpack(self, flat: FloatArray) -> dict[str, FloatArray]:
        """Split the last axis of an array into parameters, all on their sampled, unconstrained scales."""
        starts = self.starts
        return {
            name: flat[..., starts[k] : starts[k + 1]].reshape((*flat.shape[:-1], *self.parameters[name].shape))
            for k, name in enumerate(NAMES)
            if name in self.parameters
        }

    def pack(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """Join parameters to one vector."""
        return np.concatenate([np.ravel(values[name]) for name in self.names])


def lay_out(encoding: Encoding, priors: Priors, *, discrepancy: bool) -> Layout:
    """List the parameters that a study's judgments call for.

    Parameters
    ----------
    encoding
        The study.
    priors
        Priors.
    discrepancy
        Whether ratings and preferences may follow utilities of their own.

    Returns
    -------
    Layout
        Parameters with their dims, and coordinates.
    """
    e = encoding
    coords: dict[str, tuple[str, ...] | IntArray] = {
        "category": e.categories,
        "dimension": e.dimensions,
        "item": e.items,
        "rater": e.raters,
        "preference_rater": e.preference_raters,
        "rating_rater": e.rating_raters,
        "taste_rater": e.taste_raters,
        "contrast": np.arange(len(e.items) - len(e.categories)),
        "covariance": np.arange(len(e.dimensions) * (len(e.dimensions) + 1) // 2),
        "utility_contrast": np.arange(sum(len(unit.items) - 1 for unit in e.units if unit.rich)),
        "taste_cell": np.arange(len(list_tastes(e).row)),
        "preference_rater_axis": np.arange(len(e.preference_raters)),
        "rating_rater_axis": np.arange(len(e.rating_raters)),
        "taste_rater_contrast": np.arange(max(len(e.taste_raters) - 1, 0)),
        "severity_contrast": np.arange(len(e.rating_raters) - len(set(e.rating_panel.tolist()))),
        "category_contrast": np.arange(len(e.categories) - 1),
        "gap": np.arange(max(e.levels - 2, 0)),
    }
    lapse = Parameter("lapse", ("rater",), (), priors.lapse)
    parts = [lapse, *_of_items(e), *_of_preferences(e, priors), *_of_ratings(e, priors)]
    if discrepancy:
        parts += [
            Parameter("protocol_correlation", ("dimension",), ()),
            Parameter("discrepancy", ("contrast", "dimension"), (), Normal(0, 1)),
        ]
    shaped = (Parameter(p.name, p.dims, tuple(len(coords[d]) for d in p.dims), p.prior, p.centred) for p in parts)
    return Layout({p.name: p for p in shaped if p.size}, coords)


def _spread(name: str, prior: LogNormal) -> Parameter:
    return Parameter(f"log_{name}", (), (), Normal(float(np.log(prior.median)), prior.log_sd))


def _of_items(e: Encoding) -> Iterator[Parameter]:
    yield Parameter("item_cov", ("covariance",), ())
    rich = _count_judgments(e) >= CENTRED_CONSENSUS
    yield Parameter("consensus", ("contrast", "dimension"), (), None if rich else Normal(0, 1), centred=rich)
    if e.units:
        yield Parameter("taste_cov", ("covariance",), ())
        yield Parameter("utility", ("utility_contrast", "dimension"), ())
        yield Parameter("taste", ("taste_cell",), (), Normal(0, 1))


def _count_judgments(e: Encoding) -> float:
    """Judgments per item and dimension, a rating counting for half a comparison."""
    compared = 0.0 if e.comparisons is None else 2 * float(e.comparisons.weight.sum())
    rated = 0 if e.ratings is None else len(e.ratings.row)
    return (compared + rated / 2) / (len(e.items) * len(e.dimensions))


def _cross_dimensions(judgments: Comparisons | Ratings, n_raters: int, n_dimensions: int) -> bool:
    """Whether enough raters judge in several dimensions to tell habits in a dimension from a rater's own."""
    judged = np.zeros((n_raters, n_dimensions), dtype=np.bool_)
    judged[judgments.rater, judgments.dimension] = True
    return bool((judged.sum(axis=1) > 1).mean() >= CROSSING_RATERS)


def _of_preferences(e: Encoding, p: Priors) -> Iterator[Parameter]:
    plain = len(e.plain_item) > 0
    rich = all(unit.rich for unit in e.units) and not plain
    if len(e.taste_raters) > 1:
        yield _spread("taste_spread_sd", p.taste_spread_sd)
        yield Parameter("taste_spread", ("taste_rater_contrast",), (), centred=rich)
    if e.comparisons is None:
        return
    count = float(np.median(np.bincount(e.comparisons.rater, e.comparisons.weight)))
    count = count if len(e.preference_raters) >= CENTRED_RATERS else 0.0
    if len(e.preference_raters) > 1:
        yield _spread("sharpness_sd", p.sharpness_sd)
        centred = rich or (plain and count >= CENTRED_PLAIN)
        yield Parameter("sharpness", ("preference_rater_axis",), (), centred=centred)
    yield Parameter("position_mean", (), (), p.position_mean)
    yield _spread("position_sd", p.position_sd)
    yield Parameter("position", ("preference_rater",), (), centred=count >= CENTRED_POSITION)
    if e.has_ties:
        yield Parameter("tie_mean", (), (), p.tie_mean)
        yield _spread("tie_sd", p.tie_sd)
        least = CENTRED_PLAIN if plain else CENTRED_TIES
        yield Parameter("tie_rater", ("preference_rater",), (), centred=count >= least)
        if _cross_dimensions(e.comparisons, len(e.preference_raters), len(e.dimensions)):
            yield _spread("tie_dimension_sd", p.tie_dimension_sd)
            yield Parameter("log_nu", ("preference_rater", "dimension"), (), centred=False)


def _of_ratings(e: Encoding, p: Priors) -> Iterator[Parameter]:
    if e.ratings is None:
        return
    count = float(np.median(np.bincount(e.ratings.rater))) if len(e.rating_raters) >= CENTRED_RATERS else 0.0
    centred = len(e.rating_raters) >= CENTRED_RATERS and count >= CENTRED_RATINGS * len(e.dimensions)
    if e.comparisons is not None:
        yield Parameter("log_slope", ("dimension",), (), p.log_slope)
    if len(e.rating_raters) > 1:
        yield _spread("discrimination_sd", p.discrimination_sd)
        sloped = centred or (len(e.plain_item) > 0 and count >= CENTRED_PLAIN)
        yield Parameter("discrimination", ("rating_rater_axis",), (), centred=sloped)
    yield _spread("severity_sd", p.severity_sd)
    yield Parameter("severity_rater", ("severity_contrast",), (), centred=centred)
    if _cross_dimensions(e.ratings, len(e.rating_raters), len(e.dimensions)):
        yield _spread("severity_dimension_sd", p.severity_dimension_sd)
        yield Parameter("severity", ("severity_contrast", "dimension"), (), centred=centred)
    if len(e.categories) > 1:
        yield Parameter("category_level", ("category_contrast", "dimension"), (), p.category_level)
    yield Parameter("threshold_centre", ("dimension",), (), p.threshold_centre)
    if e.levels:
        gap = float(np.log(p.threshold_span / max(e.levels - 2, 1)))
        yield Parameter("log_gap", ("dimension", "gap"), (), Normal(gap, p.threshold_gap_log_sd))
    else:
        yield Parameter("log_noise_mean", (), (), Normal(float(np.log(p.noise.median)), p.noise.log_sd))
        yield _spread("noise_sd", p.noise_sd)
        yield Parameter("log_noise", ("rating_rater",), (), centred=centred)
