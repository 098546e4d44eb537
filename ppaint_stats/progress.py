"""Progress on long work: a bar with the time left where a person is looking, and a log for whoever asks for one.

The log is that of Python's ``logging`` under the name ``ppaint_stats``, level INFO: what is done, and how long it took.
"""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

LOG = logging.getLogger("ppaint_stats")


def track[T](
    work: Iterable[T], *, total: int, description: str, progressbar: bool, patience: float = 0.0
) -> Iterator[T]:
    """Yield the items of ``work`` under a progress bar; how long all took goes to the log.

    Parameters
    ----------
    work
        What is iterated.
    total
        Number of items.
    description
        Words before the bar.
    progressbar
        False shows nothing; True shows a bar if standard error is a terminal.
    patience
        Seconds of work before the bar appears.
    """
    start = time.monotonic()
    yield from _show(work, total, description, patience) if progressbar and sys.stderr.isatty() else work
    LOG.info("%s: %d done in %.1f s", description, total, time.monotonic() - start)


def _show[T](work: Iterable[T], total: int, description: str, patience: float) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(description, total=total)
    start, shown = time.monotonic(), False
    try:
        for item in work:
            if not shown and time.monotonic() - start >= patience:
                bar.start()
                shown = True
            yield item
            bar.advance(task)
    finally:
        if shown:
            bar.stop()


@contextmanager
def step(description: str) -> Iterator[None]:
    """Write to the log what begins, and at its end how long it took.

    Examples
    --------
    >>> with step("adding"):
    ...     1 + 1
    2
    """
    LOG.info("%s ...", description)
    start = time.monotonic()
    yield
    LOG.info("%s: %.1f s", description, time.monotonic() - start)
