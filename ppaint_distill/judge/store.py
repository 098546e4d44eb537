"""A file of answers that only grows: one line a batch, so that a crash loses the batch at hand and nothing else.

Answers of a server are batches of one: each is written when it arrives.
"""

import json
import os
import sys
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

from ppaint_distill.errors import ResumeError
from ppaint_distill.judge.base import Answer, Question
from ppaint_stats.errors import ArgumentError

FORMAT = "ppaint answers 1"
HEADER = (json.dumps({"format": FORMAT}) + "\n").encode()
_KEPT_LINES = 4  # parsed lines that are remembered; answers are asked for in the order in which they were stored
_LOCKED_BYTE = 1 << 40  # Windows locks bytes, not files: one far behind the end


class Entry(NamedTuple):
    """One answer on its way into the store.

    Attributes
    ----------
    key
        Its name.
    question
        What was asked; stored for readers of the file.
    answer
        The answer.
    """

    key: str
    question: Question
    answer: Answer


class AnswerStore:
    """Answers in a file of JSON lines, by key.

    Parameters
    ----------
    path
        The file. A missing one is made, with its folder.

    Raises
    ------
    ResumeError
        If the file holds something else, a line within it is damaged, or another process has it open as a store.

    Notes
    -----
    The first line names the format, every other line holds one batch::

        {"judge": ..., "model": ..., "prompt": ..., "answers": [{"key": ..., "kind": ..., "items": [...],
         "hashes": [...], "vote": 0, "text": ..., "values": {...}, "probabilities": null, "failure": null,
         "reason": null}, ...]}

    Lines of a served judge hold one answer, and ``"usage": {"prompt_tokens": ..., "completion_tokens": ...}`` beside
    it.
    A batch is on the disk when `append` returns. A last line that was cut short by a crash is removed when the file is
    opened; `recovered` then says so. Memory holds keys and places, not answers. Times are not recorded, so that an
    interrupted run leaves the same bytes as an uninterrupted one.

    Examples
    --------
    >>> import tempfile
    >>> question = Question("pointwise", ("x",), (Path("x.png"),), ("00",))
    >>> with tempfile.TemporaryDirectory() as folder, AnswerStore(Path(folder, "answers.jsonl")) as store:
    ...     store.append([Entry("k", question, Answer(values={"mood": 3.0}))])
    ...     len(store), store.get("k").values, store.get("other")
    (1, {'mood': 3.0}, None)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.recovered: str | None = None
        self._place: dict[str, int] = {}  # offset of the line that holds a key
        self._usage: dict[str, Counter[str]] = {}  # what answers cost, by model
        self._lines: OrderedDict[int, dict[str, Answer]] = OrderedDict()
        if self.path.is_dir():
            raise ResumeError(f"{self.path} is a folder, not a file of answers")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _open_locked(self.path)
        try:
            self._end = self._read()
        except BaseException:
            self._file.close()
            raise

    def __len__(self) -> int:
        """Count the answers."""
        return len(self._place)

    def __contains__(self, key: object) -> bool:
        """Tell whether there is an answer of this key."""
        return key in self._place

    def __enter__(self) -> Self:
        """Return the store, which is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file and give up its lock; nothing can be got or appended afterwards."""
        self._file.close()

    def get(self, key: str) -> Answer | None:
        """Return the answer of a key.

        Parameters
        ----------
        key
            Its name.

        Returns
        -------
        Answer or None
            None if there is no such answer.
        """
        place = self._place.get(key)
        if place is None:
            return None
        if place not in self._lines:
            self._file.seek(place)
            self._remember(place, json.loads(self._file.readline()))
        return self._lines[place][key]

    def append(self, entries: Sequence[Entry], *, note: Mapping[str, object] | None = None) -> None:
        """Store a batch, wholly or not at all.

        Parameters
        ----------
        entries
            Answers whose keys are new.
        note
            What is written beside them: names of judge, model, prompt; ``usage``, the tokens of an answer that a
            server gave.

        Raises
        ------
        ArgumentError
            If a key is there already, or twice in the batch.
        OSError
            If the file cannot be written; the store is as before.
        """
        if not entries:
            return
        keys = [entry.key for entry in entries]
        known = [key for key, count in Counter(keys).items() if count > 1 or key in self._place]
        if known:
            raise ArgumentError(f"{self.path}: {len(known)} answer(s) are stored already; the first key is {known[0]}")
        batch = {**(note or {}), "answers": [_to_plain(entry) for entry in entries]}
        line = (json.dumps(batch, ensure_ascii=True, allow_nan=False) + "\n").encode()
        try:
            self._file.seek(self._end)
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except BaseException:  # KeyboardInterrupt too: half a line must not stay before the next one
            self._file.truncate(self._end)
            raise
        self._place.update(dict.fromkeys(keys, self._end))
        self._end += len(line)
        self._count(batch)

    def usage(self, model: str) -> dict[str, int]:
        """Add up what the answers of a model took, in all runs.

        Parameters
        ----------
        model
            Its fingerprint.

        Returns
        -------
        dict
            ``requests``, ``prompt_tokens``, ``completion_tokens`` and ``unmetered``, the requests without a count of
            tokens; empty where no server was asked.
        """
        return dict(self._usage.get(model, {}))

    def _count(self, batch: Mapping[str, Any]) -> None:
        if "usage" in batch:
            count = self._usage.setdefault(str(batch.get("model")), Counter())
            count.update({"requests": 1, "unmetered": int(not batch["usage"])})
            count.update(batch["usage"])

    def _remember(self, place: int, batch: Mapping[str, Any]) -> None:
        self._lines[place] = {plain["key"]: Answer.from_plain(plain) for plain in batch["answers"]}
        while len(self._lines) > _KEPT_LINES:
            self._lines.popitem(last=False)

    def _read(self) -> int:
        """Index the file and cut off what a crash left of a batch; return where the next line goes."""
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        header = self._file.readline(len(HEADER))
        if header != HEADER:
            if not HEADER.startswith(header):
                start = header[:40].decode(errors="replace").strip()
                raise ResumeError(f"{self.path} is no file of answers: it begins with {start!r}; name another file")
            # Empty, or a crash came before the first line was whole.
            self._file.seek(0)
            self._file.truncate(0)
            self._file.write(HEADER)
            self._file.flush()
            os.fsync(self._file.fileno())
            return len(HEADER)
        place, number = len(HEADER), 1
        while line := self._file.readline():
            number += 1
            batch = _read_batch(line)
            if batch is None:
                if place + len(line) < size:
                    raise ResumeError(f"{self.path}, line {number} is damaged; remove it to ask its questions again")
                self.recovered = f"{self.path}, line {number}: a batch that was cut short was removed"
                self._file.truncate(place)
                break
            self._place.update(dict.fromkeys((str(plain["key"]) for plain in batch["answers"]), place))
            self._count(batch)
            place += len(line)
        return place


def _read_batch(line: bytes) -> dict[str, Any] | None:
    """Return a batch; None where the line is damaged."""
    if not line.endswith(b"\n"):
        return None
    try:
        batch: dict[str, Any] = json.loads(line)
        whole = all("key" in plain for plain in batch["answers"]) and isinstance(batch.get("usage", {}), dict)
    except (ValueError, TypeError, KeyError):
        return None
    return batch if whole else None


def _to_plain(entry: Entry) -> dict[str, Any]:
    question = entry.question
    asked = {
        "key": entry.key,
        "kind": question.kind,
        "items": [*question.items],
        "hashes": [*question.hashes],
        "vote": question.vote,
    }
    return asked | entry.answer.to_plain()


def _open_locked(path: Path) -> BinaryIO:
    """Open for reading and writing, without emptying, as the only one; the lock goes when the process does."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644), "r+b")
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if sys.platform == "win32" or isinstance(error, BlockingIOError):
            raise ResumeError(f"{path} is in use by another process; wait for it or name another file") from error
        raise ResumeError(f"{path} cannot be locked ({error.strerror}); name a file on a local disk") from error
    return file
