"""Draws of whole studies from the joint model's priors: its parameters, and judgments by the same raters."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from ppaint_stats.arguments import check_count
from ppaint_stats.columns import COUNT, OUTCOME, OUTCOMES, RATING
from ppaint_stats.errors import ArgumentError
from ppaint_stats.joint.encoding import SQUEEZE, Encoding, encode_study
from ppaint_stats.joint.parameters import Layout, lay_out
from ppaint_stats.joint.variables import flatten_variables
from ppaint_stats.priors import Priors
from ppaint_stats.seeds import split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, IntArray, RandomSeed


@dataclass(frozen=True, eq=False)
class PriorDraws:
    """Draws from the priors, and for each a study's judgments.

    Attributes
    ----------
    design
        The study whose raters, items and pairs the judgments are of.
    encoding, layout
        Its arrays and parameters: what ``flat`` is read with. A basis of the items' utilities depends on the outcomes
        that the design holds, so that ``flat`` must not be read with the encoding of a drawn study.
    flat
        Drawn parameters, shape (draw, parameter).
    ratings
        Drawn ratings on the study's scale, shape (draw, rating), or None.
    outcomes
        Drawn outcomes 0, 1, 2 (A, TIE, B), shape (draw, comparison), or None; a comparison with a count of n stands
        there n times.
    """

    design: Study
    encoding: Encoding
    layout: Layout
    flat: FloatArray
    ratings: FloatArray | None
    outcomes: IntArray | None

    def __len__(self) -> int:
        return len(self.flat)

    def __iter__(self) -> Iterator[Study]:
        return (self.study(k) for k in range(len(self)))

    def study(self, k: int) -> Study:
        """Put the judgments of draw k into the tables of the design."""
        rated = compared = None
        if self.ratings is not None and self.design.ratings is not None:
            rated = self.design.ratings.assign(**{RATING: self.ratings[k]})
        if self.outcomes is not None and self.design.preferences is not None:
            compared = _repeat_counts(self.design.preferences)
            compared[OUTCOME] = np.asarray(OUTCOMES)[self.outcomes[k]]
        return Study(ratings=rated, preferences=compared, scale=self.design.scale)


def simulate_prior(
    study: Study,
    *,
    n: int,
    priors: Priors | None = None,
    protocol_discrepancy: bool = False,
    random_seed: RandomSeed = None,
) -> PriorDraws:
    """Draw parameters from the priors, and judgments from the model given them.

    Parameters
    ----------
    study
        The design: who judges which items, pairs and dimensions. Its outcomes say one thing only: without any tie the
        model has no ties.
    n
        Number of draws.
    priors
        Priors; None takes the defaults.
    protocol_discrepancy
        As for :func:`ppaint_stats.fuse_bayes`.
    random_seed
        Seed.

    Returns
    -------
    PriorDraws
        Parameters and judgments; ``draws.study(k)`` is a study to fuse.

    Raises
    ------
    ArgumentError
        If an argument is not allowed.

    Notes
    -----
    The draws are PyMC's, from the graph of :func:`ppaint_stats.build_model` with the random functions of its
    distributions; the sampler's compiled density has no part in them. Ratings on a continuous scale are cut off at its
    ends, which the model's density is not.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=6, n_raters=3, dimensions=("overall",), n_pairs=12)
    >>> draws = simulate_prior(ps.simulate_study(design, random_seed=1).study, n=2, random_seed=1)
    >>> len(draws), draws.ratings.shape, draws.outcomes.shape
    (2, (2, 18), (2, 36))
    """
    import pymc as pm
    from pytensor.compile.mode import Mode

    from ppaint_stats.model import build_model

    check_count("n", n, 1)
    priors = Priors() if priors is None else priors
    encoding = encode_study(study)
    if protocol_discrepancy and (encoding.comparisons is None or encoding.ratings is None):
        raise ArgumentError("protocol_discrepancy=True needs both ratings and preferences")
    layout = lay_out(encoding, priors, discrepancy=protocol_discrepancy)
    observed = [name for name, part in (("rating", encoding.ratings), ("preference", encoding.comparisons)) if part]
    model = build_model(study, priors, protocol_discrepancy=protocol_discrepancy)
    names = [*layout.names, *observed]
    # Without compilation: a thousand draws take less time than the compiler does.
    arrays = pm.draw(
        [model[name] for name in names],
        draws=n,
        mode=Mode("py", None),  # type: ignore[arg-type]  # no rewrites
        random_seed=int(split_seed(random_seed, 1)[0].generate_state(1)[0]),
    )
    drawn = {
        name: np.reshape(values, (n, *np.shape(values)[n > 1 :])) for name, values in zip(names, arrays, strict=True)
    }
    return PriorDraws(
        design=study,
        encoding=encoding,
        layout=layout,
        flat=flatten_variables(drawn, layout),
        ratings=_place_on_scale(drawn["rating"], encoding) if "rating" in observed else None,
        outcomes=drawn["preference"].astype(np.int64) if "preference" in observed else None,
    )


def _place_on_scale(answers: FloatArray, encoding: Encoding) -> FloatArray:
    """Ratings of levels counted from 0 or, on a continuous scale, of logits."""
    scale = encoding.scale
    if scale is None:
        raise ArgumentError("ratings need a scale")
    if encoding.levels and scale.levels is not None:
        return np.asarray(scale.levels[answers.astype(np.int64)], dtype=float)
    return np.asarray(scale.low + scale.span * np.clip((expit(answers) - SQUEEZE) / (1 - 2 * SQUEEZE), 0, 1))


def _repeat_counts(preferences: pd.DataFrame) -> pd.DataFrame:
    """One row per comparison, as the model has them."""
    if COUNT not in preferences:
        return preferences.copy()
    rows = preferences.index.repeat(preferences[COUNT])
    return preferences.loc[rows].drop(columns=COUNT).reset_index(drop=True)
