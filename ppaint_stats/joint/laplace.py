"""A quick approximation of the joint posterior, a nested Laplace approximation: normal in three levels.

Blocks (utilities of raters in categories, and the categories' consensus) are normal given the core (raters' habits,
thresholds, slopes), the core is normal given the hyperparameters (covariances, spreads), and these are normal. At each
level the centre is where the *mean* gradient over the levels within vanishes, which by Fisher's identity is the
gradient of the marginal density, and the precision is that of the complete data less what the inner levels leave
unknown (Louis 1982).
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ppaint_stats.joint.encoding import Encoding
from ppaint_stats.joint.laplace_arrow import Arrow, ArrowFactor, factorise, factorise_blocks, factorise_ridged
from ppaint_stats.joint.laplace_curvature import Curvature
from ppaint_stats.joint.laplace_places import find_places
from ppaint_stats.joint.laplace_start import find_start
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.joint.sampling import Sample
from ppaint_stats.kernels.joint.data import JointData
from ppaint_stats.typing import FloatArray

PAIRS, FIRST_PAIRS = 100, 20
"""Pairs of draws, opposite to each other, over which gradients are averaged, near the centre and far from it."""

FEW_PAIRS, HYPER_PAIRS = 8, 4
"""Pairs over which the curvature by habits is, and that by hyperparameters."""

STILL = 2.0
"""Squared distance of a step, in posterior sds, after which the curvature of the blocks serves again."""

MAX_ROUNDS, HASTY_ROUNDS = 40, 15
NEAR = 30.0
"""Squared distance of the centre, in posterior sds, from which hyperparameters are moved as well.

This and ``INNER_TOLERANCE`` are for ``SIZE`` parameters, and grow with their number in larger studies.
"""

INNER_TOLERANCE, OUTER_TOLERANCE = 0.5, 0.05
"""Squared distances that the last step may have, over all parameters within, and over the hyperparameters."""

SIZE = 4500

MAX_STEP, MAX_HYPER_STEP = 2.0, 0.7
STEP_INFORMATION, LEAST_INFORMATION = 0.25, 0.1
"""Share of the complete data's information on hyperparameters that is taken to be left, for steps and for widths."""

MAX_WIDENING = 2.0
"""Variance of the hyperparameters, in units of the prior's, up to which the approximation is trusted."""

MAX_CURVATURE_ERROR = 0.2


@dataclass(frozen=True)
class Approximation:
    """A normal approximation of the posterior.

    Parameters
    ----------
    centre
        Flat vector.
    factor
        Precision of blocks and core given the hyperparameters.
    hyper_root
        Root of the hyperparameters' covariance.
    drift
        What centre of blocks and core moves by with each hyperparameter.
    inner, outer, ridge, widening, curvature_error
        What :func:`check_approximation` judges.
    worst_block
        Where the curvature's error is largest.
    rounds
        Rounds that were needed.
    """

    centre: FloatArray
    factor: ArrowFactor
    hyper_root: FloatArray
    drift: FloatArray
    inner: float
    outer: float
    ridge: float
    widening: float
    curvature_error: float
    worst_block: str
    rounds: int


def sample_laplace(
    encoding: Encoding, data: JointData, layout: Layout, *, draws: int, cores: int, seed: int, progressbar: bool
) -> tuple[Sample, pd.DataFrame, int]:
    """Draw from the Laplace approximation; also its checks, and the rounds that it took.

    The draws depend on the seed alone, not on the number of cores.
    """
    begun = time.perf_counter()
    rng = np.random.default_rng(seed)
    with _show_stage(progressbar=progressbar) as show:
        curvature = Curvature(encoding, layout, data, find_places(encoding, layout), cores)
        try:
            found = approximate(curvature, layout.middle, rng, show)
            show("drawing")
            flat = _draw(curvature, found, draws, rng)
        finally:
            curvature.pool.shutdown()
    return Sample(flat[None], {}, time.perf_counter() - begun), check_approximation(found), found.rounds


