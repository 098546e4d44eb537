"""The command line: ``ppaint demo | check | simulate | design | plan | fuse | reliability | compare | validate | ...``.

Commands import what they need when they run, so that ``ppaint --help`` is quick.
"""

from typing import Annotated

import typer

from ppaint_stats import __version__
from ppaint_stats.cli import compare, demo, design, doctor, fusions, plan, reliability, report, studies, validate
from ppaint_stats.cli.frame import Commands, GreedyCommand

app = typer.Typer(
    name="ppaint",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 fine, 1 a check failed, 2 bad input. Data go to --out or to standard output.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ppaint {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Fuse ratings and pairwise preferences of the same items into one calibrated score per item, with an interval.

    New here? [bold]ppaint demo[/bold] simulates a study, fuses it, and compares the scores with the known truth.
    """


app.command("demo")(demo.demo)
app.command("check", cls=GreedyCommand)(studies.check)
app.command("simulate", cls=GreedyCommand)(studies.simulate)
app.command("design")(design.design)
app.command("plan", cls=GreedyCommand)(plan.plan)
app.command("fuse", cls=GreedyCommand)(fusions.fuse)
app.command("reliability", cls=GreedyCommand)(reliability.reliability)
app.command("compare", cls=GreedyCommand)(compare.compare)
app.command("validate", cls=GreedyCommand)(validate.validate)
app.command("report", cls=GreedyCommand)(report.report)
app.command("targets")(fusions.targets)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command line; the exit status is 0 fine, 1 a check failed, 2 bad input."""
    app(prog_name="ppaint")
