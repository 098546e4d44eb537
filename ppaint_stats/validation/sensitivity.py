"""How far the scores of a fusion move under other choices, and which choice matters most."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from ppaint_stats.arguments import check_positive
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM, RATING
from ppaint_stats.errors import ArgumentError, PPaintError, PPaintWarning
from ppaint_stats.fusion import Fusion
from ppaint_stats.kernels.shared import LEAST_ITEMS
from ppaint_stats.progress import track
from ppaint_stats.report import Report
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray
from ppaint_stats.validation.agreement_refits import NEVER_SEEDED, QUICK_REFITS
from ppaint_stats.validation.prior_weights import change_priors, list_prior_changes, reliable_k, weigh_draws
from ppaint_stats.validation.refits import SAMPLED, read_priors, refit_like

KEYS = [CATEGORY, DIMENSION, ITEM]
LIMIT = 0.5
"""Mean difference, in standard deviations of a score, from which on a choice matters."""


UNRELIABLE = "weights, unreliable"


@dataclass(frozen=True)
class Outcome:
    """Scores under another choice by category, dimension and item; how they were made; Pareto's k of weights."""

    scores: pd.Series
    made: str
    pareto_k: float = float("nan")


@dataclass(frozen=True)
class Choice:
    """Another choice, and the function that makes its scores."""

    choice: str
    setting: str
    run: Callable[[], Outcome]


def fusion_sensitivity(
    fusion: Fusion,
    study: Study,
    *,
    factor: float = 4.0,
    prior_factor: float = 2.0,
    refit: bool = True,
    progressbar: bool = False,
) -> Report:
    r"""Measure how far the scores of a fusion move under other choices.

    Parameters
    ----------
    fusion
        The fusion.
    study
        The study that it was made from.
    factor
        Factor by which numbers that have no right value are divided and multiplied: K, anchor games, start slope,
        weight of the ratings.
    prior_factor
        Likewise the centres of priors, and the power of their densities.
    refit
        Whether joint models are fitted again where weighted draws cannot tell what other priors would give.
    progressbar
        Whether a bar shows the choices and the time left.

    Returns
    -------
    Report
        Tables "choices" (a row per choice) and "cells" (a row per choice, category and dimension); see Notes. The text
        names the choice that matters most.

    Raises
    ------
    ArgumentError
        If the study does not hold what the fusion scores, or an argument is not allowed.

    Notes
    -----
    Choices: for Elo K, anchor games and start slope (both also none), order effect; for Davidson the weight of the
    ratings (also 0), the discount, order effect; for both the bend of the map to the scale; for all but the joint model
    a linear map, by the mean and standard deviation of the items' mean ratings; for the joint model groups of priors.
    Elo's anchor games and start slope differ from item to item and cell to cell; a changed one is the mean, times the
    factor, everywhere.

    Columns: ``srcc``, the rank correlation with the fusion (median over cells); ``mean_difference`` and
    ``max_difference``, absolute, in the units of the scores; ``mean_difference_sd`` and ``max_difference_sd``, in
    standard deviations of each score; ``outside``, the share of scores outside the fusion's interval; ``made``:
    "refit", "map", or "weights". Weights are importance weights of the posterior's draws, smoothed by Pareto's law
    (Vehtari et al. 2024), ``pareto_k`` its shape; where k is too large the model is fitted again, or, with
    ``refit=False``, ``made`` says "weights, unreliable". A refit by sampling moves by Monte Carlo error too, of which
    the row "nothing" gives a measure.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40, dimensions=("overall",))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> report = fusion_sensitivity(ps.fuse_davidson(study), study)
    >>> report.tables["choices"]["choice"].unique().tolist()
    ['rating_weight', 'discount', 'order_effect', 'bend', 'map']
    """
    if not isinstance(fusion, Fusion):
        raise ArgumentError(f"fusion_sensitivity takes a fusion, not a {type(fusion).__name__}")
    if not isinstance(study, Study):
        raise ArgumentError(f"study is a {type(study).__name__}, not a Study")
    for name, value in (("factor", factor), ("prior_factor", prior_factor)):
        check_positive(name, value)
        if value <= 1:
            raise ArgumentError(f"{name}={value!r} must be above 1")
    missing = set(fusion.scores[ITEM]) - set(study.items())
    if missing:
        raise ArgumentError(f"{fusion!r} scores items that the study does not hold: {sorted(missing)[:5]}")
    choices = list(_list_choices(fusion, study, factor=factor, prior_factor=prior_factor, refit=refit))
    rows, cells, notes = [], [], []
    for choice in track(choices, total=len(choices), description="other choices", progressbar=progressbar):
        head: dict[str, object] = {"choice": choice.choice, "setting": choice.setting}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PPaintWarning)  # extremes are tried on purpose
                outcome = choice.run()
        except PPaintError as error:
            notes.append(f"{choice.choice}, {choice.setting}: not computed, {error}.")
            continue
        found = _measure(fusion, outcome.scores)
        rows.append(head | _summarise(found) | {"made": outcome.made, "pareto_k": outcome.pareto_k})
        cells += [
            {CATEGORY: category, DIMENSION: dimension} | head | _summarise(group)
            for (category, dimension), group in found.groupby([CATEGORY, DIMENSION], sort=False)
        ]
    table = pd.DataFrame(rows)
    return Report(
        title=f"Sensitivity of a fusion by {fusion.method}",
        tables={"choices": table, "cells": pd.DataFrame(cells)},
        text="\n\n".join([_put_in_words(fusion, table), *notes]),
        settings={"fusion": repr(fusion), "factor": factor, "prior_factor": prior_factor, "refit": refit},
    )


