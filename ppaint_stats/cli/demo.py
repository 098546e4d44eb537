"""``ppaint demo``: the whole way on simulated data, in one command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppaint_stats.cli.frame import Json, Quiet, Screen, Verbose

if TYPE_CHECKING:
    from ppaint_stats.report import Report


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything that is written.")] = Path(
        "ppaint-demo"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="A small study, in seconds.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Simulate a study, check it, fuse it four ways, and compare with each other and with the known truth.

    All data are simulated. Writes the study, scores, fusions, targets, reports, a plot and result.json.

    Example: [bold]ppaint demo --quick --out demo[/bold]
    """
    from ppaint_stats.demo import run_demo

    screen = Screen(quiet, as_json)

    def show(text: str, report: "Report | None") -> None:
        screen.show(*([text] if report is None else ["", text]))
        if report is not None:
            screen.show(report)

    screen.show("ppaint demo. ALL DATA ON THIS SCREEN AND IN ITS FILES ARE SIMULATED.", "")
    result = run_demo(out, quick=quick, random_seed=seed, show=show, progressbar=not quiet)
    screen.emit(result)
    screen.show(
        "",
        f"Done in {result['seconds']['total']:.0f} s. Everything is in {out} (simulated data; see its README.md):",
        f"  {out / 'scores.png'}   scores with intervals against the truth",
        f"  {out / 'truth.html'}   the comparison with the truth, by cell",
        f"  {out / 'result.json'}  all numbers",
        "Next, with data of your own:",
        "  ppaint check --ratings ratings.csv --preferences preferences.csv --scale 1 5 1",
        "  ppaint fuse  --ratings ratings.csv --preferences preferences.csv --scale 1 5 1 --out fused",
    )
