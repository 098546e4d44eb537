"""``ppaint-distill train`` and ``score``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ppaint_distill.cli.options import ConfigFile, Images, Model, Set, gather_config, is_main_process
from ppaint_distill.cli.targets import Scale, parse_limits
from ppaint_stats.cli.frame import CHECK_FAILED, Json, Quiet, Screen


class Objective(StrEnum):
    """What a scorer is trained on."""

    EXPECTED = "expected"
    GRPO = "grpo"


def train(
    targets: Annotated[Path, typer.Option("--targets", "-t", help="Targets, of pseudo or of ppaint targets.")],
    images: Images,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.")],
    model: Model = None,
    scale: Scale = None,
    objective: Annotated[
        Objective | None,
        typer.Option("--objective", help="Expected scores in one pass, or sampled answers that are rewarded (slower)."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, whatever the folder holds.")] = False,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a scorer. A run that was interrupted goes on where it was.

    Example: [bold]ppaint-distill train --model Qwen/Qwen3-VL-8B-Instruct -t targets.parquet -i train/ --out run[/bold]
    """
    from ppaint_distill.targets import read_targets
    from ppaint_distill.trainer import train as run_training

    more = [] if objective is None else [f"train.objective={objective}"]
    chosen = gather_config(config, settings, model=model, more=more)
    known = read_targets(targets, scale=None if scale is None else parse_limits(scale))
    result = run_training(chosen, known, images, out, resume=not fresh, progressbar=not quiet)
    lost = result.skipped[~result.skipped["kind"].isin(["no-target", "no-image"])]
    doubt = ""
    if result.improved is False:
        doubt = (
            f"On the {result.n_validation} images held out the untrained model's order is as good as the scorer's. "
            "With few of them that says little: train.validation_fraction holds out more."
        )
    if is_main_process():
        screen = Screen(quiet, as_json)
        screen.emit(result.summary() | {"bad_images": dict(zip(lost["path"], lost["reason"], strict=True))})
        screen.show(
            repr(result),
            f"Written: {out}",
            *(f"not used: {path}: {reason}" for path, reason in zip(lost["path"], lost["reason"], strict=True)),
            *([doubt] if doubt else []),
            f"Next: ppaint-distill score --model {out} --images DIR --out scores.csv",
        )
    if len(lost):
        raise typer.Exit(CHECK_FAILED)


def score(
    model: Annotated[str, typer.Option("--model", "-m", help="Folder of a run; or any model, untrained.")],
    images: Images,
    out: Annotated[Path, typer.Option("--out", "-o", help="Scores to write, .parquet or .csv.")],
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, whatever an interrupted run left.")] = False,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score every image of a folder, one pass each. A run that was interrupted goes on where it was.

    A folder that holds no trained scorer is taken for a model whose own pointwise answers are wanted.

    Example: [bold]ppaint-distill score --model run --images new/ --out scores.parquet[/bold]
    """
    from ppaint_distill.models import load_model
    from ppaint_distill.scorer import Scorer, holds_scorer

    chosen = gather_config(config, settings, model=model)
    if holds_scorer(model):
        given = any(word.startswith("score.") for word in settings or ()) or config is not None
        scorer = Scorer.from_pretrained(
            model, device=chosen.model.device, dtype=chosen.model.dtype, score=chosen.score if given else None
        )
    else:
        scorer = Scorer(load_model(chosen.model), chosen.prompt, chosen.score)
    run = scorer.score_folder(images, out, resume=not fresh, progressbar=not quiet)
    screen = Screen(quiet, as_json)
    screen.emit(
        {"scores": str(out), "n": len(run.scores), "bad_images": {str(e.path): e.reason for e in run.bad_images}}
    )
    screen.show(f"Written: {out} ({len(run.scores)} scores of {run.scores['item'].nunique()} images)")
    for error in run.bad_images:
        screen.show(f"not used: {error}")
    if len(run.failures):
        screen.show(f"{len(run.failures)} answers could not be read: {out}.failures.csv lists them")
    if run.bad_images or len(run.failures):
        raise typer.Exit(CHECK_FAILED)