def _list_choices(fusion: Fusion, study: Study, *, factor: float, prior_factor: float, refit: bool) -> Iterator[Choice]:
    seed = {"random_seed": NEVER_SEEDED} if fusion.settings.get("random_seed") is None else {}
    bare = replace(fusion, posterior=None)

    def again(**changes: object) -> Callable[[], Outcome]:
        own = {**seed, **QUICK_REFITS.get(fusion.method, {}), **changes}
        return lambda: Outcome(refit_like(bare, study, **own).scores.set_index(KEYS)["score"], "refit")

    if fusion.method in SAMPLED:
        yield Choice("nothing", "fitted again", again())
        yield from _list_priors(fusion, again, factor=prior_factor, refit=refit)
        return
    held = fusion.settings
    for name, words, value in _list_numbers(fusion, factor):
        yield Choice(name, words, again(**({} if name == "nothing" else {name: value})))
    for name in ("order_effect", "bend"):
        if name in held and held["protocols"] != "ratings":
            yield Choice(name, str(not held[name]), again(**{name: not held[name]}))
    if fusion.calibrated and held["protocols"] != "ratings":
        yield Choice("map", "linear", lambda: Outcome(map_linearly(fusion, study), "map"))


def _list_numbers(fusion: Fusion, factor: float) -> Iterator[tuple[str, str, object]]:
    """Arguments, words and values of the choices of a method's own."""
    held, found = fusion.settings, fusion.parameters
    scaled = ((f"/ {factor:g}", 1 / factor), (f"x {factor:g}", factor))
    if fusion.method == "elo":
        yield "nothing", "fitted again", None
        yield from (("k", words, held["k"] * by) for words, by in scaled)
        for name in ("anchor_games", "start_slope"):
            value = float(found[name].mean()) if name in found else 0.0
            if np.isfinite(value) and value > 0:
                yield from ((name, words, value * by) for words, by in scaled)
                yield name, "none", 0.0
    if fusion.method == "davidson" and held["protocols"] == "both":
        yield from (("rating_weight", words, (held["rating_weight"] or 1.0) * by) for words, by in scaled)
        yield "rating_weight", "0", 0.0
        yield from (("discount", name, name) for name in ("unshared", "all", "none") if name != held["discount"])


def _list_priors(
    fusion: Fusion, again: Callable[..., Callable[[], Outcome]], *, factor: float, refit: bool
) -> Iterator[Choice]:
    if fusion.posterior is None or fusion.spread.draws is None:
        raise ArgumentError(f"{fusion!r} holds no draws, from which other priors could be judged")
    posterior = fusion.posterior["posterior"].to_dataset()
    priors, draws = read_priors(fusion.settings["priors"]), fusion.spread.draws
    keys = pd.MultiIndex.from_frame(fusion.scores[KEYS])
    for change in list_prior_changes(posterior, factor):

        def run(change=change) -> Outcome:  # type: ignore[no-untyped-def]
            weights, k = weigh_draws(posterior, priors, change)
            fine = k < reliable_k(len(draws))
            if refit and not fine:
                return replace(again(priors=change_priors(priors, change))(), pareto_k=k)
            scores = pd.Series(np.asarray(weights @ draws), index=keys)
            return Outcome(scores, "weights" if fine else UNRELIABLE, k)

        yield Choice(f"prior of {change.group}", change.words, run)


