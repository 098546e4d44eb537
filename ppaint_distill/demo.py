"""The demonstration: the label-free chain from pictures to a scorer, with a tiny model on generated pictures."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ppaint_distill import __version__
from ppaint_distill.config import Config, JudgeConfig, PoolConfig, PseudoConfig, TrainConfig, save_config
from ppaint_stats.columns import DIMENSION, ITEM
from ppaint_stats.demo import Clock
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion_io import write_whole
from ppaint_stats.report import Report
from ppaint_stats.report.cells import to_plain
from ppaint_stats.seeds import split_seed

MARK = "distill-demo.json"
SIZES = {"pool": 60, "train": 240, "test": 200}
QUICK_SIZES = {"pool": 24, "train": 60, "test": 60}
MODELS = {"base": "base, pointwise", "judge": "base, comparisons with the pool", "scorer": "trained scorer, one pass"}

type Show = Callable[[str, Report | None], None]
"""Takes a line of text, and a report to show under it or None."""


@contextmanager
def use_one_thread() -> Iterator[None]:
    """Compute on one thread: a tiny model gains nothing from more, and results are the same on every machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def make_demo_config(prompt: Any, *, quick: bool = False, random_seed: int = 1) -> Config:
    """Return the settings of the demonstration.

    Parameters
    ----------
    prompt
        What is asked.
    quick
        Settings for a trial of seconds, whose result means nothing.
    random_seed
        Seed of every stage.

    Returns
    -------
    Config
        All settings.
    """
    seed = random_seed
    config = Config(
        prompt=prompt,
        judge=JudgeConfig(mode="probabilities", batch_size=64),
        pool=PoolConfig(n_opponents=12, random_seed=seed),
        pseudo=PseudoConfig(n_comparisons=10, random_seed=seed),
        train=TrainConfig(
            max_steps=150, batch_size=32, learning_rate=1e-3, warmup_steps=10, lora=False,
            evaluate_every=30, save_every=0, random_seed=seed,
        ),
    )  # fmt: skip
    if not quick:
        return config
    return replace(
        config,
        pool=replace(config.pool, n_opponents=4),
        pseudo=replace(config.pseudo, n_comparisons=4),
        train=replace(config.train, max_steps=10, evaluate_every=5),
    )


