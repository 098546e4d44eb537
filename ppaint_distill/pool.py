"""The reference pool: images whose strengths are known, with their joint error, from comparisons among themselves."""

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ppaint_distill.comparisons import CellPairs, Votes, gather_pairs
from ppaint_distill.reference import PARAMETERS, Pool, load_pool
from ppaint_distill.targets import Cell
from ppaint_stats.arguments import check_count
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError, DataError, DisconnectedWarning
from ppaint_stats.kernels.graphs import link_components
from ppaint_stats.progress import track
from ppaint_stats.seeds import describe_seed, split_seed
from ppaint_stats.typing import FloatArray, RandomSeed

__all__ = ["Pool", "check_disjoint", "choose_anchors", "choose_opponents", "fit_pool", "load_pool"]

MIN_DRAWS = 20


def check_disjoint(pool_hashes: Mapping[str, str], train_hashes: Mapping[str, str]) -> None:
    """Refuse a pool that shares images with the training set, by content and not by name.

    Parameters
    ----------
    pool_hashes, train_hashes
        Hash of each image's content, by item.

    Raises
    ------
    DataError
        If an image is in both; the message names it under both names.

    Examples
    --------
    >>> check_disjoint({"p1": "aa", "p2": "bb"}, {"t1": "cc"})
    """
    by_hash: dict[str, str] = {}
    for item, content in pool_hashes.items():
        by_hash.setdefault(content, item)
    shared = [(by_hash[content], item) for item, content in train_hashes.items() if content in by_hash]
    if shared:
        named = ", ".join(f"{pool!r} = {train!r}" for pool, train in shared[:10])
        more = f" and {len(shared) - 10} more" if len(shared) > 10 else ""
        raise DataError(
            f"{len(shared)} image(s) are in the pool and in the training set (pool name = training name): {named}{more}"
            "; take them out of one of the two"
        )


def fit_pool(
    preferences: pd.DataFrame,
    *,
    n_draws: int = 200,
    order_correlation: float | None = None,
    votes: Votes = "share",
    random_seed: RandomSeed = 0,
    progressbar: bool = True,
) -> Pool:
    r"""Estimate the strengths of a pool's images, and the judge's parameters, from comparisons within the pool.

    Parameters
    ----------
    preferences
        Table of preferences; several raters are taken as independent judges of one kind.
    n_draws
        Joint draws of strengths and parameters.
    order_correlation
        How far the answers to one pair in both orders share their noise: 0 makes them independent, 1 counts both as one
        (values above 0.98 count as 0.98). None estimates it from the pairs that were shown in both orders. A value that
        is too high is not cautious: disagreement of the two orders then passes for proof that the images are alike.
    votes
        What repeated answers to one question are worth: ``share`` gives all of them the weight of one, ``count`` takes
        each for an answer with noise of its own. New images are then read in the same way.
    random_seed
        Seed.
    progressbar
        Whether a bar shows progress, in a terminal.

    Returns
    -------
    Pool
        Strengths, parameters and joint draws, for every category and dimension by itself.

    Raises
    ------
    DataError
        If the table is not allowed, or a cell has fewer than three images.
    ArgumentError
        If a parameter is outside its range.

    Warns
    -----
    DisconnectedWarning
        If comparisons do not connect the pool; then only the prior says how its parts compare.

    Notes
    -----
    Davidson's model with a first-position effect delta, strengths N(0, sigma^2), sigma estimated. **Both orders of one
    pair are not independent evidence.** A deterministic judge who sees i and j gives the same answer in either order,
    but for the advantage of the first position: what deviates from the strengths is the judge's taste in this pair, and
    it is there both times. Counting such answers as independent makes intervals too short by up to sqrt(2). Here the
    two are joined by a Gaussian copula with correlation rho, which is *estimated*: rho is what makes both orders agree
    more often than the strengths explain. rho = 0 gives independent answers, rho = 1 a single one; every single answer
    follows Davidson's model throughout. Without pairs in both orders rho plays no part here, and its wide prior is
    what later comparisons with the pool get.

    Repeated answers to the very same question share the weight of one answer, since they are no fresh look at the pair.

    The posterior is integrated over the judge's parameters too. Strengths are centred in every draw, so that 0 is the
    pool's mean; a new image has the prior N(m, sigma^2), where m ~ N(0, sigma^2 / n) because the pool's mean is that of
    n images only. The work of a cell grows with the cube of its images: pools have tens or hundreds of images.
    """
    check_count("n_draws", n_draws, MIN_DRAWS)
    if votes not in ("count", "share"):
        raise ArgumentError(f"votes={votes!r} is not allowed: 'count' or 'share' is")
    if order_correlation is not None and not 0 <= order_correlation <= 1:
        raise ArgumentError(f"order_correlation={order_correlation!r} is not allowed: None, or 0 to 1, is")
    gathered = gather_pairs(preferences, votes=votes)
    seeds = split_seed(random_seed, len(gathered))
    strengths, parameters, draws, parameter_draws = [], [], {}, {}
    work = zip(gathered.items(), seeds, strict=True)
    for (cell, pairs), seed in track(work, total=len(gathered), description="Pool", progressbar=progressbar):
        found, about = _fit_cell(cell, pairs, n_draws, order_correlation, np.random.default_rng(seed))
        centred, frame = found
        head = {CATEGORY: cell[0], DIMENSION: cell[1]}
        met = np.bincount(pairs.first, minlength=len(pairs.items)) + np.bincount(
            pairs.second, minlength=len(pairs.items)
        )
        columns = {ITEM: pairs.items, "strength": centred.mean(axis=0), "sd": centred.std(axis=0, ddof=1)}
        strengths.append(pd.DataFrame({**head, **columns, "n_comparisons": met}))
        parameters.append({**head, **about})
        draws[cell], parameter_draws[cell] = centred, frame
    return Pool(
        strengths=pd.concat(strengths, ignore_index=True),
        parameters=pd.DataFrame(parameters),
        draws=draws,
        parameter_draws=parameter_draws,
        settings={
            "n_draws": n_draws,
            "order_correlation": order_correlation,
            "votes": votes,
            "random_seed": describe_seed(random_seed),
        },
    )


