"""Progress on long work: a bar with the time left on standard error, nothing where no person is looking."""

import sys
from collections.abc import Iterable, Iterator


def track[T](work: Iterable[T], *, total: int, description: str, progressbar: bool) -> Iterator[T]:
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
    """
    if not (progressbar and sys.stderr.isatty()):
        yield from work
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(work, total=total, description=description)
