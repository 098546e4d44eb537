"""Progress on long work: a bar with the time left on standard error, nothing where no person is looking."""

import sys
import time
from collections.abc import Iterable, Iterator


def track[T](
    work: Iterable[T], *, total: int, description: str, progressbar: bool, patience: float = 0.0
) -> Iterator[T]:
    """Yield the items of ``work`` under a progress bar.

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
    if not (progressbar and sys.stderr.isatty()):
        yield from work
        return
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