def approximate(
    curvature: Curvature, x: FloatArray, rng: np.random.Generator, show: Callable[[str], None] = lambda _: None
) -> Approximation:
    """Find the approximation by Newton's steps, all levels in each round.

    Parameters
    ----------
    curvature
        The study.
    x
        Where to begin.
    rng
        For the draws over which gradients are averaged; the same standard normal ones serve every round.
    show
        Told what is being done.
    """
    size = len(x)
    white = rng.standard_normal((size, PAIRS))
    show("looking for the mode")
    x = find_start(curvature, x, white)
    points = [np.zeros(size)]
    near, relax, last = False, 1.0, np.zeros(len(curvature.places.hyper))
    arrow: Arrow | None = None
    scale = max(1.0, size / SIZE)
    best: Approximation | None = None
    for k in range(MAX_ROUNDS):
        show(f"round {k + 1}")
        level = _Round(curvature, x, white, points, near=near, arrow=arrow)
        points = level.points
        hyper_step, outer = level.hyper_step()
        inner = level.inner
        if not near:
            near = inner < NEAR * scale and not level.ridge
            hyper_step, outer = 0.0 * hyper_step, np.inf
        elif inner < INNER_TOLERANCE * scale and outer < OUTER_TOLERANCE and not level.ridge:
            step = level.step(hyper_step)
            return replace(level.conclude(outer, k + 1), centre=x + step)
        if near and np.isfinite(outer):
            overshot = bool(last @ level.score < 0)
            relax = max(0.5 * relax, 0.2) if overshot else min(1.0, 1.5 * relax)
            last = hyper_step
            if best is None or (level.ridge <= best.ridge and inner + outer < best.inner + best.outer):
                best = level.conclude(outer, k + 1)
        largest = np.abs(hyper_step).max(initial=0.0)
        show(f"round {k + 1}: {np.sqrt(max(inner, 0.0)):.2f}, {np.sqrt(max(outer, 0.0)):.2f} sds from the centre")
        step = level.step(hyper_step * relax * min(1.0, MAX_HYPER_STEP / max(largest, 1e-9)))
        farthest = np.abs(step[level.outer]).max()
        patience = 1.0 if k < HASTY_ROUNDS else 0.5  # two points that lead to each other have the centre between them
        x = x + patience * step * min(1.0, MAX_STEP / farthest)
        still = near and inner < STILL * scale and outer * relax**2 < STILL
        arrow = level.arrow if still and arrow is None else None  # every other round at most
    return level.conclude(outer, MAX_ROUNDS) if best is None else best


class _Round:
    """One round: curvature, draws and mean gradients at a point, and Newton's step from it."""

    def __init__(
        self, curvature: Curvature, x: FloatArray, white: FloatArray, points: list[FloatArray], *, near: bool,
        arrow: Arrow | None,
    ) -> None:  # fmt: skip
        c, self.x, self.curvature = curvature, x, curvature
        places, size = c.places, len(x)
        white = white if near else white[:, :FIRST_PAIRS]
        self.hyper, self.outer = places.hyper, np.concatenate([places.shared, places.hyper])
        arrow = self.arrow = c.find(x, points, near=arrow)
        parts = c.split(white)
        blocks, _ = factorise_blocks(arrow, pool=c.pool)
        within = c.spread(blocks.colour_blocks(parts), size)
        self.ridge = 0.0
        try:
            self.factor = factorise(c.subtract_missing(arrow, x, within) if near else arrow, pool=c.pool)
        except np.linalg.LinAlgError:
            self.factor, self.ridge = factorise_ridged(arrow, pool=c.pool)
            self.ridge = max(self.ridge, 1e-6)
        draws = within.copy() if self.ridge > 1e-6 else c.spread(self.factor.colour(parts), size)
        draws[c.lapses] = 0.0  # far from normal where hardly anyone lapses: the mode serves
        self.draws = draws
        self.points = [sign * draws[:, i] for i in range(FEW_PAIRS) for sign in (1, -1)]
        sides = [np.array(c.gradients([x + sign * column for column in draws.T])) for sign in (1, -1)]
        even = 0.5 * (sides[0] + sides[1])
        self.odd = 0.5 * (sides[0] - sides[1])
        mean = even.mean(axis=0)
        by_hyper = c.find_hyper(x, self.points[: 2 * HYPER_PAIRS]) if near else np.zeros((size, len(self.hyper)))
        cross = by_hyper.copy()
        cross[self.hyper] = 0.0
        self.drift = self._solve(cross)
        inner_gradient = mean.copy()
        inner_gradient[self.hyper] = 0.0
        self.shift = self._solve(inner_gradient[:, None])[:, 0]
        self.inner = float(self.shift @ inner_gradient)
        self.score = mean[self.hyper] + cross.T @ self.shift
        self.complete = -0.5 * (by_hyper[self.hyper] + by_hyper[self.hyper].T)
        known = even[:, self.hyper] - mean[self.hyper]
        self.missing = cross.T @ self.drift + known.T @ known / (len(known) - 1)

    def _solve(self, columns: FloatArray) -> FloatArray:
        c = self.curvature
        return c.spread(self.factor.solve(c.split(columns)), len(columns))

    def hyper_step(self) -> tuple[FloatArray, float]:
        """Newton's step of the hyperparameters, and its squared length in posterior sds."""
        prior = self.curvature.prior_sd[:, None]
        observed = prior * (self.complete - self.missing) * prior.T
        least = float(np.linalg.eigvalsh(observed).min())
        self.widening = 1 / least if least > 0 else np.inf
        # Where draws are few what is missing may come out as too much: steps then take at least a quarter of the
        # complete data's information for granted, widths a tenth; and none is wider than the prior.
        values, vectors = np.linalg.eigh(prior * self.complete * prior.T)
        root = vectors * np.sqrt(np.maximum(values, 1.0))
        white = vectors / np.sqrt(np.maximum(values, 1.0))
        share, turn = np.linalg.eigh(white.T @ observed @ white)
        bold = prior * (white @ turn) / np.sqrt(np.maximum(share, STEP_INFORMATION))
        step = bold @ (bold.T @ self.score)
        kept = root @ (turn * np.maximum(share, LEAST_INFORMATION)) @ turn.T @ root.T
        values, vectors = np.linalg.eigh(kept)
        self.root = prior * vectors / np.sqrt(np.maximum(values, 1.0))
        return step, float(np.sum((self.root.T @ self.score) ** 2))

    def step(self, hyper_step: FloatArray) -> FloatArray:
        """Step of the whole vector."""
        step = self.shift + self.drift @ hyper_step
        step[self.hyper] += hyper_step
        return np.asarray(step)

    def conclude(self, outer: float, rounds: int) -> Approximation:
        """Sum the round up."""
        error, block = self._compare_curvature()
        return Approximation(
            self.x, self.factor, self.root, self.drift, self.inner, outer, self.ridge, self.widening, error, block,
            rounds,
        )  # fmt: skip

    def _compare_curvature(self) -> tuple[float, str]:
        """Mean curvature that draws meet, against the approximation's: the largest relative error over blocks.

        Of a normal density -E[xi' g(x + xi)] is the number of parameters, block by block.
        """
        c, e = self.curvature, self.curvature.encoding
        met = -(self.draws * self.odd.T).mean(axis=1)
        shared = np.setdiff1d(c.places.shared, c.lapses)
        named = {f"category {name}": p for name, p in zip(e.categories, c.places.categories, strict=True)}
        for unit, p in zip(e.units, c.places.units, strict=True):
            named[f"rater {e.taste_raters[unit.taste_rater]} in category {e.categories[unit.category]}"] = p
        named["habits, slopes and thresholds"] = shared
        errors = {name: abs(float(met[p].sum()) / len(p) - 1.0) for name, p in named.items() if len(p)}
        worst = max(errors, key=lambda name: errors[name])
        return errors[worst], worst


