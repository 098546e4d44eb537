"""``ppaint-distill pool`` and ``pseudo``: the statistics between judging and training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppaint_distill.cli.options import (
    ConfigFile,
    Set,
    check_parquet,
    gather_config,
    read_anchors,
    read_preferences,
)
from ppaint_stats.cli.frame import Json, Quiet, Screen

if TYPE_CHECKING:
    from ppaint_distill.reference import Pool

Preferences = Annotated[
    list[Path], typer.Option("--preferences", "-p", help="Comparisons that judge wrote; may be given again.")
]
Scale = Annotated[str | None, typer.Option("--scale", metavar="LOW HIGH", help="Scale of the scores.")]


def pool(
    preferences: Preferences,
    out: Annotated[Path, typer.Option("--out", "-o", help="File of the pool, .npz.")],
    anchors: Annotated[
        int, typer.Option("--anchors", help="Choose so many pool images to score by hand: OUT.anchors.csv.")
    ] = 0,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Estimate the strengths of a reference pool from comparisons within it.

    Example: [bold]ppaint-distill pool --preferences pool.parquet --out pool.npz[/bold]
    """
    from ppaint_distill.pool import fit_pool

    chosen = gather_config(config, settings).pool
    fitted = fit_pool(
        read_preferences(preferences),
        n_draws=chosen.n_draws,
        votes=chosen.votes,
        random_seed=chosen.random_seed,
        progressbar=not quiet,
    )
    fitted.save(out)
    screen = Screen(quiet, as_json)
    form = write_anchor_form(fitted, out, n_anchors=anchors) if anchors else None
    facts = {"pool": str(out), "parameters": fitted.parameters.to_dict("records")}
    screen.emit(facts | {"anchors": None if form is None else str(form)})
    columns = ["category", "dimension", "strength_sd", "log_nu", "order_effect", "order_correlation"]
    columns += ["n_pairs", "n_both_orders", "same_answer", "converged"]
    screen.show(repr(fitted), fitted.parameters[columns].round(3).to_string(index=False), f"Written: {out}")
    if form is not None:
        screen.show(
            f"Look at the images that {form} names, fill in their scores, and give it to pseudo: --anchors {form}"
        )


def write_anchor_form(pool: "Pool", out: Path, *, n_anchors: int) -> Path:
    """Write a table of pool images to be scored by hand, beside the pool.

    Images stand in the order of their names and without their strengths, so that nothing suggests a score.

    Parameters
    ----------
    pool
        The pool.
    out
        File of the pool.
    n_anchors
        Images in each category.

    Returns
    -------
    Path
        The file, with an empty column ``score``.

    Raises
    ------
    ArgumentError
        If there is such a file already, which may hold scores.
    """
    import pandas as pd

    from ppaint_distill.pool import choose_anchors
    from ppaint_distill.score_run import write_csv
    from ppaint_stats.errors import ArgumentError

    form = out.with_name(f"{out.stem}.anchors.csv")
    if form.exists():
        raise ArgumentError(f"{form} is there already and may hold scores: move it away, or leave out --anchors")
    chosen = choose_anchors(pool, n_anchors=n_anchors)[["category", "item"]].sort_values(["category", "item"])
    cells = pd.DataFrame(pool.cells, columns=["category", "dimension"])
    write_csv(chosen.merge(cells, on="category").assign(score=""), form)
    return form


def pseudo(
    preferences: Preferences,
    pool: Annotated[Path, typer.Option("--pool", help="Pool that these images were compared with.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Targets to write, .parquet.")],
    anchors: Annotated[
        Path | None, typer.Option("--anchors", help="Known scores of pool images: item, score, perhaps dimension.")
    ] = None,
    scale: Scale = None,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn comparisons with a pool into scores with joint uncertainty: the targets of training.

    Example: [bold]ppaint-distill pseudo -p train.parquet --pool pool.npz --anchors ten.csv --out targets.parquet[/bold]
    """
    from ppaint_distill.pseudo import score_against_pool
    from ppaint_distill.reference import load_pool

    check_parquet(out)
    chosen = gather_config(config, settings)
    scores = score_against_pool(
        read_preferences(preferences),
        load_pool(pool),
        anchors=None if anchors is None else read_anchors(anchors),
        scale=chosen.prompt.scale if scale is None else parse_limits(scale),
        interval_prob=chosen.pseudo.interval_prob,
        random_seed=chosen.pseudo.random_seed,
        progressbar=not quiet,
    )
    scores.to_targets(out)
    screen = Screen(quiet, as_json)
    screen.emit({"targets": str(out), "n": len(scores.scores), "calibration": scores.calibration.to_dict("records")})
    columns = ["category", "dimension", "midpoint", "width", "n_anchors", "rmse", "map_se"]
    screen.show(repr(scores), scores.calibration[columns].round(3).to_string(index=False), f"Written: {out}")
    if anchors is None:
        screen.show("No anchors: the scores rank the images, and their level means nothing.")


def parse_limits(text: str) -> tuple[float, float]:
    """Read a scale without steps.

    Examples
    --------
    >>> parse_limits("1:5")
    (1.0, 5.0)
    """
    from ppaint_stats.cli.inputs import parse_scale
    from ppaint_stats.errors import ArgumentError

    low, high, *more = parse_scale(text)
    if more:
        raise ArgumentError(f"--scale {text!r} is not allowed here: LOW HIGH is, such as --scale 1 5")
    return low, high
