"""A simulated judge, whose strengths and habits are known: for tests, benchmarks and plans of a study."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_count
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM_A, ITEM_B, OUTCOME, OUTCOMES, RATER, TRIAL
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.kernels.davidson import outcome_probabilities
from ppaint_stats.typing import FloatArray, RandomSeed

__all__ = ["SimulatedJudge"]


@dataclass(frozen=True)
class SimulatedJudge:
    """A judge by Davidson's model.

    Parameters
    ----------
    log_nu
        Logarithm of the tie parameter.
    order_effect
        Advantage of the image shown first.
    shared
        How far the two orders of a pair share their noise: 0 is fresh noise for every presentation, 1 a deterministic
        judge, whose answers deviate from the strengths by a taste in the pair alone.
    form
        How noise is shared in between: ``normal``, every answer a bit; ``mixed``, that part of the pairs wholly.
    repeated
        How far the votes of one question share the rest of the noise: 0 draws it anew for every vote, 1 lets a judge
        repeat himself while the order is the same. For the form ``normal``.

    Examples
    --------
    >>> judge = SimulatedJudge(shared=1.0)
    >>> pairs = pd.DataFrame({"item": ["x"], "opponent": ["y"]})
    >>> judge.compare(pairs, {"x": 3.0, "y": 0.0}, random_seed=1)[["item_a", "item_b", "outcome"]].values.tolist()
    [['x', 'y', 'A'], ['y', 'x', 'B']]
    """

    log_nu: float = -0.5
    order_effect: float = 0.4
    shared: float = 0.5
    form: Literal["normal", "mixed"] = "normal"
    repeated: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.shared <= 1:
            raise ArgumentError(f"shared={self.shared!r} is not allowed: 0 to 1 is")
        if not 0 <= self.repeated <= 1:
            raise ArgumentError(f"repeated={self.repeated!r} is not allowed: 0 to 1 is")
        if self.form not in ("normal", "mixed"):
            raise ArgumentError(f"form={self.form!r} is not allowed: 'normal' or 'mixed' is")

    def compare(
        self,
        pairs: pd.DataFrame,
        strength: Mapping[str, float],
        *,
        both_orders: bool = True,
        votes: int = 1,
        category: str = "all",
        dimension: str = "overall",
        random_seed: RandomSeed = 0,
    ) -> pd.DataFrame:
        """Judge pairs.

        Parameters
        ----------
        pairs
            Its first two columns are the images of each pair.
        strength
            Strength of each image.
        both_orders
            Whether each pair is shown in both orders; otherwise in one, at random.
        votes
            Times that each question is asked; more than one gives a column ``trial``. Votes share the pair's taste.
        category, dimension
            Names.
        random_seed
            Seed.

        Returns
        -------
        DataFrame
            Table of preferences.
        """
        check_count("votes", votes, 1)
        names = pairs.iloc[:, :2].astype(str).to_numpy(dtype=object)
        unknown = sorted({name for name in names.ravel() if name not in strength})
        if unknown:
            raise DataError(f"no strength is given for {unknown[:10]}")
        values = np.array([strength[name] for name in names.ravel()], dtype=np.float64).reshape(-1, 2)
        d = values[:, 0] - values[:, 1]
        rng = np.random.default_rng(random_seed)
        n = len(names)
        uniform = self._noise(n, 2 * votes, rng)
        single = rng.random(n) < 0.5
        frames = []
        for order in range(2):
            win, tie, _ = outcome_probabilities(d + (self.order_effect, -self.order_effect)[order], self.log_nu)
            shown = np.full(n, True) if both_orders else single == (order == 0)
            for vote in range(votes):
                u = uniform[:, order * votes + vote]
                # high u is good for the first image of the pair, in whatever order it is shown
                code = np.where(u > 1 - win, 0, np.where(u > 1 - win - tie, 1, 2))
                code = 2 - code if order else code
                a, b = (names[:, 1], names[:, 0]) if order else (names[:, 0], names[:, 1])
                columns = {ITEM_A: a, ITEM_B: b, OUTCOME: np.array(OUTCOMES, dtype=object)[code], TRIAL: vote + 1}
                frames.append(pd.DataFrame(columns)[shown])
        frame = pd.concat(frames, ignore_index=True).astype({ITEM_A: "str", ITEM_B: "str", OUTCOME: "str"})
        frame = frame if votes > 1 else frame.drop(columns=TRIAL)
        return pd.DataFrame({CATEGORY: category, DIMENSION: dimension, RATER: "simulated", **frame})

    def _noise(self, n_pairs: int, n_answers: int, rng: np.random.Generator) -> FloatArray:
        """Uniform noise of shape (pairs, answers), with what the answers of a pair share."""
        from scipy.special import ndtr

        pair, own = rng.standard_normal((n_pairs, 1)), rng.standard_normal((n_pairs, n_answers))
        if self.form == "mixed":
            return np.asarray(ndtr(np.where(rng.random((n_pairs, 1)) < self.shared, pair, own)))
        if self.repeated > 0:
            order = np.repeat(rng.standard_normal((n_pairs, 2)), n_answers // 2, axis=1)
            own = np.sqrt(self.repeated) * order + np.sqrt(1 - self.repeated) * own
        return np.asarray(ndtr(np.sqrt(self.shared) * pair + np.sqrt(1 - self.shared) * own))