def _draw(curvature: Curvature, found: Approximation, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw flat vectors."""
    hyper = curvature.places.hyper
    size = len(found.centre)
    moved = found.hyper_root @ rng.standard_normal((len(hyper), n))
    within = found.factor.colour(curvature.split(rng.standard_normal((size, n))))
    out = found.centre[:, None] + curvature.spread(within, size) + found.drift @ moved
    out[hyper] += moved
    return np.ascontiguousarray(out.T)


def check_approximation(found: Approximation) -> pd.DataFrame:
    """Check whether the approximation was found, and how well its curvature is that of the posterior.

    Returns
    -------
    DataFrame
        One row per check: ``check, value, threshold, passed, where, advice``.
    """
    stuck = "the approximation was not found: sample with method='nuts'"
    rows = [
        ("inner", float(np.sqrt(max(found.inner, 0.0))),
         float(np.sqrt(INNER_TOLERANCE * max(1.0, len(found.centre) / SIZE))), "", stuck),
        ("outer", float(np.sqrt(max(found.outer, 0.0))), float(np.sqrt(OUTER_TOLERANCE)), "", stuck),
        ("definite", found.ridge, 0.0, "", stuck),
        ("widening", found.widening, MAX_WIDENING, "a spread or covariance",
         "a spread is hardly determined, and its posterior far from normal: sample with method='nuts'"),
        ("curvature", found.curvature_error, MAX_CURVATURE_ERROR, found.worst_block,
         "judgments are too few for a normal approximation: sample with method='nuts'"),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["check", "value", "threshold", "where", "advice"])
    frame["passed"] = frame["value"] <= frame["threshold"]
    frame.loc[frame["passed"], "advice"] = ""
    return frame[["check", "value", "threshold", "passed", "where", "advice"]]


@contextmanager
def _show_stage(*, progressbar: bool) -> Iterator[Callable[[str], None]]:
    """A line that says what is being done, where a person is looking."""
    if not (progressbar and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("Laplace approximation") as status:
        yield lambda stage: status.update(f"Laplace approximation: {stage}")
