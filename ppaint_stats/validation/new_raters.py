"""What a joint posterior says of a rater who was not asked: every habit and taste of a new rater is integrated out.

For each draw of the posterior a few new raters are drawn from the population that it describes: log discrimination
(Student's t), log sharpness (Gumbel's law of minima), tie habit, position effect (normal), the spread of their taste
(log-normal), a noise of their own on continuous scales, and a lapse probability. Taste and severity are normal given
these; ratings integrate them out exactly, comparisons by one draw of the taste for each comparison and new rater.
Probabilities are those of each judgment by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr

from ppaint_stats.errors import ArgumentError
from ppaint_stats.fuse.bayes import restrict_study
from ppaint_stats.fusion import Fusion
from ppaint_stats.joint.bases import mean_basis
from ppaint_stats.joint.draws import Draws, derive_draws
from ppaint_stats.joint.encoding import SQUEEZE, Encoding, encode_study, find_chance
from ppaint_stats.joint.parameters import Layout, lay_out
from ppaint_stats.joint.scores import average_levels
from ppaint_stats.kernels.davidson import outcome_probabilities
from ppaint_stats.kernels.densities import T_DOF, draw_minima
from ppaint_stats.priors import Priors
from ppaint_stats.seeds import split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, IntArray, RandomSeed
from ppaint_stats.validation.links import average_logistic
from ppaint_stats.validation.refits import read_priors

NEW_RATERS = 4000
"""Smallest number of new raters over all draws."""

_CHUNK = 1_000_000


@dataclass(frozen=True)
class NewRaters:
    """New raters under the draws of a posterior: one entry per draw and new rater, ``draw`` says which draw."""

    draws: Draws
    encoding: Encoding
    draw: IntArray
    discrimination: FloatArray
    taste_spread: FloatArray
    noise: FloatArray
    sharpness: FloatArray
    log_nu: FloatArray
    position: FloatArray
    lapse: FloatArray
    level: FloatArray
    seed: np.random.SeedSequence

    def rate(self, category: IntArray, dimension: IntArray, item: IntArray, cuts: FloatArray) -> FloatArray:
        """Probability that ratings lie above each cut; on a scale of levels, above each level but the last.

        Parameters
        ----------
        category, dimension, item
            Codes of the encoding.
        cuts
            Logits above which a rating on a continuous scale may lie; of no use on a scale of levels.

        Returns
        -------
        ndarray of shape (rating, cut)
            Probabilities.
        """
        e = self.encoding
        parts = []
        for rows in _split(len(item), len(self.draw) * max(len(cuts), 1)):
            centre, variance = self._latent(category[rows], dimension[rows], item[rows])
            kappa = self.draws.values["threshold"][self.draw][:, dimension[rows]]  # (new rater, rating, threshold)
            if e.levels:
                above = average_logistic(centre[..., None] - kappa, variance[..., None])
                chance = 1 - (np.arange(1, e.levels)) / e.levels
            else:
                sd = np.sqrt(variance + self.noise[:, None] ** 2)[..., None]
                above = ndtr(((centre - kappa[..., 0])[..., None] - cuts) / sd)
                chance = 1 - _share_below(cuts)
            lapse = self.lapse[:, None, None]
            parts.append(((1 - lapse) * above + lapse * chance).mean(axis=0))
        return np.concatenate(parts)

    def log_density(self, category: IntArray, dimension: IntArray, item: IntArray, logit: FloatArray) -> FloatArray:
        """Log density of the logits of ratings on a continuous scale."""
        parts = []
        for rows in _split(len(item), len(self.draw)):
            centre, variance = self._latent(category[rows], dimension[rows], item[rows])
            kappa = self.draws.values["threshold"][self.draw][:, dimension[rows], 0]
            sd = np.sqrt(variance + self.noise[:, None] ** 2)
            z = (logit[rows] - centre + kappa) / sd
            own = np.exp(-z * z / 2) / (sd * np.sqrt(2 * np.pi))
            lapse = self.lapse[:, None]
            parts.append(np.log(((1 - lapse) * own + lapse * find_chance(logit[rows])).mean(axis=0)))
        return np.concatenate(parts) if parts else np.zeros(0)

    def _latent(self, category: IntArray, dimension: IntArray, item: IntArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the latent rating, taste and severity integrated out, shape (new rater, rating)."""
        v, s, e = self.draws.values, self.draw, self.encoding
        theta = v.get("consensus_rating", v["consensus"])[s][:, item, dimension]
        slope = v["slope"][s][:, dimension] * self.discrimination[:, None]
        severity = v["severity_sd"] ** 2 + v.get("severity_dimension_sd", np.zeros(len(v["severity_sd"]))) ** 2
        variance = np.repeat(severity[s][:, None], len(item), axis=1)
        if "taste_sd" in v:
            free = 1 - 1 / np.diff(e.item_start)[category]  # tastes sum to zero over a category's items
            variance = variance + (slope * v["taste_sd"][s][:, dimension] * self.taste_spread[:, None]) ** 2 * free
        return slope * theta + self.level[s][:, category, dimension], variance

    def compare(self, dimension: IntArray, a: IntArray, b: IntArray) -> FloatArray:
        """Probabilities of A, TIE, B, shape (comparison, 3)."""
        v, s = self.draws.values, self.draw
        rng = np.random.default_rng(self.seed)
        parts = []
        for rows in _split(len(a), 3 * len(s)):
            d = dimension[rows]
            x = v["consensus"][s][:, a[rows], d] - v["consensus"][s][:, b[rows], d]
            if "taste_sd" in v:
                spread = v["taste_sd"][s][:, d] * self.taste_spread[:, None] * np.sqrt(2)
                x = x + spread * rng.standard_normal(x.shape)
            x = self.sharpness[:, None] * x + self.position[:, None]
            shares = np.stack(outcome_probabilities(x, self.log_nu[:, d]), axis=-1)
            lapse = self.lapse[:, None, None]
            parts.append(((1 - lapse) * shares + lapse / 3).mean(axis=0))
        return np.concatenate(parts) if parts else np.zeros((0, 3))


