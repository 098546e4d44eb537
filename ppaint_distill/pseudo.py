"""Pseudo-scores: the posterior of new images from a few comparisons with a pool, on the rating scale."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ppaint_distill.comparisons import CellPairs, gather_pairs
from ppaint_distill.reference import PARAMETERS, Pool
from ppaint_distill.score_map import map_cell
from ppaint_distill.targets import Cell, Targets, write_targets
from ppaint_stats.arguments import check_probability
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.progress import track
from ppaint_stats.scale import RatingScale
from ppaint_stats.seeds import describe_seed, split_seed
from ppaint_stats.typing import FloatArray, RandomSeed

__all__ = ["PseudoScores", "score_against_pool"]


@dataclass(frozen=True, eq=False, repr=False)
class PseudoScores:
    """Scores of new images with their joint uncertainty.

    Parameters
    ----------
    scores
        One row per category, dimension and image: ``category, dimension, item, score, sd, lower, upper`` on the rating
        scale, ``latent, latent_sd, latent_lower, latent_upper`` on the scale of strengths (0 is the pool's mean),
        ``n_comparisons`` (pairs) and ``n_answers``.
    draws
        By (category, dimension): joint draws of the scores, shape (draws, images), images in the order of ``scores``.
        Draw s of every image was made with draw s of the pool, so that differences have the right error.
    scale
        Lowest and highest score.
    calibration
        One row a cell: midpoint and width of the map, its anchors, their distance to it (``rmse``), and ``map_se``, the
        standard error of the map itself from leaving anchors out, averaged over the pool's images.
    settings
        What was asked for, and the pool's size and parameters.
    """

    scores: pd.DataFrame
    draws: Mapping[Cell, FloatArray]
    scale: tuple[float, float]
    calibration: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """One line with sizes."""
        n = self.scores[[CATEGORY, ITEM]].drop_duplicates().shape[0]
        low, high = self.scale
        return f"PseudoScores({n} images, {len(self.draws)} cell(s), scores from {low:g} to {high:g})"

    def targets(self) -> Targets:
        """Return the scores as targets of training, draws included."""
        provenance = {
            "method": "pseudo-scores",
            "settings": dict(self.settings),
            "calibration": self.calibration.to_dict("records"),
        }
        return Targets(self.scores, self.scale, self.draws, provenance)

    def to_targets(self, path: str | Path) -> Path:
        """Write the scores as targets of training, for `read_targets`.

        Parameters
        ----------
        path
            Parquet file to write.

        Returns
        -------
        Path
            The file.
        """
        return write_targets(self.targets(), path)


def score_against_pool(
    preferences: pd.DataFrame,
    pool: Pool,
    *,
    anchors: pd.DataFrame | None = None,
    scale: tuple[float, float] = (1.0, 5.0),
    interval_prob: float = 0.9,
    random_seed: RandomSeed = 0,
    progressbar: bool = True,
) -> PseudoScores:
    r"""Score new images by their comparisons with a pool.

    Parameters
    ----------
    preferences
        Table of preferences; each pair is of one pool image and one new image.
    pool
        Of `fit_pool`, from comparisons by the same judge.
    anchors
        Pool images whose scores are known: columns ``item, score``, and perhaps ``category`` and ``dimension`` (without
        them a score holds for all). Every cell then needs at least two; 5 are few, 10 are enough. None uses a map by
        convention: see Notes.
    scale
        Lowest and highest score.
    interval_prob
        Probability of the intervals, equal-tailed.
    random_seed
        Seed.
    progressbar
        Whether a bar shows progress, in a terminal.

    Returns
    -------
    PseudoScores
        Scores, intervals and joint draws.

    Raises
    ------
    DataError
        If the table is not allowed, a pair is not of one pool image and one new image, or an anchor is not in the pool.
    ArgumentError
        If a parameter is outside its range.

    Warns
    -----
    CalibrationWarning
        If the anchors hardly determine the map.

    Notes
    -----
    Given one joint draw of the pool (strengths, nu, delta, rho), a new image's strength has the density

    .. math:: N(\lambda; m, \sigma^2) \prod_j P(\text{answers about the pair with } j \mid \lambda - \lambda_j),

    which is evaluated on a lattice, without a normal approximation. Draw s of every new image is taken from its density
    given draw s of the pool; mean, sd and quantiles are those of the mixture over all draws. New images therefore share
    the pool's error in their draws, as they do in truth: P(score of i > score of j) from the draws is right, while
    sds taken as independent make such differences look less certain than they are. The new comparisons do not move
    the pool: it stays the same for every set of new images. Answers to one pair in both orders are joined by the
    pool's estimate of the judge's consistency (see `fit_pool`).

    Scores are ``low + (high - low) / (1 + exp(-(latent - midpoint) / width))``, with midpoint and width fitted to the
    anchors' mean strengths by least squares. The map is what *defines* the scale: intervals hold given the map, and
    its own standard error is reported beside them (``calibration``). It is common to all images and monotone, so
    that it can change no order and no P(score of i > score of j). Without anchors the 2.5 % and 97.5 % quantiles
    of the prior go to a tenth and nine tenths of the scale: such scores rank images, and their level means nothing.

    What is estimated is the *judge's* opinion. How far the judge is right is a question for `evaluate_scores`.
    """
    check_probability("interval_prob", interval_prob)
    limits = RatingScale.parse(tuple(scale))
    votes = pool.settings.get("votes", "share")
    gathered = gather_pairs(preferences, pool={cell: pool.items(*cell) for cell in pool.cells}, votes=votes)
    maps = {cell: map_cell(pool, cell, anchors, limits) for cell in gathered}
    seeds = split_seed(random_seed, len(gathered))
    frames, draws = [], {}
    work = zip(gathered.items(), seeds, strict=True)
    for (cell, pairs), seed in track(work, total=len(gathered), description="Pseudo-scores", progressbar=progressbar):
        calibration = maps[cell].calibration
        found = _score_cell(pairs, pool, cell, calibration.apply, interval_prob, np.random.default_rng(seed))
        latent, sd, score, score_sd, lower, upper = found[0].T
        columns = {
            CATEGORY: cell[0],
            DIMENSION: cell[1],
            ITEM: pairs.items,
            "score": score,
            "sd": score_sd,
            "lower": calibration.apply(lower),
            "upper": calibration.apply(upper),
            "latent": latent,
            "latent_sd": sd,
            "latent_lower": lower,
            "latent_upper": upper,
            "n_comparisons": np.bincount(pairs.first, minlength=len(pairs.items)),
            "n_answers": np.bincount(pairs.first, pairs.n_answers, len(pairs.items)),
        }
        frames.append(pd.DataFrame(columns))
        draws[cell] = calibration.apply(found[1])
    settings = {
        "interval_prob": interval_prob,
        "anchors": 0 if anchors is None else len(anchors),
        "random_seed": describe_seed(random_seed),
        "pool": {**pool.settings, "parameters": pool.parameters.to_dict("records")},
    }
    table = pd.DataFrame([{CATEGORY: cell[0], DIMENSION: cell[1], **maps[cell].describe()} for cell in gathered])
    return PseudoScores(pd.concat(frames, ignore_index=True), draws, (limits.low, limits.high), table, settings)


def _score_cell(
    pairs: CellPairs, pool: Pool, cell: Cell, apply: Any, prob: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Summaries of shape (images, 6) and joint draws of the strengths, shape (draws, images)."""
    from ppaint_distill.kernels.answers import find_patterns
    from ppaint_distill.kernels.mixture import Comparisons, PoolSample, integrate_pool

    patterns, code = find_patterns(pairs.weights)
    order = np.argsort(pairs.first, kind="stable")
    offset = np.concatenate([[0], np.cumsum(np.bincount(pairs.first, minlength=len(pairs.items)))]).astype(np.int64)
    parameters = {name: pool.parameter_draws[cell][name].to_numpy(dtype=np.float64) for name in PARAMETERS}
    return integrate_pool(
        Comparisons(pairs.second[order].astype(np.int64), code[order], offset, patterns),
        PoolSample(strength=np.ascontiguousarray(pool.draws[cell]), **parameters),
        apply=apply,
        tails=((1 - prob) / 2, (1 + prob) / 2),
        rng=rng,
    )
