r"""How much of two fusions' agreement is theirs, and how much their common input's.

Two fusions of one study share raters, ratings and comparisons, and would agree on noise. Each is fitted again to

- the study with its ratings **permuted** over the items: what agreement is left when the ratings say nothing;
- the **preferences only**: how closely the two can agree at all when no rating is there to be weighed differently;
- disjoint **halves** of the raters: A on one half against B on the other shares no judgment, so that
  :math:`\rho_{AB} / \sqrt{\rho_{AA}\,\rho_{BB}}` across halves estimates the correlation of what the two methods
  measure, and the agreement within a half minus that across halves is the part that shared input explains.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM, RATER
from ppaint_stats.errors import ArgumentError, PPaintError, PPaintWarning
from ppaint_stats.fusion import Fusion
from ppaint_stats.progress import track
from ppaint_stats.seeds import split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import RandomSeed

KEYS = [CATEGORY, DIMENSION, ITEM]
MAX_REFIT_ORDERS = 50
"""Random orders of an Elo refit: differences between refits are far larger than what remains of the orders."""

type Refit = Callable[[Study], pd.Series]


def refit_function(fusion: Fusion, **changes: object) -> Refit:
    """Return a function that fits another study in the way of ``fusion`` and returns its scores by item."""
    from ppaint_stats.fuse.davidson import fuse_davidson
    from ppaint_stats.fuse.elo import fuse_elo
    from ppaint_stats.fuse.thurstone import fuse_thurstone

    methods: dict[str, tuple[Callable[..., Fusion], tuple[str, ...]]] = {
        "davidson": (fuse_davidson, ("rating_weight", "order_effect", "discount", "bend")),
        "elo": (
            fuse_elo,
            ("k", "anchor_games", "start_slope", "n_orders", "max_passes", "tol", "order_effect", "bend"),
        ),
        "thurstone": (fuse_thurstone, ()),
    }
    if fusion.method not in methods:
        raise ArgumentError(
            f"a fusion by method {fusion.method!r} cannot be fitted again here; these can: {sorted(methods)}"
        )
    function, names = methods[fusion.method]
    options = {name: fusion.settings[name] for name in names} | {"protocols": fusion.settings["protocols"]} | changes
    if "n_orders" in options:
        options["n_orders"] = min(int(options["n_orders"]), MAX_REFIT_ORDERS)
    seed = fusion.settings["random_seed"]

    def refit(study: Study) -> pd.Series:
        return function(study, interval="none", random_seed=seed, **options).scores.set_index(KEYS)["score"]

    return refit


@dataclass
class Decomposition:
    """Refits of two fusions, filled by :func:`decompose_agreement`: rank correlations by kind and cell."""

    rows: list[dict[str, object]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, x: pd.Series, y: pd.Series) -> None:
        """Record the rank correlation of two sets of scores in each category and dimension."""
        both = pd.concat([x.rename("x"), y.rename("y")], axis=1, join="inner")
        for (category, dimension), group in both.groupby(level=[CATEGORY, DIMENSION], sort=False):
            constant = len(group) < 3 or group["x"].nunique() < 2 or group["y"].nunique() < 2
            srcc = np.nan if constant else float(stats.spearmanr(group["x"], group["y"]).statistic)
            self.rows.append({CATEGORY: category, DIMENSION: dimension, "kind": kind, "srcc": srcc})


def decompose_agreement(
    a: Fusion,
    b: Fusion,
    study: Study,
    *,
    n_splits: int,
    n_permutations: int,
    random_seed: RandomSeed,
    progressbar: bool,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Fit both fusions again to permuted ratings, to preferences only and to halves of the raters.

    Returns
    -------
    tuple
        A frame with ``category, dimension, permuted, preferences_only, same_half, cross_half, within_a, within_b,
        ratio, shared_part`` (means over refits; nan where a refit is impossible), and the reasons why some were.
    """
    found = Decomposition()
    permute_seed, split_seed_ = split_seed(random_seed, 2)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", PPaintWarning
        )  # refits see less data: what a person must look at is in the table
        jobs = list(_list_jobs(a, b, study, n_splits, n_permutations, permute_seed, split_seed_, found))
        for kind, job in track(jobs, total=len(jobs), description="refitting", progressbar=progressbar):
            try:
                job()
            except PPaintError as error:
                found.failures.setdefault(kind, str(error))
    columns = ["permuted", "preferences_only", "same_half", "cross_half", "within_a", "within_b"]
    cells = pd.DataFrame(study.cells, columns=[CATEGORY, DIMENSION])
    long = pd.DataFrame(found.rows, columns=[CATEGORY, DIMENSION, "kind", "srcc"])
    wide = long.pivot_table(index=[CATEGORY, DIMENSION], columns="kind", values="srcc").reindex(columns=columns)
    table = cells.merge(wide.reset_index(), how="left", on=[CATEGORY, DIMENSION])
    product = table["within_a"] * table["within_b"]
    table["ratio"] = table["cross_half"] / np.sqrt(product.where(product > 0))
    table["shared_part"] = table["same_half"] - table["cross_half"]
    return table, found.failures


