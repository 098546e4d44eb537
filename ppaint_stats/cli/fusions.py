"""``ppaint fuse`` and ``ppaint targets``: scores, and files to train on."""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppaint_stats.cli import inputs
from ppaint_stats.cli.frame import CHECK_FAILED, Json, Quiet, Screen, Verbose
from ppaint_stats.errors import ArgumentError
from ppaint_stats.progress import step

if TYPE_CHECKING:
    import pandas as pd

    from ppaint_stats.fusion import Fusion
    from ppaint_stats.report import Report

STDOUT = Path("-")
OUTPUTS = (".nc", ".csv")
SAMPLER = "Sampling (method bayes)"


class Method(StrEnum):
    """Fusion to run."""

    DAVIDSON = "davidson"
    ELO = "elo"
    THURSTONE = "thurstone"
    BAYES = "bayes"
    LAPLACE = "laplace"


class Interval(StrEnum):
    """Kind of interval."""

    AUTO = "auto"
    JACKKNIFE = "jackknife"
    BOOTSTRAP = "bootstrap"
    HESSIAN = "hessian"
    NONE = "none"


class Target(StrEnum):
    """Whose score it is."""

    POPULATION = "population"
    PANEL = "panel"
    RELATIVE = "relative"


class Protocols(StrEnum):
    """Which judgments are used."""

    BOTH = "both"
    RATINGS = "ratings"
    PREFERENCES = "preferences"


