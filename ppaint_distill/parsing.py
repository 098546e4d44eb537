"""What a written answer says: strict on content, tolerant of what surrounds it, and never a guess."""

import json
import re
from collections.abc import Sequence
from typing import Literal, NoReturn, cast

from ppaint_distill.config import PromptConfig
from ppaint_distill.errors import AnswerError
from ppaint_distill.prompts import OUTCOMES, THINK_CLOSE, THINK_OPEN

OPEN = re.compile(r"<answer>", re.IGNORECASE)
CLOSE = re.compile(r"</answer>", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)

KINDS = (
    "empty",
    "no-answer",
    "truncated",
    "not-json",
    "duplicate",
    "missing-dimension",
    "unknown-value",
    "out-of-scale",
)
"""The kinds of failure that parsing tells apart."""


def parse_pairwise(text: str, dimensions: Sequence[str]) -> dict[str, Literal["A", "B", "TIE"]]:
    """Read the verdicts of an answer to a pairwise question.

    Parameters
    ----------
    text
        What the model wrote.
    dimensions
        Names of the dimensions, all of which must be answered; others are ignored.

    Returns
    -------
    dict
        A, B or TIE of every dimension, in the order asked for.

    Raises
    ------
    AnswerError
        If the answer cannot be read without guessing; its `kind` is one of `KINDS`.

    Notes
    -----
    Tolerated: reasoning before the answer, text around the JSON, code fences, a missing closing tag or no tags at all
    around one JSON object, lower case. Not tolerated: two answers, a name given twice, anything that is no JSON.

    Examples
    --------
    >>> parse_pairwise('<think>The first is warmer.</think><answer>{"mood": "A"}</answer>', ["mood"])
    {'mood': 'A'}
    >>> parse_pairwise('<answer>{"mood": "both"}</answer>', ["mood"])
    Traceback (most recent call last):
    ppaint_distill.errors.AnswerError: 'mood' is 'both': A, B or TIE is allowed
    """
    found = _read(text, dimensions)
    verdicts: dict[str, Literal["A", "B", "TIE"]] = {}
    for name in dimensions:
        value = found[name]
        verdict = value.strip().upper() if isinstance(value, str) else None
        if verdict not in OUTCOMES:
            raise AnswerError("unknown-value", f"{name!r} is {_show(value)}: A, B or TIE is allowed")
        verdicts[name] = cast("Literal['A', 'B', 'TIE']", verdict)
    return verdicts


def parse_pointwise(text: str, dimensions: Sequence[str], scale: tuple[float, float]) -> dict[str, float]:
    r"""Read the scores of an answer to a pointwise question.

    Parameters
    ----------
    text
        What the model wrote.
    dimensions
        Names of the dimensions, all of which must be answered; others are ignored.
    scale
        Lowest and highest score.

    Returns
    -------
    dict
        Score of every dimension, in the order asked for.

    Raises
    ------
    AnswerError
        If the answer cannot be read without guessing; its `kind` is one of `KINDS`.

    Examples
    --------
    >>> parse_pointwise('```json\n{"mood": "3.5"}\n```', ["mood"], (1, 5))
    {'mood': 3.5}
    >>> parse_pointwise('<answer>{"mood": 7}</answer>', ["mood"], (1, 5))
    Traceback (most recent call last):
    ppaint_distill.errors.AnswerError: 'mood' is 7.0: a number from 1 to 5 is allowed
    """
    found = _read(text, dimensions)
    low, high = scale
    allowed = f"a number from {low:g} to {high:g} is allowed"
    scores = {}
    for name in dimensions:
        value = found[name]
        if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
            value = float(value)
        if not isinstance(value, float):  # numbers of JSON are read as floats, true and false are not
            raise AnswerError("unknown-value", f"{name!r} is {_show(value)}: {allowed}")
        if not low <= value <= high:
            raise AnswerError("out-of-scale", f"{name!r} is {value!r}: {allowed}")
        scores[name] = value
    return scores


def parse_scores(text: str, config: PromptConfig) -> dict[str, float]:
    """Read the levels of an answer to a pointwise question, and return them on the scale.

    Parameters
    ----------
    text
        What the model wrote.
    config
        What was asked: dimensions, scale and number of levels.

    Returns
    -------
    dict
        Score of every dimension; a level between two whole ones is a score between theirs.

    Raises
    ------
    AnswerError
        If the answer cannot be read without guessing.

    Examples
    --------
    >>> parse_scores('{"mood": 3}', PromptConfig(dimensions=("mood",), scale=(0.0, 100.0)))
    {'mood': 50.0}
    """
    low, high = config.scale
    levels = parse_pointwise(text, config.dimensions, (1.0, float(config.n_levels)))
    return {name: low + (high - low) * (level - 1) / (config.n_levels - 1) for name, level in levels.items()}


def _read(text: str, dimensions: Sequence[str]) -> dict[str, object]:
    """Return the one JSON object of an answer, with every dimension in it."""
    if not text.strip():
        raise AnswerError("empty", "the answer is empty")
    written, whole = _find_answer(text)
    start = written.find("{")
    if start < 0:
        if whole or written.strip():
            raise AnswerError("no-answer", "the answer holds no JSON object")
        raise AnswerError("truncated", "the answer ends at its opening tag")
    try:
        # Numbers become floats by way of text: Python limits the digits of an int, which would be another error.
        decoder = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=float, parse_constant=_refuse)
        found, end = decoder.raw_decode(written, start)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(written.rstrip()) or error.msg.startswith("Unterminated string")
        if cut and not whole:
            raise AnswerError("truncated", "the answer ends within its JSON") from error
        raise AnswerError("not-json", f"the answer is no JSON: {error.msg}") from error
    except RecursionError as error:
        raise AnswerError("not-json", "the answer is no JSON of reasonable depth") from error
    if "{" in written[end:]:
        raise AnswerError("duplicate", "the answer holds more than one JSON object")
    for name in dimensions:
        times = sum(key == name for key, _ in found.pairs)
        if times == 0:
            raise AnswerError("missing-dimension", f"the answer says nothing about {name!r}")
        if times > 1:
            raise AnswerError("duplicate", f"the answer gives {name!r} {times} times")
    return dict(found.pairs)


def _find_answer(text: str) -> tuple[str, bool]:
    """Return the text in which the JSON is to be, and whether it has an end."""
    _, closed, after = text.rpartition(THINK_CLOSE)
    if THINK_OPEN in after:
        raise AnswerError("truncated", "the reasoning has no end")
    text = after if closed else text
    tags = list(OPEN.finditer(text))
    if len(tags) > 1:
        raise AnswerError("duplicate", f"there are {len(tags)} answers")
    if not tags:
        if not text.strip():
            raise AnswerError("no-answer", "nothing follows the reasoning")
        return text, False
    text = text[tags[0].end() :]
    ends = list(CLOSE.finditer(text))
    return (text[: ends[0].start()], True) if ends else (text, False)


class _Pairs:
    """A JSON object with its names as often as they were written."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


def _refuse(name: str) -> NoReturn:
    """NaN and infinities are Python's, not JSON's."""
    raise json.JSONDecodeError(f"{name} is no number of JSON", name, 0)


def _show(value: object) -> str:
    """A value as it was written, shortened."""
    shown = "an object" if isinstance(value, _Pairs) else repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