def _list_jobs(
    a: Fusion,
    b: Fusion,
    study: Study,
    n_splits: int,
    n_permutations: int,
    permute_seed: np.random.SeedSequence,
    halves_seed: np.random.SeedSequence,
    found: Decomposition,
) -> Iterator[tuple[str, Callable[[], None]]]:
    fit_a, fit_b = refit_function(a), refit_function(b)

    def on_permuted(seed: np.random.SeedSequence) -> None:
        permuted = permute_ratings(study, random_seed=seed)
        found.add("permuted", fit_a(permuted), fit_b(permuted))

    def on_preferences() -> None:
        only_a, only_b = refit_function(a, protocols="preferences"), refit_function(b, protocols="preferences")
        found.add("preferences_only", only_a(study), only_b(study))

    def on_halves(first: list[str], second: list[str]) -> None:
        one, two = study.select(raters=first), study.select(raters=second)
        a1, b1, a2, b2 = fit_a(one), fit_b(one), fit_a(two), fit_b(two)
        for kind, x, y in (
            ("same_half", a1, b1), ("same_half", a2, b2), ("cross_half", a1, b2), ("cross_half", a2, b1),
            ("within_a", a1, a2), ("within_b", b1, b2),
        ):  # fmt: skip
            found.add(kind, x, y)

    if study.ratings is not None and study.preferences is not None:
        for seed in split_seed(permute_seed, n_permutations):
            yield "permuted", lambda seed=seed: on_permuted(seed)  # type: ignore[misc]
    if study.preferences is not None:
        yield "preferences_only", on_preferences
    try:
        halves = split_raters(study, n_splits=n_splits, random_seed=halves_seed)
    except ArgumentError as error:
        found.failures["halves"] = str(error)
        return
    for first, second in halves:
        yield "halves", lambda first=first, second=second: on_halves(first, second)  # type: ignore[misc]


def permute_ratings(study: Study, *, random_seed: RandomSeed = None) -> Study:
    """Exchange the items' ratings within each category, all raters and dimensions alike.

    Parameters
    ----------
    study
        A study with ratings.
    random_seed
        Seed of the permutation.

    Returns
    -------
    Study
        The same ratings under other items: raters agree as before, but about the wrong items.
    """
    if study.ratings is None:
        raise ArgumentError("the study has no ratings to permute")
    rng = np.random.default_rng(random_seed)
    ratings = study.ratings.copy()
    for _, rows in ratings.groupby(CATEGORY, sort=False):
        items = rows[ITEM].unique()
        ratings.loc[rows.index, ITEM] = rows[ITEM].map(dict(zip(items, rng.permutation(items), strict=True)))
    return Study(ratings=ratings, preferences=study.preferences, scale=study.scale)


def split_raters(study: Study, *, n_splits: int, random_seed: RandomSeed = None) -> list[tuple[list[str], list[str]]]:
    """Split the raters into disjoint halves, at random but alike in category and protocol.

    Parameters
    ----------
    study
        A study that names its raters.
    n_splits
        Number of splits; fewer where there are not so many.
    random_seed
        Seed.

    Returns
    -------
    list of tuple
        Names of the raters of both halves of each split.

    Raises
    ------
    ArgumentError
        If a group of raters, those of the same categories and protocols, has fewer than four, or comparisons have no
        rater.
    """
    seen: dict[str, set[tuple[str, str]]] = {}
    for protocol, table in (("ratings", study.ratings), ("preferences", study.preferences)):
        if table is None:
            continue
        if RATER not in table:
            raise ArgumentError("halves of raters need the rater of every comparison, and the preferences name none")
        for rater, category in table[[RATER, CATEGORY]].drop_duplicates().itertuples(index=False):
            seen.setdefault(str(rater), set()).add((protocol, str(category)))
    groups: dict[frozenset[tuple[str, str]], list[str]] = {}
    for rater, part in seen.items():
        groups.setdefault(frozenset(part), []).append(rater)
    small = [members for members in groups.values() if len(members) < 4]
    if small:
        raise ArgumentError(
            f"halves need at least 4 raters of the same categories and protocols; {small[0]} are {len(small[0])}"
        )
    rng = np.random.default_rng(random_seed)
    choices: list[list[set[str]]] = []
    for members in groups.values():
        half = len(members) // 2
        if len(members) <= 8:  # few enough to list: splits without repetition
            every = list(combinations(members, half))
            choices.append([set(every[i]) for i in rng.permutation(len(every))])
        else:
            choices.append([set(rng.permutation(members)[:half].tolist()) for _ in range(n_splits)])
    splits = []
    for k in range(min([n_splits, *(len(listed) for listed in choices)])):
        first: list[str] = []
        second: list[str] = []
        for turn, (members, listed) in enumerate(zip(groups.values(), choices, strict=True)):
            sides = (first, second) if turn % 2 == 0 else (second, first)  # the odd rater goes to either side in turn
            sides[0].extend(m for m in members if m in listed[k])
            sides[1].extend(m for m in members if m not in listed[k])
        splits.append((first, second))
    return splits
