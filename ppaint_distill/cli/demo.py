"""``ppaint-distill demo``: the whole label-free chain on generated pictures, in one command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppaint_stats.cli.frame import Json, Quiet, Screen

if TYPE_CHECKING:
    from ppaint_stats.report import Report


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything that is written.")] = Path(
        "ppaint-distill-demo"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="A trial of seconds, whose numbers mean nothing.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 1,
    property: Annotated[  # noqa: A002 (the word for it)
        str, typer.Option("--property", help="What is judged: brightness, warmth or coverage.")
    ] = "brightness",
    distractor: Annotated[str, typer.Option("--distractor", help="What draws answers aside.")] = "warmth",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Teach a tiny model to compare pictures, and distill its comparisons into its own single-pass scores.

    The model is tiny and taught here, the pictures are generated: all of it stands in for a pretrained model and
    real images, and runs on a CPU in a few minutes.

    Example: [bold]ppaint-distill demo --out demo[/bold]
    """
    from ppaint_distill.cli.evaluation import shorten_report
    from ppaint_distill.demo import run_demo

    screen = Screen(quiet, as_json)

    def show(text: str, report: "Report | None") -> None:
        screen.show(*([text] if report is None else ["", text]))
        if report is not None:
            screen.show(shorten_report(report))

    screen.show(
        "ppaint-distill demo. A TINY MODEL TAUGHT HERE, AND GENERATED PICTURES: nothing is about a real model.", ""
    )
    result = run_demo(
        out,
        property=property,
        distractor=distractor,
        quick=quick,
        random_seed=seed,
        show=show,
        progressbar=not quiet,
    )
    screen.emit(result)
    screen.show(
        "",
        f"Done in {result['seconds']['total']:.0f} s. Rank correlation with the truth: "
        f"pointwise {result['srcc_base']:.3f}, by comparisons {result['srcc_judge']:.3f}, "
        f"distilled {result['srcc_scorer']:.3f}.",
        f"  {out / 'evaluation.html'}   the evaluation",
        f"  {out / 'chain' / 'run'}   the scorer; in it metrics.jsonl, and the card model/README.md",
        f"  {out / 'result.json'}   all numbers",
        "Next, with images of your own:",
        f"  ppaint-distill score --model {out / 'chain' / 'run'} --images FOLDER --out scores.csv",
    )