def map_linearly(fusion: Fusion, study: Study) -> pd.Series:
    """Scores by another map: latents with the mean and standard deviation of the items' mean ratings in each cell."""
    if study.ratings is None:
        raise ArgumentError("the study has no ratings to map to")
    rated = study.ratings.groupby(KEYS)[RATING].mean()
    relative = fusion.settings["target"] == "relative"
    parts = []
    for _, cell in fusion.scores.groupby([CATEGORY, DIMENSION], sort=False):
        keys = pd.MultiIndex.from_frame(cell[KEYS])
        ratings = rated.reindex(keys).dropna()
        latent = cell["latent"].to_numpy(float)
        spread = latent.std(ddof=1)
        mean, sd = float(ratings.mean()), float(ratings.std(ddof=1))
        share = (latent - latent.mean()) / spread if spread > 0 else np.zeros(len(latent))
        parts.append(pd.Series((0.0 if relative else mean) + sd * share, index=keys))
    return pd.concat(parts)


def _measure(fusion: Fusion, scores: pd.Series) -> pd.DataFrame:
    """Differences of the scores, row by row."""
    base = fusion.scores
    new = scores.reindex(pd.MultiIndex.from_frame(base[KEYS])).to_numpy(float)
    gap = np.abs(new - base["score"].to_numpy(float))
    sd = base["sd"].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative: FloatArray = np.where(sd > 0, gap / sd, np.nan)
    known = np.isfinite(base["lower"].to_numpy(float)) & np.isfinite(new)
    outside = np.where(known, (new < base["lower"]) | (new > base["upper"]), np.nan)
    return base[[*KEYS, "score"]].assign(new=new, gap=gap, relative=relative, outside=outside)


def _summarise(rows: pd.DataFrame) -> dict[str, object]:
    srcc = []
    for _, cell in rows.groupby([CATEGORY, DIMENSION], sort=False):
        both = cell[["score", "new"]].dropna()
        varied = len(both) >= LEAST_ITEMS and min(np.ptp(both["score"]), np.ptp(both["new"])) > 0
        srcc.append(float(stats.spearmanr(both["score"], both["new"]).statistic) if varied else np.nan)
    return {
        "srcc": float(pd.Series(srcc).median()),
        "mean_difference": float(rows["gap"].mean()),
        "max_difference": float(rows["gap"].max()),
        "mean_difference_sd": float(rows["relative"].mean()),
        "max_difference_sd": float(rows["relative"].max()),
        "outside": float(rows["outside"].mean()),
    }


def _put_in_words(fusion: Fusion, table: pd.DataFrame) -> str:
    tried = table[(table["choice"] != "nothing") & (table["made"] != UNRELIABLE)] if len(table) else table
    if not len(tried):
        return "No other choice could be tried."
    known = tried["mean_difference_sd"].notna().any()
    size = tried["mean_difference_sd" if known else "mean_difference"].fillna(0.0).to_numpy(float)
    worst = tried.iloc[int(size.argmax())]
    unit = "rating units" if fusion.calibrated else "latent units"
    text = (
        f"Of {len(tried)} other choices {worst['choice']} ({worst['setting']}) matters most: it moves scores by "
        f"{worst['mean_difference']:.3f} {unit} on average and by {worst['max_difference']:.3f} at most, with a rank "
        f"correlation of {worst['srcc']:.3f}"
    )
    if not known:
        return text + ". The fusion has no intervals, so that nothing says whether that is much."
    beyond = tried[tried["mean_difference_sd"] > LIMIT]
    text += (
        f"; that is {worst['mean_difference_sd']:.2f} standard deviations of a score on average "
        f"({worst['max_difference_sd']:.2f} at most), and {worst['outside']:.0%} of the scores leave their intervals. "
    )
    if not len(beyond):
        return text + f"None matters: each moves scores by less than {LIMIT:g} standard deviations on average."
    named = ", ".join(f"{a} ({b})" for a, b in beyond[["choice", "setting"]].to_numpy())
    return text + f"More than {LIMIT:g} standard deviations on average: {named}."
