r"""Variants of a study that share some of its input, and none of what is not asked about.

Two fusions of one study share raters, ratings and comparisons, and would agree on noise. Each is fitted again to

- the study with its ratings **permuted** over the items: what agreement is left when the ratings say nothing;
- the **preferences only**: how closely the two can agree at all when no rating is there to be weighed differently;
- disjoint **halves** of the raters: the two then share no judgment;
- halves whose ratings were permuted, each half by itself: what the comparisons alone carry across halves;
- halves **emptied** of everything about the items: each rater's answers are shuffled over what that rater judged, so
  that the design and the raters' habits are all that is left.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, COUNT, DIMENSION, ITEM, OUTCOME, RATER, RATING
from ppaint_stats.errors import ArgumentError
from ppaint_stats.seeds import split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import RandomSeed

PERMUTED = "permuted"
PREFERENCES = "preferences_only"
HALVES = "halves"
HALVES_PERMUTED = "halves, permuted"
HALVES_EMPTIED = "halves, emptied"


@dataclass(frozen=True)
class Variant:
    """A study to fit again: its kind, the number of the repetition, which half of it, and what to change in the fit."""

    kind: str
    repeat: int
    half: int
    study: Study
    changes: Mapping[str, object] = field(default_factory=dict)


def list_variants(
    study: Study, *, n_splits: int, n_permutations: int, random_seed: RandomSeed, permute: bool = True
) -> tuple[list[Variant], dict[str, str]]:
    """List the variants of a study, and the reasons why some cannot be had.

    Parameters
    ----------
    study
        The study.
    n_splits
        Splits of the raters into halves.
    n_permutations
        Repetitions of everything that is permuted or shuffled; each takes the next split.
    random_seed
        Seed.
    permute
        Whether ratings are permuted where the study has both protocols.

    Returns
    -------
    tuple
        Variants, and reasons by kind.
    """
    permute_seed, split_seed_, half_seed, empty_seed = split_seed(random_seed, 4)
    both = study.ratings is not None and study.preferences is not None
    found: list[Variant] = []
    if both and permute:
        for k, seed in enumerate(split_seed(permute_seed, n_permutations)):
            found.append(Variant(PERMUTED, k, 0, permute_ratings(study, random_seed=seed)))
    if study.preferences is not None:
        found.append(Variant(PREFERENCES, 0, 0, study, {"protocols": "preferences"}))
    try:
        splits = split_raters(study, n_splits=n_splits, random_seed=split_seed_)
    except ArgumentError as error:
        return found, {HALVES: str(error)}
    halves = [tuple(study.select(raters=names) for names in split) for split in splits]
    found += [Variant(HALVES, k, h, half) for k, pair in enumerate(halves) for h, half in enumerate(pair)]
    # half by half with a seed of its own: nothing about the items is common to the two
    for k, h, seeds in _half_seeds(n_permutations, half_seed, empty_seed):
        half = halves[k % len(halves)][h]
        if both and permute:
            found.append(Variant(HALVES_PERMUTED, k, h, permute_ratings(half, random_seed=seeds[0])))
        found.append(Variant(HALVES_EMPTIED, k, h, shuffle_answers(half, random_seed=seeds[1])))
    return found, {}


def _half_seeds(
    n: int, *parents: np.random.SeedSequence
) -> Iterator[tuple[int, int, tuple[np.random.SeedSequence, ...]]]:
    children = [split_seed(parent, 2 * n) for parent in parents]
    for k in range(n):
        for h in range(2):
            yield k, h, tuple(own[2 * k + h] for own in children)


def shuffle_answers(study: Study, *, random_seed: RandomSeed = None) -> Study:
    """Shuffle each rater's answers over what the rater judged, dimension by dimension.

    Parameters
    ----------
    study
        A study.
    random_seed
        Seed.

    Returns
    -------
    Study
        A study of the same design in which each rater gives the same answers, as many of each level and as many of A,
        TIE and B, but about nothing: no item is better than another, and no two raters agree but by chance.
    """
    rng = np.random.default_rng(random_seed)
    tables: dict[str, pd.DataFrame | None] = {}
    for name, table, answers in (
        ("ratings", study.ratings, [RATING]),
        ("preferences", study.preferences, [OUTCOME, COUNT]),
    ):
        if table is None:
            tables[name] = None
            continue
        keys = [column for column in (CATEGORY, DIMENSION, RATER) if column in table]
        order = np.arange(len(table))
        for rows in table.groupby(keys, sort=False).indices.values():
            order[rows] = rng.permutation(rows)
        held = [column for column in answers if column in table]
        shuffled = table.copy()
        shuffled[held] = table[held].iloc[order].set_axis(table.index)
        tables[name] = shuffled
    return Study(ratings=tables["ratings"], preferences=tables["preferences"], scale=study.scale)


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
