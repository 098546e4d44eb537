"""Ask a served judge many questions at once, and write each answer down when it arrives."""

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ppaint_distill.errors import ImageError
from ppaint_distill.judge.base import Answer, Part, Question, ServedJudge
from ppaint_distill.judge.client import Stopped
from ppaint_distill.judge.costs import Spent, write_costs
from ppaint_distill.judge.store import AnswerStore, Entry

Note = Callable[[Part], Mapping[str, object]]


class _Work:
    """Requests that workers share, what they found, and the store that all write to; every method holds one lock."""

    def __init__(self, parts: Iterable[Part], store: AnswerStore, note: Note) -> None:
        self._parts = iter(parts)
        self._store = store
        self._note = note
        self._lock = threading.Lock()
        self.bad: dict[Path, ImageError] = {}
        self.error: BaseException | None = None
        self.stopped = False
        self.usage: dict[str, int] = {}
        self.answered: set[str] = set()

    def take(self) -> Part | None:
        """The next request whose images can be used."""
        with self._lock:
            if self.stopped or self.error is not None:
                return None
            return next(
                (part for part in self._parts if not any(path in self.bad for path in part.question.paths)), None
            )

    def put(self, part: Part, answer: Answer, usage: Mapping[str, int]) -> None:
        """Write an answer down."""
        with self._lock:
            self._store.append(
                [Entry(part.key, part.question, answer)], note={**self._note(part), "usage": dict(usage)}
            )
            self.answered.add(part.key)
            counts = {"requests": 1, "unmetered": int(not usage), **usage}
            for name, count in counts.items():
                self.usage[name] = self.usage.get(name, 0) + count

    def skip(self, error: ImageError) -> None:
        """Leave out an image."""
        with self._lock:
            self.bad.setdefault(error.path, error)

    def fail(self, error: BaseException) -> None:
        """End the run; the first error counts."""
        with self._lock:
            self.error = self.error or error


def ask_served(
    judge: ServedJudge, questions: Sequence[Question], store: AnswerStore, *, note: Note, progressbar: bool
) -> tuple[set[str], dict[Path, ImageError], Spent]:
    """Ask whatever is not in the store yet, several requests at once.

    Parameters
    ----------
    judge
        The judge.
    questions
        The questions.
    store
        Where answers go, one line each.
    note
        Gives what is written beside an answer.
    progressbar
        Whether progress is shown where standard error is a terminal.

    Returns
    -------
    answered
        Keys of the requests that were answered now.
    bad
        Images that could not be used.
    spent
        What it took.

    Notes
    -----
    An answer is on the disk, with its tokens, before its worker does anything else. If a request fails for good, or the
    run is interrupted, no new request begins, those under way are awaited and written down, and then the error is
    raised. However the run ends, the sums stand beside the store: ``answers.costs.json`` for ``answers.jsonl``.
    """
    missing = _list_missing(judge, questions, store)
    work = _Work(missing, store, note)
    events: queue.SimpleQueue[bool] = queue.SimpleQueue()
    n_workers = min(judge.concurrency, len(missing))
    workers = [threading.Thread(target=_serve, args=(judge, work, events), daemon=True) for _ in range(n_workers)]
    judge.restart()
    with _show(judge, len(missing), progressbar) as show:
        try:
            for worker in workers:
                worker.start()
            running = n_workers
            while running:
                if events.get():
                    show(work.usage)
                else:
                    running -= 1
        except BaseException:  # an interruption: a second one ends at once
            work.stopped = True
            judge.stop()
            for worker in workers:
                worker.join()
            raise
        finally:
            write_costs(
                store.path.with_suffix(".costs.json"),
                judge.count(work.usage),
                judge.count(store.usage(judge.fingerprint)),
            )
    if work.error is not None:
        raise work.error
    return work.answered, work.bad, judge.count(work.usage)


def _serve(judge: ServedJudge, work: _Work, events: "queue.SimpleQueue[bool]") -> None:
    """Answer requests until none is left: the work of one thread."""
    try:
        while (part := work.take()) is not None:
            try:
                reply = judge.ask_part(part)
            except ImageError as error:
                work.skip(error)
            else:
                work.put(part, reply.answer, reply.usage)
            events.put(True)
    except Stopped:
        pass  # another worker, or the user, ended the run
    except BaseException as error:  # noqa: BLE001 - it is raised by the thread that waits
        work.fail(error)
        judge.stop()
    finally:
        events.put(False)


def _list_missing(judge: ServedJudge, questions: Iterable[Question], store: AnswerStore) -> list[Part]:
    missing: dict[str, Part] = {}
    for question in questions:
        for part in judge.parts(question):
            if part.key not in store:
                missing.setdefault(part.key, part)
    return list(missing.values())


def get_answer(judge: ServedJudge, question: Question, store: AnswerStore) -> Answer | None:
    """Return the whole answer to a question.

    Parameters
    ----------
    judge
        Who was asked.
    question
        The question.
    store
        Where the parts are.

    Returns
    -------
    Answer or None
        None where a part is missing.
    """
    found = [store.get(part.key) for part in judge.parts(question)]
    answers = [answer for answer in found if answer is not None]
    return judge.join(question, answers) if len(answers) == len(found) else None


@contextmanager
def _show(judge: ServedJudge, total: int, progressbar: bool) -> Iterator[Callable[[Mapping[str, int]], None]]:
    """Show a bar with the time left, requests a second, and the cost so far."""
    if not (progressbar and sys.stderr.isatty() and total):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, TextColumn("{task.fields[rate]}"), console=Console(stderr=True), transient=True)
    start = time.monotonic()
    with bar:
        task = bar.add_task(f"Asking {judge.name}", total=total, rate="")

        def show(usage: Mapping[str, int]) -> None:
            bar.advance(task)
            bar.update(task, rate=describe_rate(judge.count(usage), time.monotonic() - start))

        yield show


def describe_rate(spent: Spent, seconds: float) -> str:
    """Write speed and cost so far.

    Parameters
    ----------
    spent
        So far.
    seconds
        So far.

    Returns
    -------
    str
        Such as ``3.2/s, cost 0.41``; tokens where no price is known.

    Examples
    --------
    >>> describe_rate(Spent(requests=10, prompt_tokens=9000, completion_tokens=100, cost=0.0123), 4.0)
    '2.5/s, cost 0.0123'
    """
    tokens = spent.prompt_tokens + spent.completion_tokens
    so_far = f"{tokens:,} tokens" if spent.cost is None else f"cost {spent.cost:.4g}"
    return f"{spent.requests / max(seconds, 1e-9):.1f}/s, {so_far}"
