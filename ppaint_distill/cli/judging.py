"""``ppaint-distill judge``: a model compares images, or rates them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppaint_distill.cli.options import ConfigFile, Images, Model, Set, check_parquet, gather_config
from ppaint_stats.cli.frame import CHECK_FAILED, Json, Quiet, Screen

if TYPE_CHECKING:
    import pandas as pd

    from ppaint_distill.errors import ImageError


def judge(
    images: Images,
    out: Annotated[Path, typer.Option("--out", "-o", help="Table to write, .parquet.")],
    pool: Annotated[
        Path | None, typer.Option("--pool", help="Pool: compare each image with images of it, not with each other.")
    ] = None,
    pool_images: Annotated[Path | None, typer.Option("--pool-images", help="Folder of the pool's images.")] = None,
    pointwise: Annotated[bool, typer.Option("--pointwise", help="Rate single images instead.")] = False,
    answers: Annotated[
        Path | None, typer.Option("--answers", help="Store of answers; OUT.answers.jsonl if left out.")
    ] = None,
    server: Annotated[
        str | None, typer.Option("--server", help="Address of a server; --model is then its name there.")
    ] = None,
    key_name: Annotated[
        str | None, typer.Option("--api-key-env", help="Environment variable that holds the server's key.")
    ] = None,
    votes: Annotated[
        int | None, typer.Option("--votes", help="Answers to each question in each order; needs a temperature.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the judge in the table.")] = None,
    category: Annotated[str | None, typer.Option("--category", help="Category of these images.")] = None,
    model: Model = None,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask a model to compare images in both presentation orders, or to rate them.

    Every answer is stored as soon as it is given: an interrupted run goes on where it was, and nothing is asked twice.
    Answers that cannot be read are counted and listed, never replaced.

    With --server, any server of OpenAI's chat completions is asked: vLLM, SGLang, transformers serve, a paid one.

    Example: [bold]ppaint-distill judge --images pool/ --model Qwen/Qwen3-VL-8B-Instruct --out pool.parquet[/bold]
    """
    from ppaint_distill.chain import plan_against_pool
    from ppaint_distill.images import find_images, inspect_images
    from ppaint_distill.judge import AnswerStore, plan_pairs, plan_ratings, run_judge, write_preferences
    from ppaint_distill.reference import load_pool
    from ppaint_stats.errors import ArgumentError

    check_parquet(out)
    if (pool is None) != (pool_images is None):
        raise ArgumentError("--pool and --pool-images belong together: give both or neither")
    if pointwise and pool is not None:
        raise ArgumentError("--pointwise rates single images: it takes no --pool")
    more = _list_settings(server, key_name, votes, model)
    chosen = gather_config(config, settings, model=model, more=more)
    ask = chosen.judge
    screen = Screen(quiet, as_json)
    found = inspect_images(find_images(images), progressbar=not quiet)
    bad = list(found.bad)
    if pointwise:
        questions = plan_ratings(found.good, votes=ask.votes)
    elif pool is not None and pool_images is not None:
        reference = load_pool(pool)
        known = inspect_images(find_images(pool_images), progressbar=not quiet)
        bad += known.bad
        categories = list(dict.fromkeys(cell[0] for cell in reference.cells))
        category = categories[0] if category is None and len(categories) == 1 else category
        questions = plan_against_pool(found.good, known.good, reference, chosen, category=category)
    else:
        questions = plan_pairs(
            found.good,
            n_opponents=min(chosen.pool.n_opponents, len(found.good) - 1),
            both_orders=ask.both_orders,
            votes=ask.votes,
            random_seed=chosen.pool.random_seed,
        )
    from ppaint_distill.judge.choose import make_judge

    judged = make_judge(chosen, name=name)
    with AnswerStore(answers or out.with_name(f"{out.stem}.answers.jsonl")) as store:
        run = run_judge(judged, questions, store, batch_size=ask.batch_size, progressbar=not quiet)
    bad += [error for error in run.bad_images if error.path not in {other.path for other in bad}]
    failures = run.failures
    lists = write_lists(out, failures, bad)
    table = run.ratings(categories=category) if pointwise else run.preferences(categories=category)
    write_preferences(table, out, provenance=run.provenance())
    summary = run.summary() | {"rows": len(table), "bad_images": {str(e.path): e.reason for e in bad}}
    screen.emit(summary)
    screen.show(f"{run!r}", f"Written: {out} ({len(table)} rows)")
    if run.spent is not None and run.spent_in_all is not None:
        screen.show(f"This run: {run.spent.describe()}. All runs: {run.spent_in_all.describe()}")
    if len(failures):
        kinds = failures["kind"].value_counts()
        screen.show(f"{len(failures)} answers could not be read: {', '.join(f'{k} {n}' for k, n in kinds.items())}")
    for error in bad:
        screen.show(f"not used: {error}")
    if lists:
        screen.show(f"Lists: {', '.join(map(str, lists))}")
        raise typer.Exit(CHECK_FAILED)


def _list_settings(server: str | None, key_name: str | None, votes: int | None, model: str | None) -> list[str]:
    """Options of this command as settings."""
    named = {"served.url": server, "served.api_key_env": key_name, "judge.votes": votes}
    if server is not None:
        named["served.model"] = model
    return [f"{setting}={value!r}" for setting, value in named.items() if value is not None]


def write_lists(out: Path, failures: "pd.DataFrame", bad: "Sequence[ImageError]") -> list[Path]:
    """Write what could not be used into files beside the table, and remove lists of an earlier run.

    Parameters
    ----------
    out
        The table.
    failures
        Answers that could not be read.
    bad
        Images that could not be used.

    Returns
    -------
    list of Path
        Files that were written: none where all is fine.
    """
    import pandas as pd

    from ppaint_distill.score_run import write_csv

    skipped = pd.DataFrame(
        [(error.path.stem, str(error.path), error.kind, error.reason) for error in bad],
        columns=["item", "path", "kind", "reason"],
    )
    written = []
    for name, listed in (("failures", failures), ("skipped", skipped)):
        path = out.with_name(f"{out.name}.{name}.csv")
        path.unlink(missing_ok=True)
        if len(listed):
            write_csv(listed, path)
            written.append(path)
    return written