def _fit_cell(
    cell: Cell, pairs: CellPairs, n_draws: int, correlation: float | None, rng: np.random.Generator
) -> tuple[tuple[FloatArray, pd.DataFrame], dict[str, object]]:
    from ppaint_distill.kernels.answers import find_patterns
    from ppaint_distill.kernels.strengths import PoolProblem, draw_pool

    n = len(pairs.items)
    if n < 3:
        raise DataError(f"the pool of {cell} has {n} images; at least 3 are needed")
    parts = int(link_components(pairs.first, pairs.second, n).max()) + 1
    if parts > 1:
        warnings.warn(
            f"the comparisons of the pool of {cell} fall into {parts} parts that nothing connects: only the prior says "
            "how these compare",
            DisconnectedWarning,
            stacklevel=4,
        )
    patterns, code = find_patterns(pairs.weights)
    drawn = draw_pool(PoolProblem(pairs.first, pairs.second, patterns, code, n, correlation), n_draws=n_draws, rng=rng)
    level = drawn.strength.mean(axis=1)
    values = (-level, drawn.sd, drawn.log_nu, drawn.order_effect, drawn.correlation)
    frame = pd.DataFrame(dict(zip(PARAMETERS, values, strict=True)))
    about: dict[str, object] = {}
    for name, column in zip(("strength_sd", *PARAMETERS[2:]), PARAMETERS[1:], strict=True):
        about |= {name: float(frame[column].mean()), f"{name}_sd": float(frame[column].std(ddof=1))}
    both = pairs.in_both_orders
    shares = pairs.weights[both].reshape(-1, 2, 3)
    shares = shares / shares.sum(axis=2, keepdims=True)
    same = shares.prod(axis=1).sum(axis=1)
    about |= {
        "n_pairs": len(pairs.first),
        "n_both_orders": int(both.sum()),
        "same_answer": float(same.mean()) if both.any() else float("nan"),
        "converged": drawn.converged,
    }
    return (drawn.strength - level[:, None], frame), about


