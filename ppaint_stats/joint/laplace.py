"""A quick approximation of the joint posterior: a short NUTS run, and Laplace's method for what is conditional on it.

The run's draws of habits, thresholds, slopes and hyperparameters are kept. Utilities and consensus, nearly all of the
parameters, are close to normal given these: for each kept draw they are drawn anew from a normal distribution whose
centre is one Newton step from where the run stood, with the curvature at the run's mean. By Stein's identity the mean
gradient over a posterior is 0, so that this step does not move means, and it takes from them the noise of a short run.
"""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ppaint_stats.joint.encoding import Encoding
from ppaint_stats.joint.laplace_blocks import BlockFactor, Blocks, factorise, find_blocks, find_curvature
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.joint.sampling import Sample, sample_density
from ppaint_stats.kernels.joint.data import JointData
from ppaint_stats.kernels.joint.density import joint_logp
from ppaint_stats.typing import FloatArray

CHAINS, TUNE, DRAWS = 4, 150, 100
"""The short run."""

TARGET_ACCEPT = 0.65
"""Its acceptance rate where utilities are sampled as such: the most efficient of HMC in high dimension (Beskos et al.
2013, Bernoulli 19: 0.651)."""

MAX_TREEDEPTH = 8
"""Before the scales of the parameters are learnt, longer trajectories gain nothing."""

POINTS, FEW_POINTS, MAX_GRADIENTS = 64, 4, 1500
"""Draws of the run over which the curvature is averaged, most and least, and gradients that this may take."""

CHUNK = 50
"""Draws that are made at a time."""

MAX_SCORE_ERROR = 0.1
MAX_R_HAT = 1.3
MAX_DIVERGING = 0.02
MAX_WIDTH_ERROR = 0.1


@dataclass(frozen=True)
class Approximation:
    """What was found, beside the draws.

    Parameters
    ----------
    run
        The short run.
    factor
        Curvature of the blocks.
    chain
        Chain of the short run that each draw follows.
    width
        Widths of each block's parameters over the draws, in units of the run's.
    """

    run: Sample
    factor: BlockFactor
    chain: np.ndarray
    width: FloatArray


