"""Every judgment of a study under the draws of its posterior: log-likelihood and replicates, a few draws at a time.

Plain NumPy from the named quantities, apart from both forms of the joint density, against which tests hold it.
"""

from collections.abc import Iterator

import numpy as np
from scipy.special import expit, log_expit, logit

from ppaint_stats.joint.draws import Draws, derive_draws, expand_utilities
from ppaint_stats.joint.encoding import SQUEEZE, Encoding, find_chance
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.typing import FloatArray, IntArray

CHUNK = 2_000_000
"""Values per array that is held at a time."""


def split_draws(flat: FloatArray, encoding: Encoding, layout: Layout) -> Iterator[tuple[slice, Draws, FloatArray]]:
    """Go through draws in chunks: their place, quantities, and the utilities of all rows, without any sharpness."""
    rows = len(encoding.row_item) * len(encoding.dimensions)
    comparisons = 0 if encoding.comparisons is None else int(encoding.comparisons.weight.sum())
    ratings = 0 if encoding.ratings is None else len(encoding.ratings.row)
    step = max(1, CHUNK // max(rows, 3 * comparisons, ratings * max(encoding.levels, 1)))
    for start in range(0, len(flat), step):
        part = flat[start : start + step]
        draws = derive_draws(part, encoding, layout, seed=np.random.SeedSequence(0))
        consensus = draws.values["consensus"]
        rows_of = [consensus, consensus[:, encoding.plain_item]]
        if encoding.units:
            rows_of.insert(0, expand_utilities(part, draws, encoding, layout, seed=np.random.SeedSequence(0)))
        yield slice(start, start + len(part)), draws, np.concatenate(rows_of, axis=1)


class Preferences:
    """Comparisons in the order of the study's table, one with a count of n standing there n times."""

    def __init__(self, encoding: Encoding) -> None:
        c = encoding.comparisons
        if c is None:
            raise ValueError("the study has no comparisons")
        order = np.argsort(c.source)
        rows = np.repeat(order, c.weight[order].astype(np.int64))
        self.a, self.b, self.dimension, self.rater = c.row_a[rows], c.row_b[rows], c.dimension[rows], c.rater[rows]
        self.observed = c.outcome[rows]
        self.lapse = np.array([encoding.raters.index(name) for name in encoding.preference_raters])[self.rater]

    def shares(self, draws: Draws, utility: FloatArray) -> FloatArray:
        """Probabilities of A, TIE, B, shape (3, draw, comparison)."""
        v, d, r = draws.values, self.dimension, self.rater
        x = v["sharpness"][:, r] * (utility[:, self.a, d] - utility[:, self.b, d]) + v["position"][:, r]
        logits = np.stack([x / 2, v["log_nu"][:, r, d], -x / 2])
        share = np.exp(logits - logits.max(axis=0))
        lapse = v["lapse"][:, self.lapse]
        return np.asarray((1 - lapse) * share / share.sum(axis=0) + lapse / 3)

    def log_likelihood(self, draws: Draws, utility: FloatArray) -> FloatArray:
        """Log probability of every comparison, shape (draw, comparison)."""
        shares = self.shares(draws, utility)
        return np.asarray(np.log(np.take_along_axis(shares, self.observed[None, None], axis=0)[0]))

    def replicate(self, draws: Draws, utility: FloatArray, rng: np.random.Generator) -> IntArray:
        """Outcomes 0, 1, 2 (A, TIE, B) of another round of judgments."""
        upper = np.cumsum(self.shares(draws, utility), axis=0)
        uniform = rng.random(upper.shape[1:])
        return np.asarray((uniform > upper[0]).astype(np.int64) + (uniform > upper[1]))


class Ratings:
    """Ratings in the order of the study's table."""

    def __init__(self, encoding: Encoding) -> None:
        if encoding.ratings is None or encoding.scale is None:
            raise ValueError("the study has no ratings")
        self.data, self.scale, self.levels = encoding.ratings, encoding.scale, encoding.levels
        self.lapse = np.array([encoding.raters.index(name) for name in encoding.rating_raters])[self.data.rater]

    def latent(self, draws: Draws, utility: FloatArray) -> FloatArray:
        """Latents of the ratings, shape (draw, rating)."""
        v, y = draws.values, self.data
        u = utility[:, y.row, y.dimension]
        if "consensus_rating" in v:
            u = u + (v["consensus_rating"] - v["consensus"])[:, y.item, y.dimension]
        eta = v["slope"][:, y.dimension] * v["discrimination"][:, y.rater] * u - v["severity"][:, y.rater, y.dimension]
        if "category_level" in v:
            eta = eta + v["category_level"][:, y.category, y.dimension]
        return np.asarray(eta)

    def log_likelihood(self, draws: Draws, utility: FloatArray) -> FloatArray:
        """Log probability of every rating (on a continuous scale the density of its logit), shape (draw, rating)."""
        v, y = draws.values, self.data
        eta, lapse = self.latent(draws, utility), v["lapse"][:, self.lapse]
        kappa = v["threshold"]
        if not self.levels:
            noise = v["noise"][:, y.rater]
            z = (y.answer - eta + kappa[:, y.dimension, 0]) / noise
            own = np.exp(-z * z / 2) / (noise * np.sqrt(2 * np.pi))
            return np.asarray(np.log((1 - lapse) * own + lapse * find_chance(y.answer)))
        level = y.answer.astype(np.int64)
        edges = np.pad(kappa, ((0, 0), (0, 0), (1, 1)), constant_values=((0, 0), (0, 0), (-np.inf, np.inf)))
        low, high = edges[:, y.dimension, level], edges[:, y.dimension, level + 1]
        own = np.exp(log_expit(high - eta) + log_expit(eta - low)) * -np.expm1(low - high)
        return np.asarray(np.log((1 - lapse) * own + lapse / self.levels))

    def replicate(self, draws: Draws, utility: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Another round of ratings, on the study's scale."""
        v, y, scale = draws.values, self.data, self.scale
        eta, kappa = self.latent(draws, utility), v["threshold"]
        lapsed = rng.random(eta.shape) < v["lapse"][:, self.lapse]
        if not self.levels or scale.levels is None:
            own = rng.normal(eta - kappa[:, y.dimension, 0], v["noise"][:, y.rater])
            logits = np.where(lapsed, logit(rng.uniform(SQUEEZE, 1 - SQUEEZE, eta.shape)), own)
            return np.asarray(scale.low + scale.span * np.clip((expit(logits) - SQUEEZE) / (1 - 2 * SQUEEZE), 0, 1))
        passed = (eta + rng.logistic(size=eta.shape))[..., None] > kappa[:, y.dimension]
        level = np.where(lapsed, rng.integers(self.levels, size=eta.shape), passed.sum(axis=-1))
        return np.asarray(scale.levels[level])
