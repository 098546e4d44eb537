"""Which questions to ask: pairs in both orders, votes, single images."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ppaint_distill.images import ImageFile
from ppaint_distill.judge.base import Kind, Question
from ppaint_stats.arguments import check_count
from ppaint_stats.columns import ITEM, ITEM_A, ITEM_B
from ppaint_stats.design import balanced_presentation
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.seeds import split_seed
from ppaint_stats.tables import show_values
from ppaint_stats.typing import RandomSeed


def plan_pairs(
    images: Sequence[ImageFile],
    *,
    n_opponents: int | None = None,
    pairs: pd.DataFrame | None = None,
    both_orders: bool = True,
    votes: int = 1,
    random_seed: RandomSeed = 0,
) -> tuple[Question, ...]:
    """Plan pairwise questions.

    Parameters
    ----------
    images
        Images with hashes, as `ppaint_distill.images.inspect_images` returns them.
    n_opponents
        Opponents of each image, drawn at random (`draw_pairs`). Either this or ``pairs`` is given.
    pairs
        Columns ``item_a, item_b`` or ``item, opponent``: which images to compare, each pair once.
    both_orders
        Whether each pair is shown in both orders. If not, drawn pairs are shown so that each image is first in half
        of its pairs, and given pairs as they are given.
    votes
        Answers to each question.
    random_seed
        Of drawn pairs and their presentation.

    Returns
    -------
    tuple of Question
        Pair after pair, both orders and all votes of a pair together.

    Raises
    ------
    ArgumentError
        If not exactly one of ``n_opponents`` and ``pairs`` is given, or a number is out of range.
    DataError
        If an image has no hash, two have one id, or a pair names an unknown item, an item twice, or stands there twice.

    Examples
    --------
    >>> from pathlib import Path
    >>> images = [ImageFile(name, Path(f"{name}.png"), hash=name) for name in "xyz"]
    >>> [question.items for question in plan_pairs(images, pairs=pd.DataFrame({"item_a": ["x"], "item_b": ["z"]}))]
    [('x', 'z'), ('z', 'x')]
    """
    check_count("votes", votes, 1)
    known = _index(images)
    if (n_opponents is None) == (pairs is None):
        raise ArgumentError("either n_opponents or pairs must be given, and not both")
    if pairs is not None:
        shown = _check_pairs(pairs, known)
    else:
        draw_seed, show_seed = split_seed(random_seed, 2)
        drawn = draw_pairs([*known], n_opponents=n_opponents or 0, random_seed=draw_seed)
        shown = balanced_presentation(drawn, random_seed=show_seed)
    orders = [
        order
        for a, b in zip(shown[ITEM_A], shown[ITEM_B], strict=True)
        for order in (((a, b), (b, a)) if both_orders else ((a, b),))
    ]
    return tuple(_ask_about("pairwise", items, known, vote) for items in orders for vote in range(votes))


def plan_ratings(images: Sequence[ImageFile], *, votes: int = 1) -> tuple[Question, ...]:
    """Plan pointwise questions.

    Parameters
    ----------
    images
        Images with hashes.
    votes
        Answers to each question.

    Returns
    -------
    tuple of Question
        Image after image.

    Raises
    ------
    ArgumentError
        If the number of votes is not positive.
    DataError
        If an image has no hash, or two have one id.
    """
    check_count("votes", votes, 1)
    known = _index(images)
    return tuple(_ask_about("pointwise", (item,), known, vote) for item in known for vote in range(votes))


def draw_pairs(items: Sequence[str], *, n_opponents: int, random_seed: RandomSeed = 0) -> pd.DataFrame:
    """Draw pairs at random so that all items have the same number of opponents and are connected.

    Parameters
    ----------
    items
        Ids, each once.
    n_opponents
        Opponents of each item, from 2 (1 for two items) to all others. Where both numbers are odd, one item has one
        more.
    random_seed
        Seed.

    Returns
    -------
    DataFrame
        Columns ``item_a, item_b``.

    Raises
    ------
    ArgumentError
        If the number of opponents is out of range.

    Notes
    -----
    Items stand in a circle in random order; each meets its neighbours, which connects all, and those at some other
    distances, drawn at random. An odd number is made up by a pairing at the largest distance.

    Examples
    --------
    >>> pairs = draw_pairs("abcdefg", n_opponents=4, random_seed=1)
    >>> pd.concat([pairs["item_a"], pairs["item_b"]]).value_counts().unique()
    array([4])
    """
    n = len(items)
    least = min(2, n - 1)
    if n < 2 or not least <= n_opponents <= n - 1:
        raise ArgumentError(f"n_opponents={n_opponents} is not allowed: {max(least, 1)} to {max(n - 1, 1)} is, for {n}")
    rng = np.random.default_rng(random_seed)
    circle = rng.permutation(n)
    place = np.arange(n)
    n_steps, odd = divmod(n_opponents, 2)
    largest = (n - 1) // 2  # of the distances at which everyone has two neighbours
    if odd and n % 2:
        largest -= 1  # the largest serves for the pairing
    steps = [1, *sorted((2 + rng.permutation(largest - 1)[: n_steps - 1]).tolist())] if n_steps else []
    ends = [np.column_stack([place, (place + step) % n]) for step in steps]
    if odd and n % 2 == 0:
        ends.append(np.column_stack([place[: n // 2], place[n // 2 :]]))
    elif odd:
        walk = place * ((n - 1) // 2) % n  # visits every place, because the step and n have no common divisor
        ends.append(np.column_stack([walk[:-1:2], walk[1::2]]))
        ends.append(np.array([[walk[-1], walk[0]]]))
    chosen = circle[np.concatenate(ends)]
    names = np.array(list(items), dtype=object)
    return pd.DataFrame({ITEM_A: names[chosen[:, 0]], ITEM_B: names[chosen[:, 1]]}).astype("str")


def _index(images: Sequence[ImageFile]) -> dict[str, ImageFile]:
    known = {image.item: image for image in images}
    if len(known) < len(images):
        repeated = [image.item for image in images if known[image.item] is not image]
        raise DataError(f"images: more than one has the id {show_values(repeated)}")
    if lacking := [image.item for image in images if image.hash is None]:
        raise DataError(f"images: no hash of {show_values(lacking)}; inspect_images reads them and gives it")
    return known


def _check_pairs(pairs: pd.DataFrame, known: Mapping[str, ImageFile]) -> pd.DataFrame:
    found = list(pairs.columns)
    if ITEM_A not in found and ITEM in found and "opponent" in found:
        pairs = pairs.rename(columns={ITEM: ITEM_A, "opponent": ITEM_B})
    elif missing := [name for name in (ITEM_A, ITEM_B) if name not in found]:
        raise DataError(f"pairs: no column {show_values(missing)}; found are {show_values(found)}")
    shown = pairs[[ITEM_A, ITEM_B]].astype("str").reset_index(drop=True)
    for name in (ITEM_A, ITEM_B):
        strange = shown.loc[~shown[name].isin(known), name]
        if not strange.empty:
            rows = ", ".join(map(str, strange.index[:10]))
            raise DataError(f"pairs, column '{name}', rows {rows}: no image has the id {show_values(strange)}")
    same = shown.index[shown[ITEM_A] == shown[ITEM_B]]
    if len(same):
        rows = ", ".join(map(str, same[:10]))
        raise DataError(f"pairs, rows {rows}: {show_values(shown.loc[same, ITEM_A])} is compared with itself")
    ends = pd.DataFrame(np.sort(shown.to_numpy(dtype=object), axis=1))
    again = ends.index[ends.duplicated()]
    if len(again):
        rows = ", ".join(map(str, again[:10]))
        raise DataError(f"pairs, rows {rows}: these pairs stand there already; votes= asks again, both_orders= swaps")
    return shown


def _ask_about(kind: Kind, items: tuple[str, ...], known: Mapping[str, ImageFile], vote: int) -> Question:
    files = [known[item] for item in items]
    return Question(kind, items, tuple(f.path for f in files), tuple(str(f.hash) for f in files), vote)
