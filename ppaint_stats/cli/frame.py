"""What all commands share: errors as one line, warnings as notes, and where words and data go."""

import json
import logging
import os
import platform
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ppaint_stats import __version__
from ppaint_stats.errors import PPaintError, PPaintWarning
from ppaint_stats.progress import LOG

if TYPE_CHECKING:
    from rich.console import Console

BAD_INPUT = 2
CHECK_FAILED = 1
PIPED_WIDTH = 150
"""Columns of tables that go to a file or a pipe, unless COLUMNS says otherwise."""

_ARGUMENT = re.compile(
    r"\b(columns|interval|interval_prob|missing|preferences|protocols|ratings|scale|target|tie_margin|window)="
    r"(?: |'(\w+)')?"
)


def _listen(wanted: bool) -> None:
    """Write the log to standard error, a line for what begins and one for how long it took."""
    if wanted:
        handler = logging.StreamHandler()
        handler.setFormatter(_Elapsed())
        LOG.addHandler(handler)
        LOG.setLevel(logging.INFO)
        LOG.info("ppaint %s, Python %s", __version__, platform.python_version())


class _Elapsed(logging.Formatter):
    """Lines that begin with the seconds since the program began."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.relativeCreated / 1000:7.1f} s  {super().format(record)}"


@contextmanager
def _stop_listening() -> Iterator[None]:
    """Take what ``--verbose`` added away again: tests and notebooks run many commands in one process."""
    handlers, level = list(LOG.handlers), LOG.level
    try:
        yield
    finally:
        LOG.handlers[:] = handlers
        LOG.setLevel(level)


Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", callback=_listen, help="Say on standard error what is done and how long it took."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show errors, warnings and asked-for data, nothing else.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for programs to standard output.")]


class Commands(TyperGroup):
    """The group of commands: what the package refuses becomes one line and status 2, its warnings become notes."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        with _show_notes(), _stop_listening():
            try:
                return super().invoke(ctx)
            except BrokenPipeError:
                raise  # the reader of a pipe has seen enough
            except (PPaintError, OSError) as error:
                LOG.info("stopped here", exc_info=error)
                typer.echo(f"{_label('error', 'red')}: {speak_options(str(error))}", err=True)
                raise typer.Exit(BAD_INPUT) from error


class GreedyCommand(TyperCommand):
    """A command whose ``--scale LOW HIGH [STEP]`` and ``--columns a=b c=d`` take several words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the words that belong to one option before the line is read."""
        return super().parse_args(ctx, join_words(args))


def join_words(args: list[str]) -> list[str]:
    """Join the words of ``--scale`` and ``--columns`` into one each.

    Examples
    --------
    >>> join_words(["study", "--scale", "1", "5", "0.5", "--columns", "who=rater", "stars=rating", "--json"])
    ['study', '--scale=1:5:0.5', '--columns=who=rater,stars=rating', '--json']
    """
    joined: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        most, belongs, glue = {"--scale": (3, _is_number, ":"), "--columns": (len(rest), _is_pair, ",")}.get(
            word, (0, _is_pair, "")
        )
        taken: list[str] = []
        while rest and len(taken) < most and belongs(rest[0]):
            taken.append(rest.pop(0))
        joined.append(f"{word}={glue.join(taken)}" if taken else word)
        if word == "--":
            return joined + rest
    return joined


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _is_pair(word: str) -> bool:
    return "=" in word and not word.startswith("-")


def speak_options(message: str) -> str:
    """Write the names of Python arguments in a message as the options of the command line.

    Examples
    --------
    >>> speak_options("a study is there already; overwrite=True replaces it")
    'a study is there already; --overwrite replaces it'
    >>> speak_options("add ratings with protocols='both'")
    'add ratings with --protocols both'
    """
    message = message.replace("overwrite=True", "--overwrite").replace("read_study: ", "")
    return _ARGUMENT.sub(lambda found: f"--{found[1].replace('_', '-')} {found[2] or ''}", message)


def _label(word: str, colour: str) -> str:
    return typer.style(word, fg=colour, bold=True)


@contextmanager
def _show_notes() -> Iterator[None]:
    """Show each warning of the package once, as one line on standard error."""
    shown: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        text = " ".join(speak_options(str(message)).split())
        if text not in shown:
            shown.add(text)
            typer.echo(f"{_label('note', 'yellow')}: {text}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", PPaintWarning)
        warnings.showwarning = show
        yield


@dataclass(frozen=True)
class Screen:
    """Where the words of a command go: to standard output, or out of the way of data that go there.

    Parameters
    ----------
    quiet
        Nothing is shown.
    as_json
        Standard output is for JSON.
    data_on_stdout
        Standard output is for data.
    """

    quiet: bool = False
    as_json: bool = False
    data_on_stdout: bool = False

    def show(self, *parts: object) -> None:
        """Show text or anything that rich can draw."""
        if not self.quiet and not self.as_json:
            make_console(stderr=self.data_on_stdout).print(
                *parts, sep="\n", markup=False, highlight=False, soft_wrap=False
            )

    def emit(self, facts: Mapping[str, object]) -> None:
        """Write facts as JSON to standard output, if that was asked for."""
        if self.as_json:
            from ppaint_stats.report.cells import to_plain

            typer.echo(json.dumps(to_plain(facts), indent=2, ensure_ascii=False, allow_nan=False))


def make_console(*, stderr: bool = False) -> "Console":
    """Console of the terminal's width, or wide enough for tables where there is no terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(stderr=stderr, width=width)
