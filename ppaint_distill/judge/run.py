"""Ask a judge many questions, each once in a lifetime: what is stored is never asked again."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import batched
from math import isnan, nan
from pathlib import Path
from typing import Any, cast

import pandas as pd

from ppaint_distill.errors import ImageError, SkippedWarning
from ppaint_distill.judge.base import Answer, Judge, Kind, Question, ServedJudge
from ppaint_distill.judge.costs import Spent
from ppaint_distill.judge.serving import ask_served, get_answer
from ppaint_distill.judge.store import AnswerStore, Entry
from ppaint_distill.judge.tables import make_failures, make_preferences, make_ratings
from ppaint_stats.arguments import check_count
from ppaint_stats.errors import ArgumentError
from ppaint_stats.progress import track

NOT_THE_SAME = ("asked", "stored", "spent", "spent_in_all")
"""Counts that differ where a run was interrupted."""


@dataclass(frozen=True, eq=False, repr=False)
class JudgeRun:
    """Questions with their answers.

    Parameters
    ----------
    judge
        Name of the judge.
    model
        Fingerprint of its model.
    settings
        Settings of the judge, by the kinds of question that were asked.
    questions
        All questions.
    answers
        Answer to each; None where an image could not be used. Texts of answers that were understood are in the store
        only.
    bad_images
        Why images could not be used, one error for each file.
    n_asked, n_stored
        Questions that were asked now, and those whose answers were in the store.
    note
        What the store had to repair when it was opened, if anything.
    spent, spent_in_all
        What a server's answers took in this run, and in all runs with this store; None for a local model.
    """

    judge: str
    model: str
    settings: Mapping[str, Mapping[str, object]]
    questions: tuple[Question, ...]
    answers: tuple[Answer | None, ...]
    bad_images: tuple[ImageError, ...]
    n_asked: int
    n_stored: int
    note: str | None = None
    spent: Spent | None = None
    spent_in_all: Spent | None = None

    def __repr__(self) -> str:
        """One line with the counts."""
        counts = ", ".join(f"{name} {count}" for name, count in self.summary().items() if isinstance(count, int))
        return f"JudgeRun({self.judge}: {counts})"

    def preferences(self, *, categories: Mapping[str, str] | str | None = None) -> pd.DataFrame:
        """Return the answers to pairwise questions as a table of preferences, a row a dimension.

        Parameters
        ----------
        categories
            Category of each item, or of all items; by default all are in one.

        Returns
        -------
        DataFrame
            ``category, dimension, rater, item_a, item_b, outcome, trial``, which `ppaint_stats.Study` takes, and
            ``model, prompt, vote``; ``p_a, p_tie, p_b`` where probabilities were read. Both orders of a pair are two
            rows, item_a being the one shown first; ``trial`` is the number of the vote, from 1. Failed answers have
            no row. ``attrs["provenance"]`` says how the table came about.

        Raises
        ------
        DataError
            If an item has no category, or a pair has two.
        """
        frame = make_preferences(self.questions, self.answers, self._describe("pairwise"), categories=categories)
        frame.attrs["provenance"] = self.provenance()
        return frame

    def ratings(self, *, categories: Mapping[str, str] | str | None = None) -> pd.DataFrame:
        """Return the answers to pointwise questions as a table of ratings, a row a dimension.

        Parameters
        ----------
        categories
            Category of each item, or of all items; by default all are in one.

        Returns
        -------
        DataFrame
            ``category, dimension, rater, item, rating, trial`` and ``model, prompt, vote``; ``sd`` of the score where
            probabilities were read. Failed answers have no row.

        Raises
        ------
        DataError
            If an item has no category.
        """
        low, high = cast("Sequence[float]", self.settings.get("pointwise", {}).get("scale", (nan, nan)))
        scale = None if isnan(low) else (low, high)
        source = self._describe("pointwise")
        frame = make_ratings(self.questions, self.answers, source, categories=categories, scale=scale)
        frame.attrs["provenance"] = self.provenance()
        return frame

    @property
    def failures(self) -> pd.DataFrame:
        """Answers without values: ``question, item_a, item_b, vote, kind, reason, text``."""
        return make_failures(self.questions, self.answers)

    def summary(self) -> dict[str, Any]:
        """Return counts: questions, asked, stored, answered, failed (``failures`` by kind), not_asked, bad_images.

        A served judge's summary has ``spent`` and ``spent_in_all``, too: requests, tokens, and cost where prices are
        known.
        """
        kinds = Counter(answer.failure for answer in self.answers if answer is not None and answer.failure is not None)
        lacking = sum(answer is None for answer in self.answers)
        counts: dict[str, Any] = {
            "questions": len(self.questions),
            "asked": self.n_asked,
            "stored": self.n_stored,
            "answered": len(self.questions) - lacking - kinds.total(),
            "failed": kinds.total(),
            "failures": dict(sorted(kinds.items())),
            "not_asked": lacking,
            "bad_images": len(self.bad_images),
        }
        for name, spent in (("spent", self.spent), ("spent_in_all", self.spent_in_all)):
            if spent is not None:
                counts[name] = spent.to_plain()
        return counts

    def provenance(self) -> dict[str, Any]:
        """Return judge, model, settings and counts, for the metadata of files; the same after a resumed run."""
        counts = {name: count for name, count in self.summary().items() if name not in NOT_THE_SAME}
        settings = {kind: dict(values) for kind, values in self.settings.items()}
        return {"judge": self.judge, "model": self.model, "settings": settings, "counts": counts}

    def _describe(self, kind: Kind) -> dict[str, str]:
        prompt = str(self.settings.get(kind, {}).get("prompt", ""))
        return {"rater": self.judge, "model": self.model, "prompt": prompt}


def run_judge(
    judge: Judge, questions: Sequence[Question], store: AnswerStore, *, batch_size: int, progressbar: bool = True
) -> JudgeRun:
    """Ask a judge whatever is not in the store yet.

    Parameters
    ----------
    judge
        The judge.
    questions
        Questions, each once.
    store
        Where answers are looked up and put; a batch is there as soon as it is answered.
    batch_size
        Questions at a time. A served judge has its own ``concurrency`` instead.
    progressbar
        Whether progress is shown where standard error is a terminal.

    Returns
    -------
    JudgeRun
        Answers to all questions. Those that show an unusable image are left out; the run goes on without them.

    Raises
    ------
    ArgumentError
        If a question is there twice, or the batch size is not positive.

    Warns
    -----
    SkippedWarning
        If images could not be used, or answers not be understood.

    Notes
    -----
    A served judge (`OpenAIJudge`) is asked by several requests at once, and each answer is stored when it arrives, a
    line each, in the order of arrival. What follows is of local judges.

    Batches are cut from the whole list before the stored questions are left out, and a batch is stored wholly or not
    at all: a run that was interrupted and run again asks the very batches that are missing, with the same result to
    the last bit and the same file. Questions whose images show the same (two names of one picture) are asked once.
    """
    check_count("batch_size", batch_size, 1)
    questions = tuple(questions)
    _refuse_repeats(questions)
    kinds = dict.fromkeys(question.kind for question in questions)
    settings: dict[str, Mapping[str, object]] = {kind: judge.settings(kind) for kind in kinds}
    spent: Spent | None = None
    in_all: Spent | None = None
    if isinstance(judge, ServedJudge):
        answers, bad, n_asked, spent = _run_served(judge, questions, store, settings, progressbar)
        in_all = judge.count(store.usage(judge.fingerprint))
    else:
        answers, bad, n_asked = _run_local(judge, questions, store, settings, batch_size, progressbar)
    n_lacking = sum(answer is None for answer in answers)
    run = JudgeRun(
        judge=judge.name,
        model=judge.fingerprint,
        settings=settings,
        questions=questions,
        answers=tuple(answers),
        bad_images=tuple(bad.values()),
        n_asked=n_asked,
        n_stored=len(questions) - n_lacking - n_asked,
        note=store.recovered,
        spent=spent,
        spent_in_all=in_all,
    )
    _warn_of_gaps(run)
    return run


def _run_local(
    judge: Judge,
    questions: Sequence[Question],
    store: AnswerStore,
    settings: Mapping[str, Mapping[str, object]],
    batch_size: int,
    progressbar: bool,
) -> tuple[list[Answer | None], dict[Path, ImageError], int]:
    """Ask batch by batch."""
    answers: list[Answer | None] = []
    bad: dict[Path, ImageError] = {}
    n_asked = 0
    batches = list(batched(questions, batch_size))
    for batch in track(batches, total=len(batches), description=f"Asking {judge.name}", progressbar=progressbar):
        keys = [judge.key(question) for question in batch]
        new = {key: question for key, question in zip(keys, batch, strict=True) if key not in store}
        entries = _ask(judge, new, bad)
        prompts = sorted({str(settings[entry.question.kind].get("prompt", "")) for entry in entries})
        store.append(entries, note=_note(judge, " ".join(prompts)))
        n_asked += len(entries)
        answers.extend(_slim(store.get(key)) for key in keys)
    return answers, bad, n_asked


def _run_served(
    judge: ServedJudge,
    questions: Sequence[Question],
    store: AnswerStore,
    settings: Mapping[str, Mapping[str, object]],
    progressbar: bool,
) -> tuple[list[Answer | None], dict[Path, ImageError], int, Spent]:
    """Ask by many requests at once."""
    answered, bad, spent = ask_served(
        judge,
        questions,
        store,
        note=lambda part: _note(judge, str(settings[part.question.kind].get("prompt", ""))),
        progressbar=progressbar,
    )
    answers, asked = [], set()
    for question in questions:
        answer = get_answer(judge, question, store)
        answers.append(_slim(answer))
        if answer is not None and any(part.key in answered for part in judge.parts(question)):
            asked.add(judge.key(question))
    return answers, bad, len(asked), spent


def _note(judge: Judge, prompt: str) -> dict[str, str]:
    return {"judge": judge.name, "model": judge.fingerprint, "prompt": prompt}


def _ask(judge: Judge, new: Mapping[str, Question], bad: dict[Path, ImageError]) -> list[Entry]:
    """Ask a batch; each image that turns out unusable is noted, and its questions are left out."""
    waiting = {key: question for key, question in new.items() if not any(path in bad for path in question.paths)}
    while waiting:
        try:
            answers = judge.ask(tuple(waiting.values()))
        except ImageError as error:
            left = {key: question for key, question in waiting.items() if error.path not in question.paths}
            if len(left) == len(waiting):
                raise
            bad[error.path], waiting = error, left
            continue
        return [Entry(key, question, a) for (key, question), a in zip(waiting.items(), answers, strict=True)]
    return []


def _slim(answer: Answer | None) -> Answer | None:
    """Leave out the text of an answer that was understood: long reasoning times many answers fills the memory."""
    return answer if answer is None or answer.failure is not None else replace(answer, text=None)


def _refuse_repeats(questions: Sequence[Question]) -> None:
    counts = Counter((question.kind, question.items, question.vote) for question in questions)
    repeated = [asked for asked, count in counts.items() if count > 1]
    if repeated:
        kind, items, vote = repeated[0]
        example = f"{kind} {' against '.join(map(repr, items))}, vote {vote}"
        raise ArgumentError(f"{len(repeated)} question(s) stand there more than once, such as {example}")


def _warn_of_gaps(run: JudgeRun) -> None:
    counts = run.summary()
    parts = []
    if run.bad_images:
        first = "; ".join(map(str, run.bad_images[:3]))
        parts.append(
            f"{len(run.bad_images)} image(s) cannot be used, so that {counts['not_asked']} question(s) were not asked "
            f"(bad_images lists them): {first}"
        )
    if counts["failed"]:
        kinds = ", ".join(f"{kind} {count}" for kind, count in counts["failures"].items())
        parts.append(
            f"{counts['failed']} of {counts['questions']} answers cannot be used (failures lists them): {kinds}"
        )
    if parts:
        warnings.warn(f"{run.judge}: {'. '.join(parts)}", SkippedWarning, stacklevel=3)
