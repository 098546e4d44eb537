r"""Links: from a score to the probability of what a rater says who was not asked before.

One link per dimension, with x the score's distance from the mean of its category's items, in units of their spread:

- comparisons: Davidson's model in the difference of two scores, :math:`P(A):P(TIE):P(B) = e^{z/2} : \nu : e^{-z/2}`
  with :math:`z = h (x_A - x_B) + \delta`;
- ratings on a scale of levels: :math:`P(y \le k) = \sigma(\kappa_k - h x - o_c + b)`, on a continuous one
  :math:`\mathrm{logit}\,y \sim N(m + h x + o_c - b, \sigma^2)`, with an offset :math:`o_c` per category and severities
  :math:`b \sim N(0, s^2)` of the raters, which are integrated out: in the fit over each rater's ratings together, in
  a prediction for each rating by itself.

The slope is never negative: a score that runs against the judgments predicts nothing, and is not turned round. What
s squared is estimated from R raters is enlarged by (R + 1) / (R - 1) in predictions: a maximum-likelihood variance is
too small by (R - 1) / R, and a new rater differs from the mean of R others by 1 + 1 / R of it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_expit, logsumexp, ndtr

from ppaint_stats.kernels.expected import SPREADS, WEIGHTS
from ppaint_stats.typing import FloatArray, IntArray

PSEUDO = 1.0
"""Judgments of two equal items, or of an average one, spread evenly over all answers: no probability becomes 0."""

MAX_SLOPE = 50.0
"""Largest slope, per standard deviation of the scores."""

_RIDGE = 1e-3
"""Penalty on half the squared slope (per standard deviation of the scores) and offsets: 0 where nothing tells them."""

_NODES = np.linspace(-4, 4, 25)
_NODE_LOG_WEIGHT = -(_NODES**2) / 2 - logsumexp(-(_NODES**2) / 2)
_NOTHING = 1e-9


@dataclass(frozen=True)
class ComparisonLink:
    """Slope h, log nu (minus infinity where nobody ever ties) and order effect delta."""

    slope: float
    log_nu: float
    order: float

    def shares(self, difference: FloatArray) -> FloatArray:
        """Probabilities of A, TIE, B, shape (comparison, 3)."""
        logits = _davidson_logits(self.slope * difference + self.order, self.log_nu)
        return np.asarray(np.exp(logits - logsumexp(logits, axis=1, keepdims=True)))


def _davidson_logits(z: FloatArray, log_nu: float) -> FloatArray:
    return np.stack([z / 2, np.full(len(z), log_nu), -z / 2], axis=1)


def fit_comparison_link(
    difference: FloatArray, outcome: IntArray, weight: FloatArray, *, has_ties: bool, use_scores: bool = True
) -> ComparisonLink:
    """Fit Davidson's model in a known difference of scores by maximum likelihood.

    Parameters
    ----------
    difference
        Score of A minus score of B, shape (comparison,).
    outcome
        0, 1, 2 for A, TIE, B.
    weight
        Number of such comparisons.
    has_ties
        Whether ties can occur at all.
    use_scores
        False fixes the slope at 0: the frequencies of the outcomes.

    Returns
    -------
    ComparisonLink
        The link.
    """
    unit = _find_unit(difference, weight)
    z = np.append(difference / unit, [0.0] * 3)
    y = np.append(outcome, [0, 1, 2])
    w = np.append(weight, [PSEUDO / (3 if has_ties else 2)] * 3)
    if not has_ties:
        w = np.where(y == 1, 0.0, w)
    hit = np.eye(3)[y] * w[:, None]

    def evaluate(at: FloatArray) -> tuple[float, FloatArray]:
        logits = _davidson_logits(at[0] * z + at[2], at[1] if has_ties else -np.inf)
        norm = logsumexp(logits, axis=1)
        excess = hit - w[:, None] * np.exp(logits - norm[:, None])
        side = (excess[:, 0] - excess[:, 2]) / 2
        value = float((np.where(hit > 0, logits, 0.0) * hit).sum() - w @ norm)
        value -= _RIDGE * at[0] ** 2 / 2
        return -value, -np.array([side @ z - _RIDGE * at[0], excess[:, 1].sum() if has_ties else 0.0, side.sum()])

    top = MAX_SLOPE if use_scores else 0.0
    found = minimize(
        evaluate, np.array([min(1.0, top), -0.5, 0.0]), jac=True, method="L-BFGS-B",
        bounds=[(0.0, top), (-15.0, 15.0), (-15.0, 15.0)], options={"ftol": 1e-12, "gtol": 1e-7},
    ).x  # fmt: skip
    return ComparisonLink(float(found[0] / unit), float(found[1]) if has_ties else -np.inf, float(found[2]))


@dataclass(frozen=True)
class RatingLink:
    """Slope, offsets by category, thresholds (one location on a continuous scale), and spreads.

    ``severity_variance`` is that of a new rater around the mean of those whom the link was fitted to, ``noise_sd`` that
    of one rating on a continuous scale, 0 on a scale of levels.
    """

    slope: float
    offset: FloatArray
    threshold: FloatArray
    severity_variance: float
    noise_sd: float

    def centre(self, x: FloatArray, category: IntArray) -> FloatArray:
        """Latent rating by an average rater."""
        return np.asarray(self.slope * x + self.offset[category])

    def above(self, x: FloatArray, category: IntArray, cuts: FloatArray) -> FloatArray:
        """Probability that a rating lies above each cut, shape (rating, cut); levels have a cut below each but one."""
        centre = self.centre(x, category)[:, None]
        if self.noise_sd:
            return np.asarray(ndtr((centre + self.threshold[0] - cuts) / self._total_sd))
        return average_logistic(centre - self.threshold, self.severity_variance)

    def log_density(self, x: FloatArray, category: IntArray, logit: FloatArray) -> FloatArray:
        """Log density of the logit of ratings on a continuous scale."""
        z = (logit - self.centre(x, category) - self.threshold[0]) / self._total_sd
        return np.asarray(-z * z / 2 - np.log(self._total_sd * np.sqrt(2 * np.pi)))

    @property
    def _total_sd(self) -> float:
        return float(np.sqrt(self.noise_sd**2 + self.severity_variance))


def average_logistic(x: FloatArray, variance: FloatArray | float) -> FloatArray:
    """Average of the logistic function over N(x, variance), as ``kernels.expected.smooth_logistic`` for arrays."""
    parts = [w * ndtr(x / np.sqrt(s * s + variance)) for w, s in zip(WEIGHTS, SPREADS, strict=True)]
    return np.asarray(sum(parts))


def fit_rating_link(
    x: FloatArray,
    answer: FloatArray,
    rater: IntArray,
    category: IntArray,
    *,
    levels: int,
    n_categories: int,
    use_scores: bool = True,
) -> RatingLink:
    """Fit the ratings' link by maximum likelihood, severities integrated out.

    Parameters
    ----------
    x
        Scores of the rated items.
    answer
        Levels from 0, or logits where ``levels`` is 0.
    rater, category
        Codes.
    levels
        Number of levels; 0 for a continuous scale.
    n_categories
        Number of categories.
    use_scores
        False fixes the slope at 0: the frequencies of the answers.

    Returns
    -------
    RatingLink
        The link.
    """
    present, place = np.unique(category, return_inverse=True)
    free = np.eye(len(present))[place][:, 1:]  # the first category is where the thresholds stand
    if len(present) > 1:  # so that a category that nobody rated stands at the average of the others
        free = np.where((place == 0)[:, None], -1.0, free)
    unit = _find_unit(x, np.ones(len(x)))
    design = np.column_stack([x / unit, free]) if use_scores else free
    fit = _fit_levels if levels else _fit_normal
    at, threshold, variance, noise = fit(design, answer, rater, levels, use_scores)
    n_raters = len(np.unique(rater))
    if n_raters > 1:
        variance *= (n_raters + 1) / (n_raters - 1)
    offset = np.zeros(n_categories)
    own = at[1:] if use_scores else at
    if len(present):
        offset[present] = np.append(-own.sum(), own)
    return RatingLink(float(at[0] / unit) if use_scores else 0.0, offset, threshold, variance, noise)


def _find_unit(x: FloatArray, weight: FloatArray) -> float:
    """Root mean square of the scores, by which they are divided for the search."""
    if not len(x) or weight.sum() <= 0:
        return 1.0
    size = float(np.sqrt((weight * x * x).sum() / weight.sum()))
    return size if size > _NOTHING else 1.0


def _fit_normal(
    design: FloatArray, z: FloatArray, rater: IntArray, _levels: int, use_scores: bool
) -> tuple[FloatArray, FloatArray, float, float]:
    """Normal ratings with an intercept per rater: generalised least squares at the best ratio of the variances."""
    n, k = design.shape
    if n < k + 4:  # too little to learn from: any rating is equally likely
        return np.zeros(k), np.zeros(1), 0.0, float(np.pi / np.sqrt(3))
    code = np.unique(rater, return_inverse=True)[1]
    size = np.bincount(code).astype(float)

    def solve(matrix: FloatArray, ratio: float) -> tuple[FloatArray, float, float]:
        shrink = 1 - 1 / np.sqrt(1 + ratio * size)  # leaves independent residuals of equal variance
        own = matrix - (shrink[:, None] * _group(matrix, code) / size[:, None])[code]
        target = z - (shrink * np.bincount(code, z) / size)[code]
        at = np.linalg.lstsq(own, target, rcond=None)[0]
        variance = max(float(((target - own @ at) ** 2).mean()), 1e-6)
        return at, variance, float(n * np.log(variance) + np.log1p(ratio * size).sum())

    def search(matrix: FloatArray) -> tuple[FloatArray, float, float]:
        best = minimize_scalar(
            lambda log_ratio: solve(matrix, np.exp(log_ratio))[2], bounds=(-9.0, 6.0), method="bounded"
        )
        ratio = float(np.exp(best.x))
        at, variance, _ = solve(matrix, ratio)
        return at, variance, ratio

    whole = np.column_stack([design, np.ones(n)])
    at, variance, ratio = search(whole)
    if use_scores and at[0] < 0:
        rest, variance, ratio = search(whole[:, 1:])
        at = np.append(0.0, rest)
    return at[:-1], at[-1:], ratio * variance, float(np.sqrt(variance))


def _group(matrix: FloatArray, code: IntArray) -> FloatArray:
    return np.column_stack([np.bincount(code, column) for column in matrix.T])


def _fit_levels(
    design: FloatArray, answer: FloatArray, rater: IntArray, levels: int, use_scores: bool
) -> tuple[FloatArray, FloatArray, float, float]:
    """Ordered logit with an intercept per rater, which is integrated out on a grid."""
    k = design.shape[1]
    n_raters = len(np.unique(rater))
    # One rating of an average item by a rater of its own, spread over all levels.
    design = np.vstack([design, np.zeros((levels, k))])
    level = np.append(answer, np.arange(levels)).astype(np.int64)
    code = np.append(np.unique(rater, return_inverse=True)[1], np.full(levels, n_raters))
    weight = np.append(np.ones(len(answer)), np.full(levels, PSEUDO / levels))
    member = np.eye(n_raters + 1)[code].T * weight  # (rater, rating)
    cuts = levels - 1

    def evaluate(at: FloatArray) -> tuple[float, FloatArray]:
        sd, gaps = np.exp(at[k]), np.exp(at[k + 2 :])
        kappa = at[k + 1] + np.concatenate([[0.0], np.cumsum(gaps)])
        edges = np.concatenate([[-np.inf], kappa, [np.inf]])
        eta = (design @ at[:k])[:, None] - sd * _NODES
        high, low = edges[level + 1][:, None] - eta, edges[level][:, None] - eta
        width = (edges[level + 1] - edges[level])[:, None]
        log_p = log_expit(high) + log_expit(-low) + np.log(-np.expm1(-width))
        by_node = member @ log_p + _NODE_LOG_WEIGHT  # (rater, node)
        total = logsumexp(by_node, axis=1)
        share = np.exp(by_node - total[:, None])[code] * weight[:, None]
        with np.errstate(over="ignore"):
            gap = 1 / np.expm1(width)
        by_high, by_low = (1 - expit(high) + gap) * share, (-expit(low) - gap) * share
        by_high[level == cuts], by_low[level == 0] = 0.0, 0.0
        by_eta = -(by_high + by_low)
        by_kappa = np.bincount(level, by_high.sum(axis=1), levels)[:cuts]
        by_kappa = by_kappa + np.bincount(level, by_low.sum(axis=1), levels)[1:]
        tail = np.cumsum(by_kappa[::-1])[::-1]
        gradient = np.concatenate([
            design.T @ by_eta.sum(axis=1), [-sd * (by_eta @ _NODES).sum()], tail[:1], gaps * tail[1:],
        ])  # fmt: skip
        gradient[:k] -= _RIDGE * at[:k]
        return _RIDGE * float(at[:k] @ at[:k]) / 2 - float(total.sum()), -gradient

    share = (np.bincount(level, weight, levels).cumsum() / weight.sum())[:-1]
    guess = np.log(share / (1 - share))
    start = np.concatenate([np.zeros(k), [-1.0], guess[:1], np.log(np.maximum(np.diff(guess), 0.05))])
    if use_scores:
        start[0] = 0.5
    bounds = [(0.0, MAX_SLOPE) if use_scores and i == 0 else (-MAX_SLOPE, MAX_SLOPE) for i in range(k)]
    bounds += [(-5.0, 3.0), (-60.0, 60.0), *[(-8.0, 5.0)] * (cuts - 1)]
    found = minimize(
        evaluate, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-11, "gtol": 1e-6}
    ).x
    kappa = found[k + 1] + np.concatenate([[0.0], np.cumsum(np.exp(found[k + 2 :]))])
    return found[:k], kappa, float(np.exp(2 * found[k])), 0.0
