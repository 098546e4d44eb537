"""A local model of transformers as a judge."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ppaint_distill.config import JudgeConfig, PromptConfig
from ppaint_distill.errors import ImageError
from ppaint_distill.images import MAX_PIXELS, hash_pixels, load_image
from ppaint_distill.judge.base import Answer, Kind, Question, make_key
from ppaint_distill.judge.verdicts import check_judge, list_settings, make_prompt, parse_answer, weigh_answer
from ppaint_distill.models import LoadedModel, generate
from ppaint_distill.prompts import Prompt
from ppaint_distill.reading import SlotReader
from ppaint_stats.errors import ArgumentError

if TYPE_CHECKING:
    from PIL.Image import Image


class HFJudge:
    """A model that writes answers, or whose probabilities of answers are read.

    Parameters
    ----------
    loaded
        The model.
    prompt
        What it is asked.
    config
        How it judges. ``both_orders``, ``votes`` and ``batch_size`` are for those who plan questions and run them.
    name
        Its name in tables; by default the model's, of a folder the last part.
    max_pixels
        Largest image that is read.

    Raises
    ------
    ConfigError
        If the temperature is negative, votes are asked of a judge that always answers the same, or the longest answer
        has no token.

    Notes
    -----
    With ``mode="generate"`` an answer is written, and parsed without mercy: one that does not follow the format is
    recorded with its text and the reason. Each answer is drawn with a seed of its own, made of the key, so that it
    depends on neither its neighbours in the batch nor the order of questions.

    With ``mode="probabilities"`` no reasoning is written: the probabilities of the first tokens of A, B and TIE (of the
    levels, for single images) are read where the answer would stand, normalised among themselves, in one pass a
    dimension. The outcome is the likeliest; where the highest probability is shared it is TIE. A score is the expected
    value over the levels.

    Examples
    --------
    >>> from ppaint_distill.tiny import make_tiny
    >>> judge = HFJudge(make_tiny(), PromptConfig(dimensions=("mood",)), JudgeConfig(mode="probabilities"))
    >>> judge.name, judge.settings("pairwise")["mode"]
    ('tiny', 'probabilities')
    """

    def __init__(
        self,
        loaded: LoadedModel,
        prompt: PromptConfig | None = None,
        config: JudgeConfig | None = None,
        *,
        name: str | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.loaded = loaded
        self.prompt = prompt or PromptConfig()
        self.config = config or JudgeConfig()
        self.max_pixels = max_pixels
        folder = Path(loaded.name)
        self._name = name or (folder.resolve().name if folder.is_dir() else loaded.name)
        self._images: dict[Path, tuple[str, Image]] = {}  # of the last batch: neighbours share images
        self._prompt = cache(self._make_prompt)
        self._reader = cache(self._make_reader)
        check_judge(self.config)

    @property
    def name(self) -> str:
        """Name under which the judge stands in tables."""
        return self._name

    @property
    def fingerprint(self) -> str:
        """Hash of the model."""
        return self.loaded.fingerprint

    def settings(self, kind: Kind) -> Mapping[str, object]:
        """Return all that answers depend on besides question and model.

        Parameters
        ----------
        kind
            Of the question.

        Returns
        -------
        mapping
            ``mode`` and ``prompt`` (its hash); ``scale`` of scores; length, temperature and seed of written answers.
            A seed is there only where it matters, so that another seed finds the answers that do not depend on it.
        """
        return list_settings(kind, self.prompt, self.config)

    def key(self, question: Question) -> str:
        """Return the name under which the answer is stored.

        Parameters
        ----------
        question
            The question.

        Returns
        -------
        str
            64 hexadecimal digits.

        Raises
        ------
        ArgumentError
            If a second vote is asked of a judge that always answers the same.
        """
        if question.vote and self.config.temperature == 0:
            raise ArgumentError(f"vote {question.vote} of {question.items!r}: without temperature all votes are alike")
        return make_key(self.fingerprint, self.settings(question.kind), question)

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions, as one batch for each kind.

        Parameters
        ----------
        questions
            The questions.

        Returns
        -------
        list of Answer
            One answer each, in order.

        Raises
        ------
        ImageError
            If an image cannot be used, or no longer shows what its hash says (kind ``changed``); nothing was asked.
        """
        shown = self._load(questions)
        answers: dict[int, Answer] = {}
        for kind in dict.fromkeys(question.kind for question in questions):
            rows = [row for row, question in enumerate(questions) if question.kind == kind]
            asked, images = [questions[row] for row in rows], [shown[row] for row in rows]
            judged = self._write(kind, asked, images) if self.config.mode == "generate" else self._read(kind, images)
            answers.update(zip(rows, judged, strict=True))
        return [answers[row] for row in range(len(questions))]

    def _write(self, kind: Kind, questions: Sequence[Question], images: "Sequence[Sequence[Image]]") -> list[Answer]:
        texts = generate(
            self.loaded,
            self._prompt(kind),
            images,
            max_new_tokens=self.config.max_new_tokens,
            temperature=self.config.temperature,
            random_seed=[int(self.key(question)[:15], 16) for question in questions],
        )
        return [parse_answer(kind, text, self.prompt) for text in texts]

    def _read(self, kind: Kind, images: "Sequence[Sequence[Image]]") -> list[Answer]:
        with torch.no_grad():
            logits = self._reader(kind)(self.loaded, images, joint=False)
        tables = logits.double().softmax(dim=-1).tolist()
        return [weigh_answer(kind, self.prompt.dimensions, table, self.prompt.scale) for table in tables]

    def _load(self, questions: Sequence[Question]) -> "list[list[Image]]":
        """Read each file of a batch once, and see that it still shows what was planned."""
        loaded: dict[Path, tuple[str, Image]] = {}
        for question in questions:
            for path, expected in zip(question.paths, question.hashes, strict=True):
                if path not in loaded:
                    held = self._images.get(path)
                    image = held[1] if held else load_image(path, max_pixels=self.max_pixels)
                    loaded[path] = held or (hash_pixels(image), image)
                if loaded[path][0] != expected:
                    raise ImageError(path, "changed", "it shows something else than when the questions were planned")
        self._images = loaded
        return [[loaded[path][1] for path in question.paths] for question in questions]

    def _make_prompt(self, kind: Kind) -> Prompt:
        return make_prompt(kind, self.prompt)

    def _make_reader(self, kind: Kind) -> SlotReader:
        return SlotReader(self.loaded.processor.tokenizer, self._prompt(kind))