def choose_opponents(
    items: Iterable[str],
    pool: Pool,
    *,
    n_comparisons: int = 20,
    category: str | None = None,
    random_seed: RandomSeed = 0,
) -> pd.DataFrame:
    """Choose pool images with which new images are compared.

    Each new image meets images from all over the pool's order: the order is cut into ``n_comparisons`` stretches, and
    one image is drawn from each. All pool images are used equally often, but for the rounding of stretches.

    Parameters
    ----------
    items
        New images.
    pool
        The pool.
    n_comparisons
        Opponents of each new image, at most the size of the pool.
    category
        Category of the new images; needed where the pool has several. The order is that of the mean over dimensions.
    random_seed
        Seed.

    Returns
    -------
    DataFrame
        Columns ``item, opponent``, ``n_comparisons`` rows an image.

    Raises
    ------
    ArgumentError
        If the category is unknown or missing, or there are more comparisons than pool images.
    DataError
        If a new image bears the name of a pool image, or occurs twice.
    """
    check_count("n_comparisons", n_comparisons, 1)
    known = list(dict.fromkeys(cell[0] for cell in pool.cells))
    if category is None and len(known) > 1:
        raise ArgumentError(f"the pool has the categories {known}: say which with category=")
    category = known[0] if category is None else category
    if category not in known:
        raise ArgumentError(f"category={category!r} is not in the pool; it has {known}")
    rows = pool.strengths[pool.strengths[CATEGORY] == category]
    order = rows.groupby(ITEM)["strength"].mean().sort_values(kind="stable").index.to_numpy(dtype=object)
    if n_comparisons > len(order):
        raise ArgumentError(f"n_comparisons={n_comparisons} is more than the pool's {len(order)} images")
    new = np.array([str(item) for item in items], dtype=object)
    _refuse_names(new, set(order))
    rng = np.random.default_rng(random_seed)
    m, n = n_comparisons, len(order)
    # in every stretch the new images share out its length evenly, in random order
    shuffled = rng.permuted(np.tile(np.arange(len(new))[:, None], (1, m)), axis=0)
    share = (shuffled + rng.random((len(new), m))) / max(len(new), 1)
    place = np.minimum(((np.arange(m) + share) * n / m).astype(np.int64), n - 1)
    for k in range(1, m):  # stretches may end within one image: it is met once
        place[:, k] = np.maximum(place[:, k], place[:, k - 1] + 1)
    place = np.minimum(place, n - m + np.arange(m))
    return pd.DataFrame({ITEM: np.repeat(new, m).astype(str), "opponent": order[place.ravel()].astype(str)})


def choose_anchors(pool: Pool, *, n_anchors: int = 10) -> pd.DataFrame:
    """Choose pool images that are worth a score by hand: spread evenly over the pool's order, its ends included.

    Parameters
    ----------
    pool
        The pool.
    n_anchors
        Anchors of each category.

    Returns
    -------
    DataFrame
        Columns ``category, item, strength`` (the mean over dimensions), weakest first.

    Raises
    ------
    ArgumentError
        If there are fewer than two anchors, or more than images in a category.
    """
    check_count("n_anchors", n_anchors, 2)
    means = pool.strengths.groupby([CATEGORY, ITEM], sort=False)["strength"].mean().reset_index()
    frames = []
    for category, rows in means.groupby(CATEGORY, sort=False):
        if n_anchors > len(rows):
            raise ArgumentError(f"n_anchors={n_anchors} is more than the {len(rows)} pool images of {category!r}")
        order = rows.sort_values(["strength", ITEM], kind="stable")
        frames.append(order.iloc[np.rint(np.linspace(0, len(rows) - 1, n_anchors)).astype(int)])
    return pd.concat(frames, ignore_index=True)


def _refuse_names(new: Sequence[str] | np.ndarray, pool: set[str]) -> None:
    inside = [item for item in new if item in pool]
    if inside:
        raise DataError(f"{len(inside)} new image(s) bear names of pool images: {inside[:10]}")
    names = pd.Index(new)
    if not names.is_unique:
        raise DataError(f"new images occur more than once: {names[names.duplicated()].unique().tolist()[:10]}")
