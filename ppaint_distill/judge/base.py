"""What a judge is asked, what it answers, and what every judge can do."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from ppaint_stats.errors import ArgumentError

if TYPE_CHECKING:
    from ppaint_distill.judge.costs import Spent

Kind = Literal["pairwise", "pointwise"]

N_IMAGES: Mapping[str, int] = {"pairwise": 2, "pointwise": 1}
"""Images of a question, by its kind."""


@dataclass(frozen=True)
class Question:
    """One question: a pair of images in one order, or one image.

    Parameters
    ----------
    kind
        ``pairwise`` or ``pointwise``.
    items
        Ids of the images in the order in which they are shown.
    paths
        Their files.
    hashes
        Hashes of their content (`ppaint_distill.images.hash_image`).
    vote
        Number of the vote, from 0; votes are repetitions of one question by sampling.

    Raises
    ------
    ArgumentError
        If the kind is unknown, the number of images does not fit it, an item meets itself, or the vote is negative.
    """

    kind: Kind
    items: tuple[str, ...]
    paths: tuple[Path, ...]
    hashes: tuple[str, ...]
    vote: int = 0

    def __post_init__(self) -> None:
        """Refuse a question that cannot be asked."""
        if self.kind not in N_IMAGES:
            raise ArgumentError(f"kind={self.kind!r} is not allowed: one of {', '.join(map(repr, N_IMAGES))} is")
        n = N_IMAGES[self.kind]
        for name, values in (("items", self.items), ("paths", self.paths), ("hashes", self.hashes)):
            if len(values) != n:
                raise ArgumentError(f"a {self.kind} question has {n} {name}, not {len(values)}: {values!r}")
        if len(set(self.items)) < n:
            raise ArgumentError(f"item {self.items[0]!r} is compared with itself")
        if self.vote < 0:
            raise ArgumentError(f"vote={self.vote} is not allowed: 0 or more is")


@dataclass(frozen=True)
class Answer:
    """One answer, or the record that there is none.

    Parameters
    ----------
    text
        What was written; None where probabilities were read instead.
    values
        By dimension: ``A``, ``B`` or ``TIE`` (pairwise), a score on the scale (pointwise); None where it failed.
    probabilities
        By dimension: probabilities of A, B and TIE (pairwise), or of the levels from the lowest up (pointwise); None
        where an answer was written.
    failure
        Why there are no values, in one word (`ppaint_distill.errors.AnswerError`); None where there are.
    reason
        The same in a sentence.
    """

    text: str | None = None
    values: Mapping[str, str | float] | None = None
    probabilities: Mapping[str, tuple[float, ...]] | None = None
    failure: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        """Refuse an answer that both has values and failed, or neither."""
        if (self.values is None) == (self.failure is None):
            raise ArgumentError("an answer has either values or a failure")

    def to_plain(self) -> dict[str, Any]:
        """Return the answer as mappings and lists, for JSON."""
        probabilities = None if self.probabilities is None else {d: [*p] for d, p in self.probabilities.items()}
        values = None if self.values is None else dict(self.values)
        return {
            "text": self.text,
            "values": values,
            "probabilities": probabilities,
            "failure": self.failure,
            "reason": self.reason,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Answer":
        """Build an answer from what `to_plain` returned.

        Parameters
        ----------
        plain
            The mapping; names that are not an answer's are ignored.

        Returns
        -------
        Answer
            The answer.
        """
        probabilities = plain["probabilities"]
        if probabilities is not None:
            probabilities = {dimension: tuple(values) for dimension, values in probabilities.items()}
        return cls(plain["text"], plain["values"], probabilities, plain["failure"], plain["reason"])


class Judge(Protocol):
    """Whoever answers questions: a local model, a server, a stand-in."""

    @property
    def name(self) -> str:
        """Name under which the judge stands in tables, as any rater."""
        ...

    @property
    def fingerprint(self) -> str:
        """What tells this model from another of the same name."""
        ...

    def settings(self, kind: Kind) -> Mapping[str, object]:
        """Return all that answers depend on besides question and model, for JSON: ``prompt`` (its hash), ``mode`` ...

        Judges that read probabilities of levels give the ``scale``, too.
        """
        ...

    def key(self, question: Question) -> str:
        """Return the name under which the answer is stored; `make_key` makes it."""
        ...

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions, as one batch; raise ImageError, before anything is asked, if an image cannot be used."""
        ...


class Part(NamedTuple):
    """One request to a server: a question, or one dimension of it.

    Attributes
    ----------
    key
        Name under which its answer is stored.
    question
        The question.
    dimension
        The dimension that is asked for; None asks for all.
    """

    key: str
    question: Question
    dimension: str | None


class Reply(NamedTuple):
    """What came back from a server.

    Attributes
    ----------
    answer
        The answer.
    usage
        ``prompt_tokens`` and ``completion_tokens``; empty where the server does not say.
    """

    answer: Answer
    usage: Mapping[str, int]


@runtime_checkable
class ServedJudge(Judge, Protocol):
    """A judge that is asked by many requests at once; `run_judge` stores the answer to each when it arrives."""

    @property
    def concurrency(self) -> int:
        """Requests under way at once, at most."""
        ...

    def parts(self, question: Question) -> tuple[Part, ...]:
        """List the requests that a question takes."""
        ...

    def join(self, question: Question, answers: Sequence[Answer]) -> Answer:
        """Put the answers to the parts of a question together."""
        ...

    def ask_part(self, part: Part) -> Reply:
        """Send one request until it is answered; threads do so at once."""
        ...

    def stop(self) -> None:
        """Give up requests that wait; those under way are awaited."""
        ...

    def restart(self) -> None:
        """Ask again after `stop`."""
        ...

    def count(self, usage: Mapping[str, int]) -> "Spent":
        """Price a sum of tokens."""
        ...


def make_key(fingerprint: str, settings: Mapping[str, object], question: Question) -> str:
    """Name an answer by all that it depends on: model, settings, images in their order, number of the vote.

    Parameters
    ----------
    fingerprint
        Of the model.
    settings
        Of the judge, for the kind of the question.
    question
        The question. Names of items and files do not matter, the content of the images does.

    Returns
    -------
    str
        SHA-256 as 64 hexadecimal digits.

    Examples
    --------
    >>> question = Question("pointwise", ("x",), (Path("x.png"),), ("00",))
    >>> make_key("model", {"prompt": "p"}, question) == make_key("model", {"prompt": "q"}, question)
    False
    """
    parts = [fingerprint, dict(settings), question.kind, list(question.hashes), question.vote]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
