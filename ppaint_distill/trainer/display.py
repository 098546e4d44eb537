"""A bar with the loss and the validation correlation, on standard error, where a person is looking."""

import sys
from types import TracebackType
from typing import Self


class TrainingBar:
    """Progress of training, as a context manager.

    Parameters
    ----------
    total
        Number of steps.
    done
        Steps done before.
    progressbar
        False shows nothing; True shows a bar if standard error is a terminal.
    """

    def __init__(self, total: int, *, done: int = 0, progressbar: bool = True) -> None:
        self._words = {"loss": "", "reward": "", "srcc": ""}
        self._bar = None
        if not (progressbar and sys.stderr.isatty()):
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("Training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("Training", total=total, completed=done, words="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(
        self, step: int, *, loss: float | None = None, reward: float | None = None, srcc: float | None = None
    ) -> None:
        """Move the bar.

        Parameters
        ----------
        step
            Steps done.
        loss
            Loss of the step.
        reward
            Mean reward of the step's answers.
        srcc
            Rank correlation with validation targets.
        """
        if self._bar is None:
            return
        if loss is not None:
            self._words["loss"] = f"loss {loss:.4f}"
        if reward is not None:
            self._words["reward"] = f"reward {reward:.3f}"
        if srcc is not None:
            self._words["srcc"] = f"validation SRCC {srcc:.3f}"
        words = "  ".join(word for word in self._words.values() if word)
        self._bar.update(self._task, completed=step, words=words)