def fuse(
    study: inputs.StudyFolder = None,
    ratings: inputs.RatingsFile = None,
    preferences: inputs.PreferencesFile = None,
    scale: inputs.Scale = None,
    columns: inputs.Columns = None,
    tie_margin: inputs.TieMargin = None,
    missing: inputs.MissingRows = inputs.Missing.ERROR,
    encoding: inputs.Encoding = "utf-8",
    method: Annotated[Method, typer.Option("--method", "-m", help="Which fusion.")] = Method.DAVIDSON,
    interval: Annotated[
        Interval, typer.Option("--interval", help="auto: leave out raters where possible.")
    ] = Interval.AUTO,
    interval_prob: Annotated[float, typer.Option("--interval-prob", help="Probability of the intervals.")] = 0.9,
    target: Annotated[
        Target, typer.Option("--target", help="Score by new raters, by these, or around 0.")
    ] = Target.POPULATION,
    protocols: Annotated[Protocols, typer.Option("--protocols", help="Which judgments to use.")] = Protocols.BOTH,
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", "-o", help="fusion.nc, scores.csv, a folder for both, or '-'; may be repeated."),
    ] = None,
    top: Annotated[int | None, typer.Option("--top", min=0, help="Items to show from each end of a cell.")] = None,
    draws: Annotated[
        int | None, typer.Option("--draws", help="bayes: draws per chain.", rich_help_panel=SAMPLER)
    ] = None,
    tune: Annotated[int | None, typer.Option("--tune", help="Tuning steps.", rich_help_panel=SAMPLER)] = None,
    chains: Annotated[int | None, typer.Option("--chains", help="Chains.", rich_help_panel=SAMPLER)] = None,
    discrepancy: Annotated[
        bool,
        typer.Option(
            "--discrepancy",
            help="Ratings and preferences may differ; reports their correlation.",
            rich_help_panel=SAMPLER,
        ),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Fuse a study into one score per item, with an interval.

    A .nc file holds everything and is what compare and targets read; a .csv file holds the scores.

    Method bayes is the joint model: it samples, for two to four minutes on a full study. Method laplace
    approximates it, in less than one.

    Exit status 1: a fit did not converge; what it gave is written all the same.

    Example: [bold]ppaint fuse my-study --method elo --out fusion.nc --out scores.csv[/bold]
    """
    paths = _resolve_outputs(out or [])
    if as_json and STDOUT in paths:
        raise ArgumentError("--json and --out - cannot both go to standard output")
    found, simulated = inputs.open_study(
        study, ratings=ratings, preferences=preferences, scale=scale, columns=columns, tie_margin=tie_margin,
        missing=missing, encoding=encoding,
    )  # fmt: skip
    import ppaint_stats as ps

    runs: dict[Method, Callable[..., Fusion]] = {
        Method.DAVIDSON: ps.fuse_davidson,
        Method.ELO: ps.fuse_elo,
        Method.THURSTONE: ps.fuse_thurstone,
        Method.BAYES: ps.fuse_bayes,
        Method.LAPLACE: partial(ps.fuse_bayes, method="laplace"),
    }
    own = _pick_options(
        method, interval, {"draws": draws, "tune": tune, "chains": chains, "protocol_discrepancy": discrepancy or None}
    )
    with step(f"fusing by {method.value}"):
        fusion = runs[method](
            found, interval_prob=interval_prob, target=target.value, protocols=protocols.value, random_seed=seed,
            progressbar=not quiet, **own,
        )  # fmt: skip
    if simulated:
        fusion = mark_simulated(fusion)
    for path in paths:
        if path == STDOUT:
            typer.echo(fusion.scores.to_csv(index=False), nl=False)
        else:
            with step(f"writing {path}"):
                (fusion.save if path.suffix.lower() == ".nc" else fusion.to_csv)(path)
    screen = Screen(quiet, as_json, data_on_stdout=STDOUT in paths)
    report = describe_fusion(fusion, top=top)
    screen.emit(
        {
            "method": fusion.method,
            "converged": fusion.converged,
            "simulated": simulated,
            "settings": fusion.settings,
            "out": paths,
            "summary": fusion.summary().to_dict("records"),
            "parameters": fusion.parameters.to_dict("records"),
            "convergence": fusion.convergence.to_dict("records"),
        }
    )
    screen.show(report)
    if paths:
        screen.show("", *(f"Written: {path}" for path in paths if path != STDOUT))
    else:
        screen.show("", "Nothing was written: --out fusion.nc keeps everything, --out scores.csv the scores.")
    if not fusion.converged:
        raise typer.Exit(CHECK_FAILED)


def _pick_options(method: Method, interval: Interval, sampling: dict[str, int | None]) -> dict[str, object]:
    """Options that the method knows; one that it does not know is refused, not passed over."""
    given: dict[str, object] = {name: value for name, value in sampling.items() if value is not None}
    if method == Method.LAPLACE and set(given) - {"draws"}:
        names = ", ".join("--" + name.removeprefix("protocol_") for name in given if name != "draws")
        raise ArgumentError(f"{names} goes with --method bayes alone, not with laplace")
    if method in {Method.BAYES, Method.LAPLACE}:
        if interval != Interval.AUTO:
            raise ArgumentError(
                f"--interval {interval.value} does not go with --method {method.value}: its intervals are posterior"
            )
        return given
    if given:
        names = ", ".join("--" + name.removeprefix("protocol_") for name in given)
        raise ArgumentError(f"{names} goes with --method bayes alone, not with {method.value}")
    return {"interval": interval.value}


def _resolve_outputs(out: list[Path]) -> list[Path]:
    """Files to write; a name without a suffix is a folder for a fusion and its scores."""
    paths: list[Path] = []
    for path in out:
        if path == STDOUT or path.suffix.lower() in OUTPUTS:
            paths.append(path)
        elif not path.suffix or path.is_dir():
            paths += [path / "fusion.nc", path / "scores.csv"]
        else:
            raise ArgumentError(
                f"--out {path}: the format is chosen by the suffix, and allowed are .nc (everything), .csv (scores), a "
                "folder for both, and - (scores to standard output); targets are made by: ppaint targets FUSION.nc"
            )
    return paths


def mark_simulated(fusion: "Fusion") -> "Fusion":
    """Write into a fusion's settings that its data were simulated; files made of it say so too."""
    return replace(fusion, settings={**fusion.settings, "simulated": True})


def describe_fusion(fusion: "Fusion", *, top: int | None = None) -> "Report":
    """Summarise a fusion for the screen: each cell, and the best and last items with their intervals."""
    from ppaint_stats.report import Report

    summary = fusion.summary()
    if top is None:
        top = 5 if len(summary) == 1 else 3 if len(summary) <= 3 else 1
    return Report(
        title=f"Fusion by {fusion.method}" + (f" ({inputs.SIMULATED})" if fusion.settings.get("simulated") else ""),
        tables={"summary": summary, "best and last items": pick_ends(fusion, n=top)} if top else {"summary": summary},
        # It ends in NOT CONVERGED where that is so.
        text=repr(fusion).removeprefix("Fusion(").removesuffix(")") + "." + _describe_sampler(fusion),
    )


def _describe_sampler(fusion: "Fusion") -> str:
    """What the sampler's gate says, for fusions that have one."""
    if not len(fusion.convergence):
        return ""
    from ppaint_stats.convergence import diagnose

    return "\n\nSampler: " + diagnose(fusion).text


def pick_ends(fusion: "Fusion", *, n: int) -> "pd.DataFrame":
    """Pick the n best and n last items of each category and dimension."""
    import pandas as pd

    shown = ["category", "dimension", "rank", "item", "score", "lower", "upper"]
    ends = []
    for _, rows in fusion.scores.groupby(["category", "dimension"], sort=False):
        cell = rows.sort_values("rank", kind="stable")
        ends.append(cell if len(cell) <= 2 * n else pd.concat([cell.head(n), cell.tail(n)]))
    return pd.concat(ends, ignore_index=True)[shown]


def targets(
    fusion: Annotated[Path, typer.Argument(metavar="FUSION.nc", help="A fusion on a rating scale.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File of targets, .parquet.")],
    as_json: Json = False,
    quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Write the scores and their standard deviations as targets for the training of a scorer.

    Example: [bold]ppaint targets fusion.nc --out targets.parquet[/bold]
    """
    if out.suffix.lower() != ".parquet":
        raise ArgumentError(f"--out {out}: targets are a .parquet file")
    loaded = inputs.load_fusions([fusion])[0]
    loaded.to_targets(out)
    screen = Screen(quiet, as_json)
    simulated = bool(loaded.settings.get("simulated"))
    screen.emit({"out": out, "rows": len(loaded.scores), "method": loaded.method, "simulated": simulated})
    screen.show(f"Written: {out} ({len(loaded.scores):,} targets by {loaded.method}{', SIMULATED DATA' * simulated})")
