"""simulate_study: a study with ratings, preferences and the truth behind them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM, ITEM_A, ITEM_B, OUTCOME, OUTCOMES, RATER, RATING, TRIAL
from ppaint_stats.design import balanced_presentation, locally_dense_pairs
from ppaint_stats.seeds import split_seed
from ppaint_stats.simulation_design import PPaintDesign
from ppaint_stats.simulation_draws import (
    DrawnRaters,
    draw_items,
    draw_noise,
    draw_raters,
    draw_taste,
    outcome_probabilities,
)
from ppaint_stats.study import Study
from ppaint_stats.truth import panel_scores, population_scores, stretch
from ppaint_stats.typing import FloatArray, IntArray, RandomSeed

__all__ = ["PPaintDesign", "Simulation", "outcome_probabilities", "simulate_study"]

_STREAMS = ("items", "raters", "taste", "pairs", "ratings", "preferences", "missing", "lapses")


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated study and the truth behind it.

    Attributes
    ----------
    study : Study
        Ratings and preferences, as `fuse_davidson` and the other fusions take them.
    truth : pandas.DataFrame
        One row per category, dimension and item:

        - ``latent``, ``latent_preference``: utility behind ratings and behind preferences, on the preference scale,
          summing to zero over the items of a category; the same unless ``protocol_correlation`` is below 1;
        - ``population``: expected rating by a new rater; ``panel``: mean of the ratings that the raters of this
          study are expected to give; both in rating points;
        - ``relative``, ``relative_panel``: the two, minus their means over the items of the category.
    raters : pandas.DataFrame
        One row per category, dimension and rater: ``severity`` (latent scale of ratings, including the rater's mean
        taste for these items, with its sign turned, since only that sum shows in data), ``severity_drawn``
        (without it), ``rating_discrimination``, ``preference_discrimination``, ``nu``, ``position_effect``,
        ``taste_sd``, ``rating_noise``, ``lapse``, ``careless``.
    pairs : pandas.DataFrame
        Pairs by category, in the order of the first estimate.
    design : PPaintDesign
        The generating design.
    random_seed : int
        Seed that gives this simulation again; -1 where it was made with a seed sequence.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("mood", "overall"))
    >>> simulation = ps.simulate_study(design, random_seed=1)
    >>> simulation.study.n_ratings, len(simulation.truth)
    (64, 16)
    """

    study: Study
    truth: pd.DataFrame
    raters: pd.DataFrame
    pairs: pd.DataFrame
    design: PPaintDesign
    random_seed: int

    def save(self, directory: str | Path, *, overwrite: bool = False) -> Path:
        """Write the study to the folder ``study`` and beside it ``truth.csv``, ``raters.csv`` and ``design.json``.

        Parameters
        ----------
        directory : str or path
            Folder, made where missing.
        overwrite : bool
            Whether a study that stands there may be replaced.

        Returns
        -------
        pathlib.Path
            Folder of the study, for `read_study`.

        Raises
        ------
        ArgumentError
            If there is a study already and `overwrite` is false.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        saved = self.study.save(folder / "study", overwrite=overwrite)
        self.truth.to_csv(folder / "truth.csv", index=False)
        self.raters.to_csv(folder / "raters.csv", index=False)
        about = {"simulated": True, "random_seed": self.random_seed, "design": asdict(self.design)}
        (folder / "design.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        return saved


def simulate_study(design: PPaintDesign | None = None, *, random_seed: RandomSeed = None) -> Simulation:
    """Simulate a study of ratings and preferences, with the truth.

    Parameters
    ----------
    design : PPaintDesign, optional
        The design; by default that of PPaint.
    random_seed : int or numpy.random.SeedSequence, optional
        Seed; the same seed and design give the same study. Items, raters, tastes, pairs, judgments, missing rows
        and lapses have streams of their own: to change, say, the missing share leaves all else as it was.

    Returns
    -------
    Simulation
        The study, the truth, the raters and the design.

    Notes
    -----
    For category c, rater r, item i, dimension d: utility ``u = theta_id + taste_rid``. Preferences:
    P(A) : P(TIE) : P(B) = exp(x / 2) : nu_rd : exp(-x / 2) with ``x = e_r (u_A - u_B) + delta_r`` (Davidson 1970;
    Davidson & Beaver 1977). Ratings: P(y <= k) = F(kappa_k - mu_cd - h a_r u + b_rd), F logistic. Every
    rater of a category sees the same pairs, each in a balanced random order of their own, and judges a pair on all
    dimensions as it is shown.

    Examples
    --------
    >>> simulation = simulate_study(random_seed=1)
    >>> len(simulation.study.preferences), len(simulation.study.ratings)
    (45900, 3750)
    >>> list(simulation.truth.columns[:5])
    ['category', 'dimension', 'item', 'latent', 'latent_preference']
    """
    design = PPaintDesign() if design is None else design
    if random_seed is None:
        random_seed = int(np.random.SeedSequence().generate_state(1)[0])
    seeds = dict(zip(_STREAMS, split_seed(random_seed, len(_STREAMS)), strict=True))
    rng = {name: np.random.default_rng(seeds[name]) for name in _STREAMS}
    theta, theta_preference, mu = draw_items(design, rng["items"])
    raters = draw_raters(design, rng["raters"], rng["lapses"])
    taste = draw_taste(design, raters.taste_sd[design.rater_index], rng["taste"])
    index = design.rater_index
    slope = design.rating_slope * raters.rating_discrimination[index][:, :, None, None]
    severity = raters.severity_by_dimension[index]
    latent = mu[:, None, None, :] + slope * (theta[:, None] + taste) - severity[:, :, None, :]
    pairs = _choose_pairs(design, theta_preference, seeds["pairs"])
    ratings = _rate(design, latent, raters, rng)
    preferences = _compare(design, theta_preference[:, None] + taste, raters, pairs, seeds["pairs"], rng)
    identified = severity - slope[:, :, :, 0] * taste.mean(axis=2)
    return Simulation(
        study=Study(
            ratings=_leave_out(ratings, design.missing_ratings, rng["missing"]),
            preferences=_leave_out(preferences, design.missing_comparisons, rng["missing"]),
            scale=design.rating_scale,
        ),
        truth=_tabulate_truth(design, theta, theta_preference, mu, latent, raters),
        raters=_tabulate_raters(design, raters, identified),
        pairs=pairs,
        design=design,
        random_seed=random_seed if isinstance(random_seed, int) else -1,
    )


def _choose_pairs(design: PPaintDesign, utility: FloatArray, seed: np.random.SeedSequence) -> pd.DataFrame:
    """Locally dense pairs by category, sorted by a noisy look at the overall utility."""
    dimensions = design.dimensions
    overall = utility[:, :, dimensions.index("overall")] if "overall" in dimensions else utility.mean(axis=2)
    noise_seed, *category_seeds = split_seed(seed, 1 + design.n_categories)
    noise = design.first_estimate_sd * np.random.default_rng(noise_seed).standard_normal(overall.shape)
    frames = []
    for c, order in enumerate(np.argsort(-(overall + noise), axis=1)):
        names = [design.items[c][i] for i in order]
        frame = locally_dense_pairs(names, n_pairs=design.n_pairs, window=design.window, random_seed=category_seeds[c])
        frame.insert(0, CATEGORY, design.categories[c])
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _rate(
    design: PPaintDesign, latent: FloatArray, raters: DrawnRaters, rng: dict[str, np.random.Generator]
) -> pd.DataFrame:
    """Ratings table from latents of shape (category, rater, item, dimension)."""
    latent = np.moveaxis(np.broadcast_to(latent, (design.n_trials, *latent.shape)), -1, 2)
    index = design.rater_index[None, :, None, :, None]
    # latent and rating are now (trial, category, dimension, rater, item)
    noise = draw_noise(design, latent.shape, rng["ratings"])
    lapsed = rng["lapses"].random(latent.shape) < raters.lapse[index]
    scale = design.rating_scale
    if scale.step is None:
        guesses = rng["lapses"].random(latent.shape)
        share = stretch(latent + design.rating_shift + raters.noise[index] * noise, design)
        rating = scale.low + scale.span * np.where(lapsed, guesses, share)
    else:
        guessed_levels = rng["lapses"].integers(design.levels.size, size=latent.shape)
        rating = design.levels[np.where(lapsed, guessed_levels, np.searchsorted(design.kappa, latent + noise))]
    trial, c, d, r, i = np.indices(latent.shape).reshape(5, -1)
    columns = {
        CATEGORY: _pick(design.categories, c),
        DIMENSION: _pick(design.dimensions, d),
        RATER: _pick(np.array(design.raters, dtype=object), c, r),
        ITEM: _pick(np.array(design.items, dtype=object), c, i),
        RATING: rating.ravel(),
    }
    return pd.DataFrame(columns | ({TRIAL: trial + 1} if design.n_trials > 1 else {}))


def _compare(
    design: PPaintDesign,
    utility: FloatArray,
    raters: DrawnRaters,
    pairs: pd.DataFrame,
    seed: np.random.SeedSequence,
    rng: dict[str, np.random.Generator],
) -> pd.DataFrame:
    """Preferences table from utilities of shape (category, rater, item, dimension)."""
    first, second = _present(design, pairs, seed)
    shape = (design.n_trials, design.n_categories, len(design.dimensions), design.n_raters, design.n_pairs)
    trial, c, d, r, k = np.indices(shape).reshape(5, -1)
    item_a, item_b = first[trial, c, r, k], second[trial, c, r, k]
    who = design.rater_index[c, r]
    difference = raters.preference_discrimination[who] * (utility[c, r, item_a, d] - utility[c, r, item_b, d])
    difference += raters.position[who]
    probabilities = outcome_probabilities(difference, raters.nu_by_dimension[who, d], link=design.link)
    uniform = rng["preferences"].random(difference.size)
    codes = (uniform > probabilities[0]).astype(np.int64) + (uniform > probabilities[0] + probabilities[1])
    lapsed = rng["lapses"].random(difference.size) < raters.lapse[who]
    codes = np.where(lapsed, rng["lapses"].integers(len(OUTCOMES), size=difference.size), codes)
    items = np.array(design.items, dtype=object)
    columns = {
        CATEGORY: _pick(design.categories, c),
        DIMENSION: _pick(design.dimensions, d),
        RATER: _pick(np.array(design.raters, dtype=object), c, r),
        ITEM_A: _pick(items, c, item_a),
        ITEM_B: _pick(items, c, item_b),
        OUTCOME: _pick(OUTCOMES, codes),
    }
    return pd.DataFrame(columns | ({TRIAL: trial + 1} if design.n_trials > 1 else {}))


def _present(design: PPaintDesign, pairs: pd.DataFrame, seed: np.random.SeedSequence) -> tuple[IntArray, IntArray]:
    """Positions of the items shown first and second, shape (trial, category, rater, place in the rater's order)."""
    shape = (design.n_trials, design.n_categories, design.n_raters, design.n_pairs)
    shown = np.empty((2, *shape), dtype=np.int64)
    seeds = iter(split_seed(seed, 1 + design.n_categories + int(np.prod(shape[:3])))[1 + design.n_categories :])
    for c, category in enumerate(design.categories):
        position = {name: i for i, name in enumerate(design.items[c])}
        chosen = pairs.loc[pairs[CATEGORY] == category, [ITEM_A, ITEM_B]]
        coded = pd.DataFrame({name: chosen[name].map(position) for name in (ITEM_A, ITEM_B)})
        for trial in range(design.n_trials):
            for r in range(design.n_raters):
                presentation = balanced_presentation(coded, random_seed=next(seeds))
                shown[:, trial, c, r] = presentation[[ITEM_A, ITEM_B]].to_numpy().T
    return shown[0], shown[1]


def _pick(names: tuple[str, ...] | np.ndarray, *index: IntArray) -> pd.Series:
    """Look names up by position; text columns are built from few categories, which is fast."""
    table = np.asarray(names, dtype=object)
    codes = np.ravel_multi_index(index, table.shape)
    labels, inverse = np.unique(table.ravel().astype(str), return_inverse=True)
    return pd.Series(labels.astype(object)[inverse[codes]], dtype="str")


def _leave_out(table: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Drop a share of the rows at random; the rest keep their order."""
    # The whole permutation is drawn whatever the share, so that a larger share leaves out the same rows and more.
    kept = np.sort(rng.permutation(len(table))[round(share * len(table)) :])
    return table.iloc[kept].reset_index(drop=True)


def _tabulate_truth(
    design: PPaintDesign,
    theta: FloatArray,
    theta_preference: FloatArray,
    mu: FloatArray,
    latent: FloatArray,
    raters: DrawnRaters,
) -> pd.DataFrame:
    population = population_scores(theta, mu, design=design)
    panel = panel_scores(latent, design=design, rater_index=design.rater_index, noise=raters.noise)
    values = {
        "latent": theta,
        "latent_preference": theta_preference,
        "population": population,
        "panel": panel,
        "relative": population - population.mean(axis=1, keepdims=True),
        "relative_panel": panel - panel.mean(axis=1, keepdims=True),
    }
    c, d, i = np.indices((design.n_categories, len(design.dimensions), design.n_items)).reshape(3, -1)
    names = {
        CATEGORY: _pick(design.categories, c),
        DIMENSION: _pick(design.dimensions, d),
        ITEM: _pick(np.array(design.items, dtype=object), c, i),
    }
    return pd.DataFrame(names | {name: array[c, i, d] for name, array in values.items()})


def _tabulate_raters(design: PPaintDesign, raters: DrawnRaters, severity: FloatArray) -> pd.DataFrame:
    """One row per category, dimension and rater; `severity` is (category, rater, dimension)."""
    c, d, r = np.indices((design.n_categories, len(design.dimensions), design.n_raters)).reshape(3, -1)
    who = design.rater_index[c, r]
    return pd.DataFrame(
        {
            CATEGORY: _pick(design.categories, c),
            DIMENSION: _pick(design.dimensions, d),
            RATER: _pick(np.array(design.raters, dtype=object), c, r),
            "severity": severity[c, r, d],
            "severity_drawn": raters.severity_by_dimension[who, d],
            "rating_discrimination": raters.rating_discrimination[who],
            "preference_discrimination": raters.preference_discrimination[who],
            "nu": raters.nu_by_dimension[who, d],
            "position_effect": raters.position[who],
            "taste_sd": raters.taste_sd[who],
            "rating_noise": raters.noise[who],
            "lapse": raters.lapse[who],
            "careless": raters.careless[who],
        }
    )
