"""What is done of an interrupted scoring: JSON lines, a batch a line, so that a torn line is a batch not done."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ppaint_distill.errors import ResumeError
from ppaint_distill.images import ImageFile

FORMAT = "ppaint scores in part 1"


class PartFile:
    """Batches that are done.

    Parameters
    ----------
    path
        The file.
    scorer
        Hash of what decides a score besides the image.
    resume
        False throws away what is there.

    Attributes
    ----------
    records : dict
        Batches that are done, by key.

    Raises
    ------
    ResumeError
        If the file is of another scorer, or none of this kind.
    """

    def __init__(self, path: Path, scorer: str, *, resume: bool) -> None:
        self.path = path
        self.records: dict[str, Any] = {}
        header = {"format": FORMAT, "scorer": scorer}
        path.parent.mkdir(parents=True, exist_ok=True)
        end = self._read(header) if resume and path.is_file() else 0
        self._file = path.open("r+b" if end else "wb")
        if end:
            self._file.truncate(end)
            self._file.seek(end)
        else:
            self._write(header)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def hash_batch(self, batch: Sequence[Any]) -> str:
        """Return the key of a batch: its items and the bytes of its files, in order.

        Parameters
        ----------
        batch
            Images on disk.

        Returns
        -------
        str
            32 hexadecimal digits.
        """
        digest = hashlib.sha256()
        for file in batch:
            if isinstance(file, ImageFile):
                digest.update(f"{file.item}\n".encode())
                try:
                    with file.path.open("rb") as content:
                        digest.update(hashlib.file_digest(content, "sha256").digest())
                except OSError:
                    digest.update(b"unreadable")
        return digest.hexdigest()[:32]

    def append(self, key: str, record: dict[str, Any]) -> None:
        """Keep a batch.

        Parameters
        ----------
        key
            Its key.
        record
            Plain values.
        """
        self._write({"key": key, **record})

    def remove(self) -> None:
        """Remove the file: all is done."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, header: dict[str, str]) -> int:
        """Read whole lines; return where they end."""
        end = 0
        for place, line in enumerate(self.path.read_bytes().splitlines(keepends=True)):
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                record = None
            if place == 0 and line.endswith(b"\n") and record != header:
                ours = isinstance(record, dict) and record.get("format") == FORMAT
                what = "what is left of a run with another scorer" if ours else "no file of scores in part"
                raise ResumeError(f"{self.path} is {what}; remove it, or begin anew (resume=False)")
            if record is None:
                break
            if place > 0:
                self.records[record.pop("key")] = record
            end += len(line)
        return end
