"""Written answers in training: which images are asked about in which step, and what the answers are rewarded with."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ppaint_distill.batches import augment_image, draw_batch, make_micro_batch
from ppaint_distill.config import Config, PromptConfig
from ppaint_distill.data import IntArray, TrainingData
from ppaint_distill.errors import AnswerError, ConfigError
from ppaint_distill.images import load_image
from ppaint_distill.parsing import parse_scores
from ppaint_distill.prompts import pointwise_prompt
from ppaint_distill.rewards import Rewards, rollout_rewards

if TYPE_CHECKING:
    from PIL.Image import Image

LARGE_MICRO_BATCH = 8
"""Most answers in one pass of a large model, unless told."""


@dataclass(frozen=True)
class Answer:
    """What a written answer says.

    Parameters
    ----------
    row
        Row of the training data.
    scores
        Score of every dimension; None if it cannot be read.
    failure
        Why it cannot, by its kind.
    text
        The beginning of an answer that cannot be read.
    """

    row: int
    scores: tuple[float, ...] | None
    failure: str | None = None
    text: str | None = None


def read_answer(row: int, text: str, config: PromptConfig) -> Answer:
    """Read an answer, without a guess where it cannot be read.

    Parameters
    ----------
    row
        Row of the training data.
    text
        What the model wrote.
    config
        What was asked.

    Returns
    -------
    Answer
        Scores, or the kind of the failure.
    """
    try:
        found = parse_scores(text, config)
    except AnswerError as error:
        return Answer(row, None, error.kind, text[:200])
    return Answer(row, tuple(found[name] for name in config.dimensions))


class RankingReward:
    """Rewards the answers of all processes by how they rank their images within the whole batch.

    Parameters
    ----------
    data
        Training data.
    config
        All settings.
    opening
        What the chat template writes of the answer itself, put before what the model writes.

    Attributes
    ----------
    record : dict
        Of the last batch, over all processes: ``answers``, ``unreadable``, ``failures`` by kind, an ``example`` of
        them, ``fidelity`` (mean over the answers that have one), ``dropped`` (images of weight 0).
    """

    __name__ = "ranking"  # by which TRL calls it

    def __init__(self, data: TrainingData, config: Config, *, opening: str = "") -> None:
        self.data, self.config, self.opening = data, config, opening
        self.record: dict[str, Any] = {}

    def __call__(
        self,
        *,
        completions: Sequence[Sequence[Mapping[str, Any]]],
        row: Sequence[int],
        step: Sequence[int],
        **_: object,
    ) -> list[float | None]:
        """Return the rewards of this process's answers.

        Parameters
        ----------
        completions
            The answers, each a list of one message.
        row, step
            Row of the image and number of the step, of each answer.

        Returns
        -------
        list of float
            None for answers to an image of weight 0.
        """
        from accelerate import PartialState
        from accelerate.utils import gather_object

        texts = [self.opening + str(messages[0]["content"]) for messages in completions]
        own = [read_answer(place, text, self.config.prompt) for place, text in zip(row, texts, strict=True)]
        everyone: list[Answer] = gather_object(own)
        rewards = self.reward(everyone, step=step[0])
        start = PartialState().process_index * len(own)  # all have equally many
        return rewards[start : start + len(own)]

    def reward(self, answers: Sequence[Answer], *, step: int) -> list[float | None]:
        """Return the rewards of all answers of a batch, and keep a record of them.

        Parameters
        ----------
        answers
            The answers of all processes, equally many to each image.
        step
            Number of the step.

        Returns
        -------
        list of float
            In the order of the answers.
        """
        places: dict[int, list[int]] = {}
        for place, answer in enumerate(answers):
            places.setdefault(answer.row, []).append(place)
        nothing = (math.nan,) * len(self.data.dimensions)
        scores = [[answers[place].scores or nothing for place in own] for own in places.values()]
        found = self._compute(np.array(list(places)), torch.tensor(scores, dtype=torch.float64), step=step)
        rewards: list[float | None] = [None] * len(answers)
        for own, row in zip(places.values(), found.total.tolist(), strict=True):
            for place, value in zip(own, row, strict=True):
                rewards[place] = None if math.isnan(value) else value
        failed = [answer for answer in answers if answer.scores is None]
        self.record = {
            "answers": len(answers),
            "unreadable": len(failed),
            "failures": dict(Counter(str(answer.failure) for answer in failed)),
            "example": failed[0].text if failed else None,
            "fidelity": float(found.fidelity.nanmean()),
            "dropped": int((found.weight == 0).sum()),
        }
        return rewards

    def _compute(self, rows: IntArray, scores: torch.Tensor, *, step: int) -> Rewards:
        train, (low, high) = self.config.train, self.config.prompt.scale
        batch = make_micro_batch(self.data, rows, step=step, preferences=train.preferences, weigh=train.confidence)
        return rollout_rewards(
            scores,
            batch.preferences.double(),
            batch.weights.double(),
            span=high - low,
            format_weight=self.config.grpo.format_weight,
        )


def plan_steps(data: TrainingData, rows: IntArray, config: Config, *, after: int) -> Any:
    """Return the questions of all steps, in order, as a data set whose images are read when they are asked for.

    Parameters
    ----------
    data
        Training data.
    rows
        Rows that are trained on.
    config
        All settings.
    after
        Step after which to begin.

    Returns
    -------
    datasets.Dataset
        Columns ``step``, ``row``, ``prompt``, ``image``: as many rows a step as there are images in a batch.
    """
    from datasets import Dataset  # type: ignore[import-untyped]

    settings, messages = config.train, pointwise_prompt(config.prompt).messages()
    steps, asked = [], []
    for step in range(after + 1, settings.max_steps + 1):
        batch = draw_batch(rows, step, batch_size=settings.batch_size, random_seed=settings.random_seed)
        steps += [step] * len(batch)
        asked += batch.tolist()
    read: dict[tuple[int, int], Image] = {}

    def show(columns: Mapping[str, Sequence[int]]) -> dict[str, list[Any]]:
        keys = list(zip(columns["step"], columns["row"], strict=True))
        for old in set(read) - set(keys):
            del read[old]
        for step, row in keys:
            if (step, row) not in read:
                rng = np.random.default_rng([settings.random_seed, step, row])
                read[step, row] = augment_image(load_image(data.files[row].path), settings.augment, rng)
        shown = [read[key] for key in keys]
        return {**{k: list(v) for k, v in columns.items()}, "prompt": [messages] * len(keys), "image": shown}

    return Dataset.from_dict({"step": steps, "row": asked}).with_transform(show)


def count_answers(config: Config, n_rows: int, n_processes: int, *, large: bool) -> tuple[int, int]:
    """Return the number of answers in one pass of a process, and the number of passes in a step.

    Parameters
    ----------
    config
        All settings.
    n_rows
        Rows that are trained on.
    n_processes
        Processes that share a batch.
    large
        Whether a large model is trained, which takes few at a time.

    Returns
    -------
    tuple of int
        Their product times the number of processes is the number of answers in a step.

    Raises
    ------
    ConfigError
        If the answers of a step cannot be shared equally.
    """
    n_images = min(config.train.batch_size, n_rows)
    if n_images < 2:
        raise ConfigError(f"a batch has {n_images} image(s): answers are rewarded against those to other images")
    answers = n_images * config.grpo.n_answers
    if answers % n_processes:
        raise ConfigError(
            f"{n_images} images with grpo.n_answers={config.grpo.n_answers} make {answers} answers, which "
            f"{n_processes} processes cannot share equally; choose a multiple"
        )
    share = answers // n_processes
    size = config.grpo.micro_batch_size
    if size is None:
        size = next(size for size in range(LARGE_MICRO_BATCH, 0, -1) if share % size == 0) if large else share
    if share % size:
        raise ConfigError(
            f"grpo.micro_batch_size={size} is not allowed: it must divide the {share} answers that a process has of "
            "each step"
        )
    return size, share // size
