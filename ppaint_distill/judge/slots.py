"""Log-probabilities of a server as chances of the values that may stand in an answer."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ppaint_distill.prompts import ANSWER_OPEN, Prompt

GOES_ON = re.compile(r"[\w.]")
"""What may not follow a value within its token: 4.5 is not 4."""


def read_slot(top: Sequence[Mapping[str, Any]], values: Sequence[str], before: str = "") -> tuple[float, ...] | None:
    """Weigh the values that may stand in one slot by the tokens that may begin there.

    Parameters
    ----------
    top
        Likely tokens, with ``token`` and ``logprob``.
    values
        What may stand there.
    before
        What the token holds before the slot, such as a quotation mark.

    Returns
    -------
    tuple of float or None
        Chances, normalised among the values; 0 for one whose beginning is not among the tokens. None where no token
        begins a value.

    Examples
    --------
    >>> top = [{"token": "A", "logprob": math.log(0.6)}, {"token": " no", "logprob": math.log(0.2)},
    ...        {"token": "TI", "logprob": math.log(0.2)}]
    >>> [round(p, 2) for p in read_slot(top, ("A", "B", "TIE"))]
    [0.75, 0.0, 0.25]
    """
    chances = [0.0] * len(values)
    for candidate in top:
        token, logprob = candidate.get("token"), candidate.get("logprob")
        if not isinstance(token, str) or not isinstance(logprob, int | float) or not token.startswith(before):
            continue
        found = [k for k, value in enumerate(values) if _begins(token[len(before) :], value)]
        if len(found) == 1:  # a token that may begin two values tells nothing
            chances[found[0]] += math.exp(logprob)
    total = sum(chances)
    return tuple(chance / total for chance in chances) if total > 0 else None


def read_slots(tokens: Sequence[Mapping[str, Any]], prompt: Prompt) -> dict[str, tuple[float, ...]] | None:
    """Find the slots of a written answer, and weigh the values of each.

    Parameters
    ----------
    tokens
        What was written, token by token, with ``token`` and ``top_logprobs``.
    prompt
        The question.

    Returns
    -------
    dict or None
        Chances by dimension; None where a slot or its log-probabilities are missing.
    """
    starts, text = [], ""
    for token in tokens:
        starts.append(len(text))
        text += str(token.get("token", ""))
    answer = max(text.rfind(ANSWER_OPEN), 0)
    found: dict[str, tuple[float, ...]] = {}
    for name in prompt.dimensions:
        places = list(re.finditer(rf'"{re.escape(name)}"\s*:\s*"?', text[answer:]))
        if len(places) != 1:
            return None
        place = answer + places[0].end()
        at = max((k for k, start in enumerate(starts) if start <= place), default=-1)
        if at < 0 or place >= len(text):
            return None
        before = text[starts[at] : place]
        chances = read_slot(tokens[at].get("top_logprobs") or (), prompt.values, before)
        if chances is None:
            return None
        found[name] = chances
    return found


def _begins(written: str, value: str) -> bool:
    """Whether a token begins a value, or holds it and what follows it."""
    if not written:
        return False
    if value.startswith(written):
        return True
    return written.startswith(value) and not GOES_ON.match(written[len(value)])