def _share_below(logit: FloatArray) -> FloatArray:
    """Share of a continuous scale below a logit, both ends of the scale being drawn in."""
    return np.asarray(np.clip((expit(logit) - SQUEEZE) / (1 - 2 * SQUEEZE), 0, 1))


def _split(n: int, size: int) -> Iterator[slice]:
    step = max(1, _CHUNK // max(size, 1))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def draw_new_raters(fusion: Fusion, study: Study, *, random_seed: RandomSeed) -> NewRaters:
    """Draw new raters from the posterior of a Bayesian fusion.

    Parameters
    ----------
    fusion
        A fusion by :func:`ppaint_stats.fuse_bayes`.
    study
        The study that it was made of.
    random_seed
        Seed.

    Returns
    -------
    NewRaters
        The raters.

    Raises
    ------
    ArgumentError
        If the fusion has no posterior.
    """
    if fusion.posterior is None or "unconstrained_posterior" not in fusion.posterior:
        raise ArgumentError(f"a fusion by fuse_bayes is needed, with its posterior; this one is by {fusion.method!r}")
    e = encode_study(restrict_study(study, fusion.settings["protocols"]))
    priors = read_priors(fusion.settings["priors"])
    layout = lay_out(e, priors, discrepancy=bool(fusion.settings["protocol_discrepancy"]))
    flat = fusion.posterior["unconstrained_posterior"]["flat"].to_numpy()
    flat = flat.reshape(-1, flat.shape[-1])
    derive_seed, own_seed, taste_seed = split_seed(random_seed, 3)
    draws = derive_draws(flat, e, layout, seed=derive_seed)
    s = np.tile(np.arange(len(flat)), max(1, -(-NEW_RATERS // len(flat)))).astype(np.int64)
    return _draw(draws, e, layout, flat, s, priors, np.random.default_rng(own_seed), taste_seed)


def _draw(
    draws: Draws,
    e: Encoding,
    layout: Layout,
    flat: FloatArray,
    s: IntArray,
    priors: Priors,
    rng: np.random.Generator,
    seed: np.random.SeedSequence,
) -> NewRaters:
    v, x = draws.values, layout.unpack(flat)
    n, n_dims = len(s), len(e.dimensions)
    zero = np.zeros(len(flat))

    def normal(name: str) -> FloatArray:
        return np.asarray(v.get(name, zero)[s] * rng.standard_normal(n))

    log_nu = np.zeros((n, n_dims))
    if "tie_mean" in v:
        inner = v.get("tie_dimension_sd", zero)[s][:, None] * rng.standard_normal((n, n_dims))
        log_nu = (v["tie_mean"][s] + normal("tie_sd"))[:, None] + inner
    elif "log_nu" in v:
        log_nu = np.repeat(v["log_nu"][s][:, :1, 0], n_dims, axis=1)  # nobody ties
    sharpness = _mean_sharpness(x, layout, len(e.preference_raters))
    noise = np.zeros(n)
    if "noise_mean" in v:
        noise = v["noise_mean"][s] * np.exp(normal("noise_sd"))
    return NewRaters(
        draws=draws,
        encoding=e,
        draw=s,
        discrimination=np.exp(
            v.get("discrimination_sd", zero)[s] * rng.standard_t(T_DOF, n) - draws.mean_discrimination[s]
        ),
        taste_spread=np.exp(normal("taste_spread_sd") - draws.mean_taste_spread[s]),
        noise=noise,
        sharpness=np.exp(v.get("sharpness_sd", zero)[s] * draw_minima(rng, (n,)) - sharpness[s]),
        log_nu=log_nu,
        position=v.get("position_mean", zero)[s] + normal("position_sd"),
        lapse=expit(priors.lapse.mean + priors.lapse.sd * rng.standard_normal(n)),
        level=average_levels(draws, e),
        seed=seed,
    )


def _mean_sharpness(x: dict[str, FloatArray], layout: Layout, n_raters: int) -> FloatArray:
    """Mean log sharpness of the raters at hand against the population's 0: utilities are theirs."""
    if "sharpness" not in x:
        return np.zeros(len(next(iter(x.values()))))
    own = x["sharpness"] @ mean_basis(n_raters).T
    if not layout.parameters["sharpness"].centred:
        own = own * np.exp(x["log_sharpness_sd"])[:, None]
    return np.asarray(own.mean(axis=1))
