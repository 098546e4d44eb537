"""The label-free chain in one call: a model compares images, comparisons become scores, and it learns to give them."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ppaint_distill.config import Config, save_config
from ppaint_distill.errors import ImageError, SkippedWarning
from ppaint_distill.images import ImageFile, find_images, inspect_images
from ppaint_distill.judge import AnswerStore, JudgeRun, Question, plan_pairs, plan_ratings, run_judge, write_preferences
from ppaint_distill.pool import check_disjoint, choose_opponents, fit_pool
from ppaint_distill.pseudo import PseudoScores, score_against_pool
from ppaint_distill.reference import Pool
from ppaint_stats.columns import DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import pandas as pd

    from ppaint_distill.models import LoadedModel
    from ppaint_distill.trainer import TrainResult

__all__ = ["ChainResult", "distill", "judge_against_pool", "plan_against_pool"]


@dataclass(frozen=True, eq=False)
class ChainResult:
    """What the label-free chain made.

    Parameters
    ----------
    pool
        The reference pool.
    anchors
        Known scores by which the scale is set: ``item, dimension, score``.
    pseudo
        Pseudo-scores of the training images.
    training
        The trained scorer, and how it got there.
    judged
        The judge's runs: on the pool, on single images of the pool (None where anchors were given), and on the
        training images.
    bad_images
        Images of either folder that could not be used.
    """

    pool: Pool
    anchors: "pd.DataFrame"
    pseudo: PseudoScores
    training: "TrainResult"
    judged: tuple[JudgeRun, JudgeRun | None, JudgeRun]
    bad_images: tuple[ImageError, ...] = ()


def distill(
    model: "LoadedModel",
    pool_images: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    config: Config | None = None,
    anchors: "pd.DataFrame | None" = None,
    progressbar: bool = True,
) -> ChainResult:
    """Train a model to give in one pass the scores that its own comparisons imply.

    Parameters
    ----------
    model
        The model: student, and judge unless ``served.url`` names a server.
    pool_images
        Folder of the reference pool's images.
    images
        Folder of the images to train on, none of them in the pool.
    out
        Folder for answers, tables, targets and the trained scorer. A chain that was interrupted goes on where it was.
    config
        All settings.
    anchors
        Known scores of pool images, ``item, score`` and perhaps ``dimension``, which set the scale. Without them the
        model's own pointwise scores of the pool's images do: the *level* of scores is then that of the untrained
        model, and their order that of its comparisons.
    progressbar
        Whether progress is shown where standard error is a terminal.

    Returns
    -------
    ChainResult
        Pool, pseudo-scores and scorer.

    Raises
    ------
    DataError
        If a picture is both in the pool and among the training images, by content or by name.
    ArgumentError
        If the pool is smaller than the number of comparisons, or several processes run this: judge with one, and train
        with as many as there are.

    Warns
    -----
    SkippedWarning
        If images could not be used (``bad_images`` lists them), or answers could not be read.
    """
    from ppaint_distill.judge.choose import make_judge
    from ppaint_distill.trainer import train

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ArgumentError("the whole chain runs in one process: judge in one, then `train` in several")
    config, folder = config or Config(), Path(out)
    judge = make_judge(config, loaded=model)
    known, new, bad = _inspect(pool_images, images, progressbar=progressbar)
    _check_sizes(known, new, config)
    folder.mkdir(parents=True, exist_ok=True)
    save_config(config, folder / "config.yaml")
    questions = plan_pairs(
        known,
        n_opponents=min(config.pool.n_opponents, len(known) - 1),
        both_orders=config.judge.both_orders,
        votes=config.judge.votes,
        random_seed=config.pool.random_seed,
    )
    with AnswerStore(folder / "answers.jsonl") as store:

        def ask(asked: Sequence[Question]) -> JudgeRun:
            return run_judge(judge, asked, store, batch_size=config.judge.batch_size, progressbar=progressbar)

        among = ask(questions)
        preferences = among.preferences()
        write_preferences(preferences, folder / "pool-preferences.parquet", provenance=among.provenance())
        pool = fit_pool(
            preferences,
            n_draws=config.pool.n_draws,
            votes=config.pool.votes,
            random_seed=config.pool.random_seed,
            progressbar=progressbar,
        )
        pool.save(folder / "pool.npz")
        singles = None
        if anchors is None:
            singles = ask(plan_ratings(known, votes=config.judge.votes))
            ratings = singles.ratings().rename(columns={"rating": "score"})
            anchors = ratings.groupby([DIMENSION, ITEM])["score"].mean().reset_index()
            anchors = anchors[anchors[ITEM].isin(pool.strengths[ITEM])]  # rated, but never comparable with another
        against = ask(plan_against_pool(new, known, pool, config))
    preferences = against.preferences()
    write_preferences(preferences, folder / "preferences.parquet", provenance=against.provenance())
    pseudo = _score(preferences, pool, anchors, config, progressbar=progressbar)
    pseudo.to_targets(folder / "targets.parquet")
    training = train(config, pseudo.targets(), new, folder / "run", model=model, progressbar=progressbar)
    judged = (among, singles, against)
    later = {error.path: error for run in judged if run is not None for error in run.bad_images}
    return ChainResult(pool, anchors, pseudo, training, judged, (*bad, *later.values()))


def judge_against_pool(
    model: "LoadedModel",
    pool_images: str | Path,
    images: str | Path,
    chain: ChainResult,
    *,
    answers: str | Path,
    config: Config,
    progressbar: bool = True,
) -> PseudoScores:
    """Score further images as the judge does: by comparing them with the chain's pool.

    This is what a scorer was trained to do in a single pass, and the ceiling beside which it is shown.

    Parameters
    ----------
    model
        The judge, unless ``served.url`` names a server.
    pool_images, images
        Folders of images.
    chain
        A finished chain.
    answers
        File of stored answers.
    config
        The chain's settings.
    progressbar
        Whether progress is shown where standard error is a terminal.

    Returns
    -------
    PseudoScores
        Scores of the images.
    """
    from ppaint_distill.judge.choose import make_judge

    known, new, _ = _inspect(pool_images, images, progressbar=progressbar)
    questions = plan_against_pool(new, known, chain.pool, config)
    with AnswerStore(answers) as store:
        judge = make_judge(config, loaded=model)
        run = run_judge(judge, questions, store, batch_size=config.judge.batch_size, progressbar=progressbar)
    return _score(run.preferences(), chain.pool, chain.anchors, config, progressbar=progressbar)


def plan_against_pool(
    new: Sequence[ImageFile], known: Sequence[ImageFile], pool: Pool, config: Config, *, category: str | None = None
) -> tuple[Question, ...]:
    """Plan the comparisons of new images with a pool.

    Parameters
    ----------
    new
        New images, with hashes.
    known
        The pool's images, with hashes.
    pool
        The pool.
    config
        Settings; ``judge`` and ``pseudo`` are used.
    category
        Category of the new images, where the pool has several.

    Returns
    -------
    tuple of Question
        The questions.

    Raises
    ------
    DataError
        If a picture is in both sets, or an image of the pool is not there.
    """
    _refuse_shared(known, new)
    pairs = choose_opponents(
        [image.item for image in new],
        pool,
        n_comparisons=config.pseudo.n_comparisons,
        category=category,
        random_seed=config.pseudo.random_seed,
    )
    there = {image.item for image in known}
    lacking = sorted(set(pairs["opponent"]) - there)
    if lacking:
        raise DataError(f"{len(lacking)} image(s) of the pool are not in its folder: {', '.join(lacking[:10])}")
    return plan_pairs(
        [*new, *known],
        pairs=pairs,
        both_orders=config.judge.both_orders,
        votes=config.judge.votes,
        random_seed=config.pseudo.random_seed,
    )


def _inspect(
    pool_images: str | Path, images: str | Path, *, progressbar: bool
) -> tuple[tuple[ImageFile, ...], tuple[ImageFile, ...], tuple[ImageError, ...]]:
    """Images of the pool, further images, and what cannot be used of both, with a warning."""
    known = inspect_images(find_images(pool_images), progressbar=progressbar)
    new = inspect_images(find_images(images), progressbar=progressbar)
    bad = (*known.bad, *new.bad)
    if bad:
        shown = "; ".join(map(str, bad[:10])) + (f" and {len(bad) - 10:,} more" if len(bad) > 10 else "")
        warnings.warn(f"{len(bad):,} image(s) cannot be used: {shown}", SkippedWarning, stacklevel=3)
    return known.good, new.good, bad


def _check_sizes(known: Sequence[ImageFile], new: Sequence[ImageFile], config: Config) -> None:
    """Refuse, before any question is asked, what could only fail after hours."""
    _refuse_shared(known, new)
    if len(known) < 3:
        raise DataError(f"the pool has {len(known)} image(s) that can be used; at least 3 are needed")
    if config.pseudo.n_comparisons > len(known):
        raise ArgumentError(
            f"pseudo.n_comparisons={config.pseudo.n_comparisons} is more than the pool's {len(known)} images"
        )


def _refuse_shared(known: Sequence[ImageFile], new: Sequence[ImageFile]) -> None:
    check_disjoint({image.item: image.hash or "" for image in known}, {image.item: image.hash or "" for image in new})
    shared = sorted({image.item for image in known} & {image.item for image in new})
    if shared:
        raise DataError(
            f"{len(shared)} name(s) stand for one image in the pool and for another beside it: "
            f"{', '.join(shared[:10])}; rename them in one of the two folders"
        )


def _score(
    preferences: "pd.DataFrame", pool: Pool, anchors: "pd.DataFrame", config: Config, *, progressbar: bool
) -> PseudoScores:
    return score_against_pool(
        preferences,
        pool,
        anchors=anchors,
        scale=config.prompt.scale,
        interval_prob=config.pseudo.interval_prob,
        random_seed=config.pseudo.random_seed,
        progressbar=progressbar,
    )