@use_one_thread()
def run_demo(
    out: str | Path,
    *,
    property: str = "brightness",  # noqa: A002 (the word for it)
    distractor: str = "warmth",
    distracted: Literal["pointwise", "pairwise"] | None = "pointwise",
    quick: bool = False,
    random_seed: int = 1,
    show: Show | None = None,
    progressbar: bool = False,
) -> dict[str, Any]:
    """Run the label-free chain on generated pictures: teach a stand-in, let it compare, distill, and measure.

    Parameters
    ----------
    out
        Folder for the results: new, empty, or that of an earlier demo.
    property, distractor, distracted
        What is judged, and which of the stand-in's answers are drawn aside by what; see `pretrain_tiny`.
    quick
        A trial of seconds, whose numbers mean nothing.
    random_seed
        Seed of everything random.
    show
        Called with what is to be read along the way.
    progressbar
        Whether bars show the progress of long work.

    Returns
    -------
    dict
        What is written to ``result.json``: among its keys ``simulated`` (True), ``srcc_base``, ``srcc_judge`` and
        ``srcc_scorer`` (rank correlations with the true property on pictures that were never seen), ``seconds``.

    Raises
    ------
    ArgumentError
        If the folder holds anything else than an earlier demo.
    """
    from ppaint_distill.chain import distill, judge_against_pool
    from ppaint_distill.evaluate import evaluate_scores
    from ppaint_distill.models import save_model
    from ppaint_distill.pictures import make_prompt_config, write_images
    from ppaint_distill.scorer import Scorer
    from ppaint_distill.tiny_world import pretrain_tiny

    folder = prepare_folder(Path(out))
    clock, tell = Clock(), show or (lambda _text, _report: None)
    config = make_demo_config(make_prompt_config(property), quick=quick, random_seed=random_seed)
    save_config(config, folder / "config.yaml")
    sizes = QUICK_SIZES if quick else SIZES
    with clock.time("pictures"):
        seeds = [int(seed.generate_state(1)[0]) for seed in split_seed(random_seed, 3)]
        known = {
            name: write_images(folder / name, n, random_seed=seed, prefix=name)
            for (name, n), seed in zip(sizes.items(), seeds, strict=True)
        }
    tell(f"1  Generated pictures: {', '.join(f'{n} {name}' for name, n in sizes.items())}", None)
    with clock.time("teach"):
        steps = {"vision_steps": 30, "steps": 30} if quick else {}
        model = pretrain_tiny(
            property, distractor=distractor, distracted=distracted, random_seed=random_seed, progressbar=progressbar,
            **steps,
        )  # fmt: skip
        save_model(model, folder / "base")
    tell(f"2  A tiny model, taught {property}: a stand-in for a pretrained one ({clock.seconds['teach']:.0f} s)", None)
    with clock.time("distill"):
        chain = distill(
            model, folder / "pool", folder / "train", folder / "chain", config=config, progressbar=progressbar
        )
    among, _, against = chain.judged
    asked = len(among.questions) + len(against.questions)
    tell(f"3  {asked:,} comparisons, {chain.pseudo!r}, {chain.training.steps} steps of training"
         f" ({clock.seconds['distill']:.0f} s)", None)  # fmt: skip
    with clock.time("measure"):
        judged = judge_against_pool(
            model, folder / "pool", folder / "test", chain, config=config, answers=folder / "test-answers.jsonl",
            progressbar=progressbar,
        )  # fmt: skip
        scores = {
            MODELS["base"]: Scorer(model, config.prompt, config.score).score(folder / "test", progressbar=False),
            MODELS["judge"]: judged.scores,
            MODELS["scorer"]: chain.training.scorer().score(folder / "test", progressbar=False),
        }
        truth = known["test"][[ITEM, property]].rename(columns={property: "score"}).assign(**{DIMENSION: property})
        lowest, highest = config.prompt.scale
        truth["score"] = lowest + (highest - lowest) * truth["score"].rank(pct=True)
        write_whole(folder / "truth.csv", partial(truth.to_csv, index=False))
        report = evaluate_scores(
            scores, truth, baseline=MODELS["base"], ceiling=MODELS["judge"], random_seed=random_seed,
            n_boot=200 if quick else 2000,
        )  # fmt: skip
        for key, label in MODELS.items():
            write_whole(folder / f"scores-{key}.csv", partial(scores[label].to_csv, index=False))
        report.to_html(folder / "evaluation.html")
    tell("4  On pictures that nothing was trained on (truth: the property's rank, on the scale)", report)
    table = report.tables["scores"]
    srcc = dict(zip(table["model"], table["srcc"], strict=True))
    found = {f"srcc_{key}": float(srcc[label]) for key, label in MODELS.items()}
    result = {
        "simulated": True, "quick": quick, **found,
        "gain": found["srcc_scorer"] - found["srcc_base"], "gap_to_judge": found["srcc_judge"] - found["srcc_scorer"],
        "property": property, "distractor": distractor, "distracted": distracted, "random_seed": random_seed,
        "sizes": sizes, "comparisons": asked, "scores": table.to_dict("records"),
        "differences": report.tables["differences"].to_dict("records"),
        "seconds": {**clock.seconds, "total": round(sum(clock.seconds.values()), 2)}, "version": __version__,
    }  # fmt: skip
    text = json.dumps(to_plain(result), indent=2, allow_nan=False)
    write_whole(folder / "result.json", lambda path: path.write_text(text + "\n", encoding="utf-8"))
    return result


def prepare_folder(folder: Path) -> Path:
    """Empty the folder of an earlier demo, or make a new one; refuse one that holds anything else."""
    import shutil

    if folder.exists():
        if not folder.is_dir():
            raise ArgumentError(f"{folder} is not a folder")
        if any(folder.iterdir()) and not (folder / MARK).is_file():
            raise ArgumentError(f"{folder} holds something else than an earlier demo: name a new folder with --out")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).write_text(json.dumps({"simulated": True, "version": __version__}) + "\n", encoding="utf-8")
    return folder


def summarise(results: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per demonstration, for tables of several.

    Parameters
    ----------
    results
        Of `run_demo`.

    Returns
    -------
    DataFrame
        Property, seed, rank correlations and their differences.
    """
    names = ["property", "distracted", "random_seed", "srcc_base", "srcc_judge", "srcc_scorer", "gain", "gap_to_judge"]
    return pd.DataFrame([{name: result[name] for name in names} for result in results]).replace({None: np.nan})
