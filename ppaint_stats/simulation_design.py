"""PPaintDesign: every quantity of the simulator, its unit and its default."""

import math
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from ppaint_stats.design import resolve_window
from ppaint_stats.errors import ArgumentError
from ppaint_stats.scale import RatingScale
from ppaint_stats.typing import FloatArray

CATEGORY_NAMES = ("flower-and-bird", "figure", "landscape")
DIMENSION_NAMES = ("technique", "coloration", "composition", "mood", "overall")
DEFAULT_SCALE = RatingScale(1, 5, 1)
LOGISTIC_SD = math.pi / math.sqrt(3.0)
"""Standard deviation of the standard logistic distribution: the noise of a judgment, under either link."""

_COUNTS = {"n_categories": 1, "n_items": 2, "n_raters": 1, "n_pairs": 1, "n_trials": 1, "n_careless": 0}
_SHARES = ("missing_ratings", "missing_comparisons", "lapse", "careless_lapse")
_SIGNED = ("rating_shift", "tie_log_mean", "position_mean")
_POSITIVE = ("item_sd", "rating_slope", "rating_span")


@dataclass(frozen=True, kw_only=True)
class PPaintDesign:
    """A study to simulate. The defaults are the PPaint design: 45,900 preferences and 3,750 ratings.

    Utilities stand on the preference scale: for a rater of sharpness 1 without position bias or ties, the log odds
    of preferring A are the difference of the two utilities. Standard deviations named ``log_sd`` are those of a
    natural logarithm whose mean is 0.

    Parameters
    ----------
    n_categories, n_items, n_raters : int
        Categories, items per category (at least 2), raters per category.
    crossed : bool
        Whether the same raters judge all categories; otherwise every category has its own.
    dimensions : tuple of str
        Names of the judged dimensions.
    n_pairs : int
        Different pairs per category, judged by each of its raters on each dimension.
    window : int, optional
        Largest rank gap of local pairs, see `locally_dense_pairs`.
    first_estimate_sd : float
        Noise of the first estimate by which items are sorted for pairing, in utility.
    n_trials : int
        Times that every rater gives every judgment; above 1 the tables have a column ``trial``.
    scale : RatingScale or (low, high) or (low, high, step)
        Rating scale in rating points; without a step it is continuous.
    item_sd : float
        Spread of item utilities in a dimension.
    item_correlation, overall_correlation : float
        Correlation of item utilities between two dimensions, and between the dimension named ``overall`` (where
        there is one) and any other.
    protocol_correlation : float
        Correlation rho between the item utilities behind ratings and behind preferences; 1: they are the same.
    taste_sd, taste_correlation, taste_log_sd : float
        Spread of a rater's own taste for an item (utility), its correlation between dimensions (halo), and the
        log spread over raters of that spread.
    taste : {"normal", "t3"}
        Distribution of taste; ``"t3"`` is Student's t on 3 degrees of freedom, scaled to the same spread.
    severity_sd, severity_dimension_sd : float
        Spread of raters' severities, and of a rater's between dimensions, on the latent scale of ratings.
    category_sd : float
        Spread of category levels in a dimension, on the latent scale of ratings; they sum to zero over categories.
    rating_discrimination_log_sd, preference_discrimination_log_sd : float
        Log spread over raters of the factor on utilities in ratings (a) and in preferences (e).
    rating_slope : float
        Latent rating per unit of utility (h).
    rating_span : float
        Latent distance that the scale covers from its lowest to its highest level: thresholds lie midway between
        equally spaced levels. On a continuous scale it fixes the slope at the middle.
    rating_shift : float
        Latent shift of all ratings upwards.
    thresholds : tuple of float, optional
        Thresholds (kappa) between the levels, increasing, in place of those from `rating_span`.
    rating_noise_log_sd : float
        Continuous scales only: log spread over raters of the noise in ratings.
    tie_log_mean, tie_log_sd, tie_dimension_log_sd : float
        Mean log tie parameter (nu), its spread over raters, and over the dimensions of a rater.
    position_mean, position_sd : float
        Mean and spread over raters of the advantage of the item shown first (delta), in utility.
    link : {"logit", "probit"}
        Noise of judgments: logistic and Davidson's model, or normal of the same standard deviation.
    missing_ratings, missing_comparisons : float
        Share of rows left out at random from each table; the count is the nearest integer.
    lapse : float
        Probability that a judgment is a random answer: each level, or each of A, TIE and B, equally likely.
    n_careless : int
        Raters, of all in the study, whose lapse probability is `careless_lapse`; they are drawn at random.
    careless_lapse : float
        Lapse probability of careless raters.

    Raises
    ------
    ArgumentError
        If a value is not allowed.

    Examples
    --------
    >>> design = PPaintDesign()
    >>> design.n_preferences, design.n_ratings
    (45900, 3750)
    >>> PPaintDesign(n_items=12, n_pairs=40, scale=(1, 5, 0.5)).levels.size
    9
    """

    n_categories: int = 3
    n_items: int = 50
    n_raters: int = 5
    crossed: bool = False
    dimensions: tuple[str, ...] = DIMENSION_NAMES
    n_pairs: int = 612
    window: int | None = None
    first_estimate_sd: float = 1.5
    n_trials: int = 1
    scale: RatingScale | tuple[float, ...] = DEFAULT_SCALE
    item_sd: float = 3.0
    item_correlation: float = 0.6
    overall_correlation: float = 0.75
    protocol_correlation: float = 1.0
    taste_sd: float = 1.5
    taste_correlation: float = 0.5
    taste_log_sd: float = 0.15
    taste: Literal["normal", "t3"] = "normal"
    severity_sd: float = 0.8
    severity_dimension_sd: float = 0.4
    category_sd: float = 0.3
    rating_discrimination_log_sd: float = 0.2
    preference_discrimination_log_sd: float = 0.2
    rating_slope: float = 1.5
    rating_span: float = 16.0
    rating_shift: float = 0.8
    thresholds: tuple[float, ...] | None = None
    rating_noise_log_sd: float = 0.2
    tie_log_mean: float = -0.1
    tie_log_sd: float = 0.3
    tie_dimension_log_sd: float = 0.1
    position_mean: float = 0.15
    position_sd: float = 0.2
    link: Literal["logit", "probit"] = "logit"
    missing_ratings: float = 0.0
    missing_comparisons: float = 0.0
    lapse: float = 0.0
    n_careless: int = 0
    careless_lapse: float = 0.5

    def __post_init__(self) -> None:
        """Check every value."""
        self._check_numbers()
        if not self.dimensions or len(set(self.dimensions)) < len(self.dimensions):
            raise ArgumentError(f"dimensions = {self.dimensions} must be one or more different names")
        for name, allowed in (("taste", ("normal", "t3")), ("link", ("logit", "probit"))):
            if getattr(self, name) not in allowed:
                raise ArgumentError(f"{name} = {getattr(self, name)!r} is not allowed: one of {allowed} is")
        if self.n_careless > self.n_raters_in_all:
            raise ArgumentError(f"n_careless = {self.n_careless} exceeds the {self.n_raters_in_all} raters")
        resolve_window(self.n_items, n_pairs=self.n_pairs, window=self.window)
        self._check_scale()
        for matrix, name in ((self.item_correlations, "item_correlation"), (self.taste_correlations, "taste")):
            if np.linalg.eigvalsh(matrix)[0] < -1e-9:
                raise ArgumentError(f"no {len(matrix)} dimensions can have the correlations of {name}: {matrix[0]} ...")

    def _check_numbers(self) -> None:
        for name, least in _COUNTS.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ArgumentError(f"{name} = {value!r} is not allowed: an integer of at least {least} is")
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if field.type is not float:
                continue
            if not isinstance(value, int | float | np.number) or not math.isfinite(value):
                raise ArgumentError(f"{name} = {value!r} is not allowed: a finite number is")
            if name in _SHARES and not 0 <= value <= 1:
                raise ArgumentError(f"{name} = {value} is not allowed: a share from 0 to 1 is")
            if name.startswith("missing") and value == 1:
                raise ArgumentError(f"{name} = 1 would leave an empty table: a share below 1 is allowed")
            if name.endswith("_correlation") and not -1 <= value <= 1:
                raise ArgumentError(f"{name} = {value} is not allowed: a correlation from -1 to 1 is")
            if name in _POSITIVE and value <= 0:
                raise ArgumentError(f"{name} = {value} is not allowed: a positive number is")
            if value < 0 and name not in _SIGNED and not name.endswith("_correlation"):
                raise ArgumentError(f"{name} = {value} is not allowed: a number of at least 0 is")

    def _check_scale(self) -> None:
        if self.thresholds is None:
            RatingScale.parse(self.scale)
            return
        if self.rating_scale.step is None:
            raise ArgumentError("thresholds belong to a scale with a step, and this scale is continuous")
        n_levels = self.levels.size
        if len(self.thresholds) != n_levels - 1 or not np.all(np.diff(self.thresholds) > 0):
            raise ArgumentError(
                f"thresholds = {self.thresholds}: {n_levels - 1} increasing numbers separate {n_levels} levels"
            )

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories; beyond the three of PPaint they are numbered."""
        extra = (f"category-{c + 1}" for c in range(len(CATEGORY_NAMES), self.n_categories))
        return (*CATEGORY_NAMES[: self.n_categories], *extra)

    @property
    def items(self) -> tuple[tuple[str, ...], ...]:
        """Item identifiers by category, unique in the study."""
        width = max(2, len(str(self.n_items)))
        return tuple(tuple(f"{name}-{i + 1:0{width}d}" for i in range(self.n_items)) for name in self.categories)

    @property
    def raters(self) -> tuple[tuple[str, ...], ...]:
        """Rater identifiers by category; the same ones in each if the design is crossed."""
        width = max(2, len(str(self.n_raters_in_all)))
        names = [f"rater-{r + 1:0{width}d}" for r in range(self.n_raters_in_all)]
        return tuple(tuple(names[r] for r in row) for row in self.rater_index)

    @property
    def rater_index(self) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """Position of each category's raters among all raters, shape (category, rater)."""
        step = 0 if self.crossed else self.n_raters
        return np.arange(self.n_raters)[None, :] + step * np.arange(self.n_categories)[:, None]

    @property
    def n_raters_in_all(self) -> int:
        """Number of different raters in the study."""
        return self.n_raters if self.crossed else self.n_raters * self.n_categories

    @property
    def n_ratings(self) -> int:
        """Number of ratings before any is left out."""
        return self.n_categories * self.n_raters * self.n_items * len(self.dimensions) * self.n_trials

    @property
    def n_preferences(self) -> int:
        """Number of preferences before any is left out."""
        return self.n_categories * self.n_raters * self.n_pairs * len(self.dimensions) * self.n_trials

    @property
    def rating_scale(self) -> RatingScale:
        """The rating scale as an object."""
        return RatingScale.parse(self.scale)

    @property
    def levels(self) -> FloatArray:
        """Levels of the rating scale in rating points; empty for a continuous scale."""
        levels = self.rating_scale.levels
        return np.empty(0) if levels is None else levels

    @property
    def kappa(self) -> FloatArray:
        """Thresholds between the levels on the latent scale of ratings; empty for a continuous scale."""
        if self.thresholds is not None:
            return np.asarray(self.thresholds, dtype=np.float64) - self.rating_shift
        n_steps = self.levels.size - 1
        return self.rating_span * ((np.arange(n_steps) + 0.5) / n_steps - 0.5) - self.rating_shift

    @property
    def item_correlations(self) -> FloatArray:
        """Correlations of item utilities, shape (dimension, dimension)."""
        matrix = np.full((len(self.dimensions), len(self.dimensions)), self.item_correlation)
        if "overall" in self.dimensions:
            overall = self.dimensions.index("overall")
            matrix[overall, :] = matrix[:, overall] = self.overall_correlation
        np.fill_diagonal(matrix, 1.0)
        return matrix

    @property
    def taste_correlations(self) -> FloatArray:
        """Correlations of taste, shape (dimension, dimension)."""
        matrix = np.full((len(self.dimensions), len(self.dimensions)), self.taste_correlation)
        np.fill_diagonal(matrix, 1.0)
        return matrix