def sample_laplace(
    encoding: Encoding, data: JointData, layout: Layout, *, draws: int, cores: int, seed: int, target_accept: float,
    progressbar: bool,
) -> tuple[Sample, Approximation]:  # fmt: skip
    """Draw from the approximation.

    The draws depend on the seed alone, not on the number of cores.
    """
    begun = time.perf_counter()
    run_seed, *seeds = np.random.SeedSequence(seed).spawn(1 + -(-draws // CHUNK))
    run = sample_density(
        data, layout, draws=DRAWS, tune=TUNE, chains=CHAINS, cores=min(cores, CHAINS),
        seed=int(run_seed.generate_state(1)[0]), target_accept=target_accept, max_treedepth=MAX_TREEDEPTH,
        progressbar=progressbar, climb=True,
    )  # fmt: skip
    with _show_stage(progressbar=progressbar) as show, ThreadPoolExecutor(max(cores, 1)) as pool:
        blocks = find_blocks(encoding, layout)
        at = run.flat.reshape(-1, run.flat.shape[2])
        show("curvature")
        with threadpool_limits(1, "blas"):  # the pool's threads are all that the processors can take
            curvature = find_curvature(_choose_points(at, blocks), data, blocks, pool)
        factor = factorise(curvature, blocks)
        show("drawing")
        chosen = np.arange(draws) * len(at) // draws  # in the order of the chains
        flat = np.empty((draws, at.shape[1]))

        def draw(k: int) -> None:
            part = chosen[k * CHUNK : (k + 1) * CHUNK]
            white = np.random.default_rng(seeds[k]).standard_normal((at.shape[1], len(part)))
            flat[k * CHUNK : (k + 1) * CHUNK] = centre[part] + factor.colour(white).T

        with threadpool_limits(1, "blas"):
            centre = _find_centres(at, data, factor, pool)
            list(pool.map(draw, range(len(seeds))))
    width = [_compare_widths(flat[:, p], at[:, p]) for p in blocks.parts]
    found = Approximation(run, factor, chosen // run.flat.shape[1], np.array(width))
    return Sample(flat[None], {}, time.perf_counter() - begun), found


def _choose_points(at: FloatArray, blocks: Blocks) -> FloatArray:
    """Where the curvature is found: at some of the run's draws, or, where blocks are large, at their mean alone."""
    per_point = sum(max((len(p) for p in parts), default=0) for parts in (blocks.units, blocks.categories))
    n = min(POINTS, len(at), MAX_GRADIENTS // per_point)
    return at[np.arange(n) * len(at) // n] if n >= FEW_POINTS else at.mean(axis=0, keepdims=True)


def _find_centres(at: FloatArray, data: JointData, factor: BlockFactor, pool: ThreadPoolExecutor) -> FloatArray:
    """A Newton step of the blocks from each draw of the run."""
    centre = np.empty(at.shape)

    def step(start: int) -> None:
        part = slice(start, start + CHUNK)
        gradients = np.array([joint_logp(x, data)[1] for x in at[part]])
        centre[part] = at[part] + factor.colour(factor.whiten(gradients.T)).T

    list(pool.map(step, range(0, len(at), CHUNK)))
    return centre


def _compare_widths(flat: FloatArray, at: FloatArray) -> float:
    """Mean ratio of standard deviations over draws to those over the run."""
    if not flat.shape[1]:
        return 1.0
    return float(np.exp(np.mean(np.log(flat.std(axis=0) / at.std(axis=0)))))


def check_approximation(found: Approximation, layout: Layout, scores: FloatArray, labels: list[str]) -> pd.DataFrame:
    """Check the short run, and how close to normal its blocks are.

    Parameters
    ----------
    found
        What was found.
    layout
        Parameters of the study.
    scores
        Scores of every draw, shape (draw, scores).
    labels
        Their names.

    Returns
    -------
    DataFrame
        One row per check: ``check, value, threshold, passed, where, advice``.
    """
    error, worst_score = estimate_error(scores, found.chain)
    r_hat, place = _compare_chains(found.run.flat, found.factor.blocks.others)
    blocks = found.factor.blocks.names
    stretch = np.abs(found.width - 1)
    short = "the short run is too short for this study: sample with method='nuts'"
    bent = "judgments are too few for a normal approximation: sample with method='nuts'"
    rows = [
        ("score_error", error, MAX_SCORE_ERROR, labels[worst_score], short),
        ("run_r_hat", r_hat, MAX_R_HAT, _name_place(layout, place), short),
        ("run_divergences", float(found.run.stats["diverging"].mean()), MAX_DIVERGING, "", short),
        ("definite", found.factor.ridge, 0.0, "", bent),
        ("width", float(stretch.max()), MAX_WIDTH_ERROR, blocks[int(stretch.argmax())], bent),
    ]
    frame = pd.DataFrame(rows, columns=["check", "value", "threshold", "where", "advice"])
    frame["passed"] = frame["value"] <= frame["threshold"]
    frame.loc[frame["passed"], "advice"] = ""
    return frame[["check", "value", "threshold", "passed", "where", "advice"]]


def estimate_error(scores: FloatArray, chain: np.ndarray) -> tuple[float, int]:
    """Error of the scores' means in posterior sds, from what the chains disagree; and the score where it is worst.

    Chains are independent: the variance of their means over their number is that of the mean over all, here a mean over
    scores as well.
    """
    means = np.array([scores[chain == k].mean(axis=0) for k in range(CHAINS)])
    sd = scores.std(axis=0)
    moving = sd > 0
    error = np.zeros(len(sd))
    error[moving] = means.std(axis=0, ddof=1)[moving] / sd[moving] / np.sqrt(CHAINS)
    return float(np.sqrt(np.mean(error[moving] ** 2))), int(error.argmax())


def _compare_chains(flat: FloatArray, places: np.ndarray) -> tuple[float, int]:
    """Largest rank-normalised split R-hat over some parameters, and where it is."""
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    found = array_stats.rhat(flat[:, :, places], chain_axis=0, draw_axis=1)  # type: ignore[no-untyped-call]
    r_hat = np.atleast_1d(found)
    worst = int(np.argmax(np.where(np.isfinite(r_hat), r_hat, np.inf)))
    return float(r_hat[worst]), int(places[worst])


def _name_place(layout: Layout, place: int) -> str:
    """Name of a place in the flat vector, by its coordinates."""
    used = 0
    for name in layout.names:
        p = layout.parameters[name]
        if place < used + p.size:
            index = np.unravel_index(place - used, p.shape) if p.shape else ()
            words = ", ".join(str(layout.coords[dim][k]) for dim, k in zip(p.dims, index, strict=True))
            return f"{name}[{words}]" if words else name
        used += p.size
    return ""


@contextmanager
def _show_stage(*, progressbar: bool) -> Iterator[Callable[[str], None]]:
    """A line that says what is being done, where a person is looking."""
    if not (progressbar and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("Laplace approximation") as status:
        yield lambda stage: status.update(f"Laplace approximation: {stage}")
