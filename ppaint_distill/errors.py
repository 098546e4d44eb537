"""Exceptions and warnings of the distillation, on the same bases as those of :mod:`ppaint_stats.errors`."""

from pathlib import Path

from ppaint_stats.errors import PPaintError, PPaintWarning

__all__ = ["AnswerError", "ConfigError", "ImageError", "ModelError", "ResumeError", "ServerError", "SkippedWarning"]


class ConfigError(PPaintError, ValueError):
    """A setting has a name or a value that is not allowed; the message names it and what is allowed."""


class ImageError(PPaintError, ValueError):
    """A file cannot serve as an image.

    Parameters
    ----------
    path
        The file.
    kind
        Why, in one word: ``missing``, ``corrupt``, ``huge``, ``shape``, ``mode``, ``animated``, ``not-an-image`` or
        ``changed`` (no longer what it was when it was first read).
    reason
        Why, in a sentence without the file's name.
    """

    def __init__(self, path: str | Path, kind: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.kind = kind
        self.reason = reason

    def __reduce__(self) -> tuple[type["ImageError"], tuple[Path, str, str]]:
        """Errors travel between processes."""
        return type(self), (self.path, self.kind, self.reason)


class AnswerError(PPaintError, ValueError):
    """A model's answer does not follow the format that the prompt asks for.

    Parameters
    ----------
    kind
        What is wrong, in one word that can be counted.
    reason
        What is wrong, in a sentence.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason

    def __reduce__(self) -> tuple[type["AnswerError"], tuple[str, str]]:
        """Errors travel between processes."""
        return type(self), (self.kind, self.reason)


class ModelError(PPaintError, ValueError):
    """A model or its tokenizer cannot do what is asked of it."""


class ResumeError(PPaintError, ValueError):
    """What is on the disk belongs to another run."""


class ServerError(PPaintError, RuntimeError):
    """A server refuses a request, or does not answer it however often it is asked; the message has its words."""


class SkippedWarning(PPaintWarning):
    """Images or answers were left out; the message counts them and says where the list is."""
