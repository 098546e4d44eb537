"""What a model is asked: one question about one image, or about two, on every dimension at once."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ppaint_distill.config import PromptConfig
from ppaint_distill.errors import ConfigError

ANSWER_OPEN, ANSWER_CLOSE = "<answer>", "</answer>"
THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
OUTCOMES = ("A", "B", "TIE")

DESCRIPTIONS = {
    "technique": "skill in handling the medium: control of line, form, brushwork and finish",
    "coloration": "choice and harmony of colours, their contrasts, and the play of light and dark",
    "composition": "arrangement of the whole: balance, focus, use of space, and how the eye is led",
    "mood": "atmosphere and feeling, and how strongly they are conveyed",
    "overall": "artistic quality as a whole, everything considered",
}
"""What the dimensions of :data:`ppaint_distill.config.DIMENSIONS` mean."""


@dataclass(frozen=True)
class Prompt:
    """One question in the form in which a model is asked it.

    Parameters
    ----------
    kind
        ``pointwise`` asks for scores of one image, ``pairwise`` for a comparison of two.
    dimensions
        Names of the dimensions, in the order of the answer.
    n_images
        Images that the question shows.
    parts
        The user's turn in order; None stands where an image is shown.
    think
        Whether the answer is to begin with reasoning.
    values
        What may stand in a slot of the answer: outcomes, or level digits.

    Examples
    --------
    >>> prompt = pairwise_prompt(PromptConfig(dimensions=("mood", "overall"), think=False))
    >>> prompt.answer_before("mood")
    '<answer>{"mood": "'
    >>> prompt.answer_parts()
    ('<answer>{"mood": "', '", "overall": "', '"}</answer>')
    >>> prompt.answer({"mood": "A", "overall": "TIE"})
    '<answer>{"mood": "A", "overall": "TIE"}</answer>'
    """

    kind: Literal["pointwise", "pairwise"]
    dimensions: tuple[str, ...]
    n_images: int
    parts: tuple[str | None, ...]
    think: bool
    values: tuple[str, ...]

    @property
    def hash(self) -> str:
        """SHA-256 of everything that the model is shown and may answer, 16 hexadecimal digits."""
        shown = [self.kind, self.parts, self.think, self.values, self.answer_parts()]
        return hashlib.sha256(json.dumps(shown, ensure_ascii=False).encode()).hexdigest()[:16]

    def messages(self) -> list[dict[str, Any]]:
        """Return the question as chat messages, with a placeholder for each image.

        Returns
        -------
        list of dict
            One message of the user, in the form that a chat template takes.
        """
        content = [{"type": "image"} if part is None else {"type": "text", "text": part} for part in self.parts]
        return [{"role": "user", "content": content}]

    def answer_before(self, dimension: str) -> str:
        """Return the answer up to the value of one dimension, as if it alone were answered.

        Parameters
        ----------
        dimension
            Name of the dimension.

        Returns
        -------
        str
            Beginning of the assistant's turn, without reasoning.
        """
        if dimension not in self.dimensions:
            raise ConfigError(f"the prompt has no dimension {dimension!r}; it has {', '.join(self.dimensions)}")
        return f'{ANSWER_OPEN}{{"{dimension}": {self._quote}'

    def answer_parts(self) -> tuple[str, ...]:
        """Return the text around the slots of a whole answer: before the first, between each two, after the last.

        Returns
        -------
        tuple of str
            One text more than there are dimensions.
        """
        between = tuple(f'{self._quote}, "{name}": {self._quote}' for name in self.dimensions[1:])
        return (self.answer_before(self.dimensions[0]), *between, f"{self._quote}}}{ANSWER_CLOSE}")

    def answer(self, values: Mapping[str, object]) -> str:
        """Return a whole answer, without reasoning.

        Parameters
        ----------
        values
            Value of each dimension, as text or number.

        Returns
        -------
        str
            Answer tags around JSON.
        """
        parts = self.answer_parts()
        slots = [str(values[name]) for name in self.dimensions]
        return parts[0] + "".join(slot + part for slot, part in zip(slots, parts[1:], strict=True))

    @property
    def _quote(self) -> str:
        return '"' if self.kind == "pairwise" else ""


def pointwise_prompt(config: PromptConfig) -> Prompt:
    """Write the question for scores of one image on every dimension.

    Parameters
    ----------
    config
        Dimensions, what is shown, scale and levels.

    Returns
    -------
    Prompt
        The question. It asks for levels from 1 to n, whatever the scale: level 1 is its low end, n its high end.

    Raises
    ------
    ConfigError
        If a dimension, the scale or the number of levels is not allowed.

    Examples
    --------
    >>> prompt = pointwise_prompt(PromptConfig(dimensions=("mood",), n_levels=3, scale=(1.0, 3.0)))
    >>> prompt.values, prompt.n_images
    (('1', '2', '3'), 1)
    """
    _check(config)
    example = ", ".join(f'"{name}": SCORE' for name in config.dimensions)
    before = f"You are an expert judge. The image shows one {config.subject}.\n"
    after = (
        "\nScore it in each of these dimensions, each one by itself:\n"
        f"{_list_dimensions(config)}"
        f"Scores run from 1 (lowest) to {config.n_levels} (highest). Use the whole range.\n"
        f"{_ask_thought(config)}"
        "Answer with JSON between answer tags, in exactly this form:\n"
        f"{ANSWER_OPEN}{{{example}}}{ANSWER_CLOSE}\n"
        f"where each SCORE is a number from 1 to {config.n_levels}."
    )
    levels = tuple(str(level) for level in range(1, config.n_levels + 1))
    return Prompt("pointwise", config.dimensions, 1, (before, None, after), config.think, levels)


def pairwise_prompt(config: PromptConfig) -> Prompt:
    """Write the question which of two images stands higher, on every dimension.

    Parameters
    ----------
    config
        Dimensions and what is shown.

    Returns
    -------
    Prompt
        The question; answers are A for the image shown first, B for the other, or TIE.

    Raises
    ------
    ConfigError
        If a dimension, the scale or the number of levels is not allowed.

    Examples
    --------
    >>> prompt = pairwise_prompt(PromptConfig(dimensions=("mood",)))
    >>> prompt.values, prompt.n_images
    (('A', 'B', 'TIE'), 2)
    """
    _check(config)
    example = ", ".join(f'"{name}": "VERDICT"' for name in config.dimensions)
    before = f"You are an expert judge. Each of the two images shows one {config.subject}.\nFirst image:\n"
    after = (
        "\nCompare them in each of these dimensions, each one by itself:\n"
        f"{_list_dimensions(config)}"
        "The verdict is A if the first image stands higher, B if the second image does, and TIE only if you see no "
        "difference.\nThe order in which the images are shown carries no meaning.\n"
        f"{_ask_thought(config)}"
        "Answer with JSON between answer tags, in exactly this form:\n"
        f"{ANSWER_OPEN}{{{example}}}{ANSWER_CLOSE}\n"
        "where each VERDICT is A, B or TIE."
    )
    parts = (before, None, "\nSecond image:\n", None, after)
    return Prompt("pairwise", config.dimensions, 2, parts, config.think, OUTCOMES)


def _list_dimensions(config: PromptConfig) -> str:
    """One line a dimension, with its description where there is one."""
    described = DESCRIPTIONS | dict(config.descriptions)
    lines = [f"- {name}: {described[name]}" if name in described else f"- {name}" for name in config.dimensions]
    return "".join(line + "\n" for line in lines)


def _ask_thought(config: PromptConfig) -> str:
    """The sentence that asks for reasoning, if it is wanted."""
    if not config.think:
        return ""
    return f"First reason briefly about each dimension between {THINK_OPEN} and {THINK_CLOSE}.\n"


def _check(config: PromptConfig) -> None:
    """Refuse settings that cannot be asked."""
    names = config.dimensions
    if not names:
        raise ConfigError("prompt.dimensions is empty: at least one dimension is needed")
    for name in names:
        if not name or name != name.strip() or json.dumps(name, ensure_ascii=False) != f'"{name}"':
            raise ConfigError(
                f"prompt.dimensions: {name!r} is not allowed: a name without quotes, backslashes or spaces around it is"
            )
    if len(set(names)) < len(names):
        raise ConfigError(f"prompt.dimensions={list(names)} is not allowed: names must differ")
    low, high = config.scale
    if not float("-inf") < low < high < float("inf"):
        raise ConfigError(f"prompt.scale={list(config.scale)} is not allowed: the low end below the high end is")
    if not 2 <= config.n_levels <= 9:
        raise ConfigError(f"prompt.n_levels={config.n_levels} is not allowed: 2 to 9 is")
