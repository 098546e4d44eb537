"""The command line: ``ppaint-distill demo | judge | pool | pseudo | train | score | evaluate``.

Each stage reads files and writes files, and can be run alone. Commands import what they need when they run.
"""

from typing import Annotated

import typer

from ppaint_distill import __version__
from ppaint_distill.cli import demo, evaluation, judging, targets, training
from ppaint_stats.cli.frame import Commands, GreedyCommand

app = typer.Typer(
    name="ppaint-distill",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 fine, 1 some images or answers could not be used, 2 bad input.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ppaint-distill {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Train a scorer that needs one pass over an image: on experts' fused scores, or on a model's own comparisons.

    New here? [bold]ppaint-distill demo[/bold] runs the whole label-free chain on generated pictures, on a CPU.
    """


app.command("demo")(demo.demo)
app.command("judge")(judging.judge)
app.command("pool")(targets.pool)
app.command("pseudo", cls=GreedyCommand)(targets.pseudo)
app.command("train", cls=GreedyCommand)(training.train)
app.command("score")(training.score)
app.command("evaluate", cls=GreedyCommand)(evaluation.evaluate)


def main() -> None:
    """Run the command line; the exit status is 0 fine, 1 something could not be used, 2 bad input."""
    app(prog_name="ppaint-distill")
