"""Tests of the trainer on the tiny model: it learns, it resumes bit for bit, and its settings do what they say."""

import copy
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from ppaint_distill.config import Config, ModelConfig, TrainConfig, load_config
from ppaint_distill.data import TrainingData
from ppaint_distill.errors import ConfigError, ModelError, ResumeError, SkippedWarning
from ppaint_distill.models import LoadedModel, load_model
from ppaint_distill.prompts import pointwise_prompt
from ppaint_distill.scorer import Scorer, holds_scorer
from ppaint_distill.targets import Targets, read_targets, write_targets
from ppaint_distill.tiny import make_tiny
from ppaint_distill.tiny_world import draw_images, make_prompt_config
from ppaint_distill.trainer import train
from ppaint_distill.trainer.feed import count_parts, mix_within_categories
from ppaint_distill.trainer.measure import average, measure
from ppaint_distill.trainer.run import RunFolder
from ppaint_distill.trainer.settings import check_patience, check_settings, fit_prompt, learning_rate
from ppaint_distill.trainer.student import choose_device
from ppaint_stats.errors import DataError

PROMPT = make_prompt_config("brightness")
WHOLE = TrainConfig(
    max_steps=6,
    batch_size=8,
    learning_rate=2e-3,
    warmup_steps=2,
    evaluate_every=2,
    save_every=2,
    validation_fraction=0.2,
    lora=False,
)
ADAPTERS = replace(
    WHOLE,
    lora=True,
    lora_rank=4,
    lora_dropout=0.2,
    micro_batch_size=4,
    kl_weight=0.1,
    augment=("flip-horizontal", "rotate"),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A folder with pictures, targets (brightness of 36 pictures, with joint draws), and nothing else."""
    folder = tmp_path_factory.mktemp("world")
    pictures, truth = draw_images(36, random_seed=3)
    (folder / "images").mkdir()
    for picture, item in zip(pictures, truth["item"], strict=True):
        picture.save(folder / "images" / f"{item}.png")
    score = (1 + 4 * (truth["brightness"].rank() - 1) / 35).to_numpy()
    frame = pd.DataFrame({"category": "c", "dimension": "brightness", "item": truth["item"], "score": score, "sd": 0.2})
    draws = score + 0.2 * np.random.default_rng(0).standard_normal((20, 36))
    targets = Targets(frame, (1, 5), {("c", "brightness"): draws}, {"method": "simulated"})
    write_targets(targets, folder / "targets.parquet")
    return folder


@pytest.fixture(scope="module")
def tiny() -> LoadedModel:
    return make_tiny(random_seed=0, prompts=[pointwise_prompt(PROMPT)])


def run(world: Path, out: Path, settings: TrainConfig, **options):
    config = Config(prompt=PROMPT, model=ModelConfig(name="tiny", device="cpu"), train=settings)
    targets = read_targets(world / "targets.parquet")
    return train(config, targets, world / "images", out, **{"progressbar": False, **options})


def weights(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "model").rglob("*.safetensors"))}


def test_a_learnable_target_is_learned(world, tiny, tmp_path):
    before = {name: parameter.clone() for name, parameter in tiny.model.named_parameters()}
    result = run(world, tmp_path / "run", replace(WHOLE, max_steps=24, evaluate_every=8, batch_size=12), model=tiny)
    loss = result.metrics["loss"].to_numpy()
    assert loss[-4:].mean() < 0.5 * loss[:4].mean()
    srcc = result.evaluations.set_index("step")["srcc"]
    assert srcc.index.tolist() == [0, 8, 16, 24]
    assert srcc.max() > 0.75
    assert srcc.max() > srcc[0] + 0.3
    assert result.best_step == srcc.idxmax()
    assert (result.n_training, result.n_validation) == (29, 7)
    assert all(torch.equal(parameter, before[name]) for name, parameter in tiny.model.named_parameters())
    summary = result.summary()
    assert json.loads(json.dumps(summary)) == summary
    assert summary["srcc"] == srcc.max()
    assert (
        repr(result) == f"TrainResult(29 images, 24 steps, kept {result.best_step}, validation SRCC {srcc.max():.3f})"
    )
    # The folder is a scorer, the same one as in memory.
    images = sorted((world / "images").iterdir())[:5]
    there = Scorer.from_pretrained(tmp_path / "run", device="cpu")
    assert there.loaded.fingerprint == result.model.fingerprint
    pd.testing.assert_frame_equal(there.score(images), result.scorer().score(images), check_exact=True)
    # ... and the run describes itself.
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"config.yaml", "metrics.jsonl", "model", "result.json", "run.json", "skipped.csv"}
    assert load_config(tmp_path / "run" / "config.yaml") == result.config
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert yaml.safe_load(card.split("---")[1])["library_name"] == "transformers"
    assert "simulated" in card
    assert f"{srcc.max():.3f}" in card


SCRIPT = """
import os, signal, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
import test_distill_trainer as t
from ppaint_distill.trainer.run import RunFolder
log = RunFolder.log
def die(self, record):
    if record["step"] == 5:
        with self.metrics.open("a") as file:
            file.write('{{"step": 5, "lo')
        os.kill(os.getpid(), signal.SIGKILL)
    log(self, record)
RunFolder.log = die
tiny = t.make_tiny(random_seed=0, prompts=[t.pointwise_prompt(t.PROMPT)])
t.run(Path({world!r}), Path({out!r}), t.WHOLE, model=tiny)
"""


def test_a_killed_run_resumes_bit_for_bit(world, tiny, tmp_path):
    whole = run(world, tmp_path / "whole", WHOLE, model=tiny)
    script = SCRIPT.format(tests=str(Path(__file__).parent), world=str(world), out=str(tmp_path / "cut"))
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    killed = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    check_resumed(whole, world, tmp_path / "cut", WHOLE, tiny)


def test_an_interrupted_run_with_dropout_and_all_else_resumes_bit_for_bit(world, tiny, tmp_path, monkeypatch):
    whole = run(world, tmp_path / "whole", ADAPTERS, model=tiny)
    log = RunFolder.log

    def interrupt(self, record):
        if record["step"] == 5:
            raise KeyboardInterrupt
        log(self, record)

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "log", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(world, tmp_path / "cut", ADAPTERS, model=tiny)
    torch.rand(3)  # the state of the global generator does not matter
    check_resumed(whole, world, tmp_path / "cut", ADAPTERS, tiny)


def check_resumed(whole, world: Path, out: Path, settings: TrainConfig, tiny: LoadedModel) -> None:
    """Resume a run that ended in step 5, and compare it with one that was never cut."""
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["00000004"]
    assert holds_scorer(out)
    with pytest.raises(ModelError, match="not complete"):
        Scorer.from_pretrained(out)
    resumed = run(world, out, settings, model=tiny)
    assert weights(out) == weights(whole.folder)
    assert weights(out)
    pd.testing.assert_frame_equal(resumed.metrics.drop(columns="seconds"), whole.metrics.drop(columns="seconds"))
    pd.testing.assert_frame_equal(resumed.evaluations, whole.evaluations)
    assert not (out / "checkpoints").exists()
    assert resumed.metrics["step"].tolist() == [1, 2, 3, 4, 5, 6]


def test_a_complete_run_is_returned_and_another_one_refused(world, tiny, tmp_path):
    settings = replace(WHOLE, max_steps=2)
    first = run(world, tmp_path / "run", settings, model=tiny)
    stamp = (tmp_path / "run" / "metrics.jsonl").stat().st_mtime_ns
    again = run(world, tmp_path / "run", replace(settings, save_every=1), model=tiny)
    assert (tmp_path / "run" / "metrics.jsonl").stat().st_mtime_ns == stamp
    assert again.model.fingerprint == first.model.fingerprint
    with pytest.raises(ResumeError, match=r"train\.learning_rate: 0\.002 there, 0\.1 here"):
        run(world, tmp_path / "run", replace(settings, learning_rate=0.1), model=tiny)
    other = make_tiny(random_seed=1, prompts=[pointwise_prompt(PROMPT)])
    with pytest.raises(ResumeError, match="model"):
        run(world, tmp_path / "run", settings, model=other)
    anew = run(world, tmp_path / "run", settings, model=other, resume=False)
    assert anew.model.fingerprint != first.model.fingerprint
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(ResumeError, match="no training run"):
        run(world, tmp_path / "other", settings, model=tiny)


def test_adapters_leave_the_base_alone(world, tiny, tmp_path):
    result = run(world, tmp_path / "run", ADAPTERS, model=tiny)
    saved = tmp_path / "run" / "model"
    assert (saved / "adapter_model.safetensors").is_file()
    trained = [name for name, parameter in result.model.model.named_parameters() if "lora" in name]
    assert trained
    assert not any("visual" in name for name in trained)
    images = sorted((world / "images").iterdir())[:4]
    there = Scorer.from_pretrained(tmp_path / "run", device="cpu")
    assert np.allclose(there.score(images)["score"], result.scorer().score(images)["score"], atol=1e-5)
    with result.model.model.disable_adapter():
        unadapted = result.scorer().score(images)["score"]
    assert np.allclose(unadapted, Scorer(tiny, PROMPT).score(images)["score"], atol=1e-6)
    with pytest.raises(ModelError, match="adapters already"):
        run(world, tmp_path / "more", ADAPTERS, model=load_model(ModelConfig(name=str(saved), device="cpu")))


@pytest.mark.parametrize("lora", [False, True])
def test_divergence_from_the_base_holds_the_model_back(world, tiny, tmp_path, lora):
    """The divergence is 0 at the first step, and smaller later where it is punished."""
    settings = replace(WHOLE, lora=lora, lora_dropout=0.0, max_steps=5, keep_best=False, learning_rate=5e-3)
    free = run(world, tmp_path / "free", replace(settings, kl_weight=1e-6), model=tiny).metrics["kl"]
    held = run(world, tmp_path / "held", replace(settings, kl_weight=10.0), model=tiny).metrics["kl"]
    assert free[0] == pytest.approx(0, abs=1e-6)
    assert held[4] < 0.5 * free[4]


def test_micro_batches_have_the_gradient_of_their_pairs(world, tiny, tmp_path):
    """Without pairs, accumulation changes nothing; with them, only pairs across micro batches are missing."""
    settings = replace(WHOLE, max_steps=2, ranking_weight=0.0, save_every=0, validation_fraction=0.0, clip_norm=1e9)
    whole = run(world, tmp_path / "whole", settings, model=tiny).metrics
    parts = run(world, tmp_path / "parts", replace(settings, micro_batch_size=3), model=tiny).metrics
    assert np.allclose(whole[["loss", "gradient_norm"]], parts[["loss", "gradient_norm"]], rtol=1e-3)
    settings = replace(settings, ranking_weight=1.0, gradient_checkpointing=True)
    checkpointed = run(world, tmp_path / "slim", settings, model=tiny).metrics
    plain = run(world, tmp_path / "plain", replace(settings, gradient_checkpointing=False), model=tiny).metrics
    assert np.allclose(checkpointed[["loss", "gradient_norm"]], plain[["loss", "gradient_norm"]], rtol=1e-4)
    cut = run(world, tmp_path / "cut", replace(settings, micro_batch_size=2), model=tiny).metrics
    assert cut["ranking"][0] > 0
    assert cut["ranking"][0] != plain["ranking"][0]


@pytest.mark.parametrize("settings", [WHOLE, ADAPTERS], ids=["whole", "adapters"])
def test_short_numbers_are_trained_in_long_ones(world, tiny, tmp_path, settings):
    half = replace(tiny, model=copy.deepcopy(tiny.model).to(torch.bfloat16), dtype=torch.bfloat16)
    settings = replace(settings, max_steps=3, save_every=0, evaluate_every=0, keep_best=False)
    short = run(world, tmp_path / "short", settings, model=half)
    assert {parameter.dtype for parameter in short.model.model.parameters()} == {torch.bfloat16}
    long = run(world, tmp_path / "long", settings, model=tiny)
    assert np.allclose(short.metrics["loss"], long.metrics["loss"], rtol=0.1)
    assert np.isfinite(short.scorer().score(sorted((world / "images").iterdir())[:2])["score"]).all()
    with pytest.raises(ConfigError, match="float16"):
        run(world, tmp_path / "no", settings, model=replace(tiny, dtype=torch.float16))


def test_categories_dimensions_and_gaps(world, tmp_path):
    """By names alone, with a fresh tiny model, which is trained whole whatever the settings say of adapters."""
    items = [path.stem for path in sorted((world / "images").iterdir())]
    rng = np.random.default_rng(0)
    rows = [
        ("ab"[place % 2], dimension, item, float(rng.uniform(0, 100)), 3.0)
        for place, item in enumerate([*items, "elsewhere"])
        for dimension in ("order", "colour")
        if rng.random() < 0.9
    ]
    targets = Targets(pd.DataFrame(rows, columns=["category", "dimension", "item", "score", "sd"]), (0, 100))
    settings = replace(WHOLE, max_steps=2, micro_batch_size=4, preferences="hard", confidence=False, lora=True)
    config = Config(model=ModelConfig(name="tiny", device="cpu"), train=settings)
    with pytest.warns(SkippedWarning, match=r"1 target\(s\) without image \(elsewhere\)"):
        result = train(config, targets, world / "images", tmp_path / "run", validation=items[:8], progressbar=False)
    assert result.config.prompt.dimensions == ("order", "colour")
    assert result.config.prompt.scale == (0, 100)
    assert result.n_validation == 8
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
    assert pd.read_csv(tmp_path / "run" / "skipped.csv")["kind"].tolist()[-1] == "no-image"
    scores = Scorer.from_pretrained(tmp_path / "run", device="cpu").score([world / "images" / f"{items[0]}.png"])
    assert scores["dimension"].tolist() == ["order", "colour"]
    assert scores["score"].between(0, 100).all()


def test_measures_are_by_cell_and_missing_where_they_mean_nothing(tmp_path):
    scores = np.array([[1, 1], [2, np.nan], [3, 2], [4, 3], [2, 5.0]])
    data = TrainingData(
        items=tuple("abcde"),
        categories=("x", "x", "x", "x", "y"),
        files=(),
        dimensions=("mood", "overall"),
        scores=scores,
        sds=scores,
        draws=None,
        skipped=pd.DataFrame(),
    )
    predicted = np.array([[1, 2], [4, 2], [3, 2], [9, 2], [1, 1.0]])
    table = measure(data, np.arange(5), predicted).set_index(["category", "dimension"])
    assert table["n_items"].tolist() == [4, 3, 1, 1]
    assert table.loc[("x", "mood"), "srcc"] == pytest.approx(0.8)
    assert table.loc[("x", "mood"), "plcc"] == pytest.approx(np.corrcoef([1, 2, 3, 4], [1, 4, 3, 9])[0, 1])
    assert table["srcc"].isna().tolist() == [False, True, True, True]
    assert table["mae"].tolist() == pytest.approx([7 / 4, 2 / 3, 1, 4])
    assert average(table)["srcc"] == pytest.approx(0.8)
    assert np.isnan(average(table.iloc[:0])["mae"])
    folder = RunFolder(tmp_path)
    folder.log({"step": 0, "validation": average(table.iloc[1:]), "cells": []})
    assert "NaN" not in folder.metrics.read_text()


def test_training_stops_for_want_of_improvement(world, tiny, tmp_path):
    settings = replace(WHOLE, learning_rate=1e-12, evaluate_every=1, patience=2, max_steps=6)
    result = run(world, tmp_path / "run", settings, model=tiny)
    assert result.stopped_early
    assert (result.steps, result.best_step) == (3, 1)  # what is there before training is no scorer


def test_a_diverging_run_says_so(world, tiny, tmp_path):
    broken = replace(tiny, model=make_tiny(random_seed=2, prompts=[pointwise_prompt(PROMPT)]).model)
    with torch.no_grad():
        next(broken.model.parameters()).fill_(torch.nan)
    with pytest.raises(ModelError, match=r"step 1: the loss is nan.*learning_rate"):
        run(world, tmp_path / "run", replace(WHOLE, validation_fraction=0.0), model=broken)


def test_targets_decide_scale_and_dimensions():
    frame = pd.DataFrame({"category": "c", "dimension": ["shine", "mood"], "item": "i", "score": 5.0, "sd": 1.0})
    targets = Targets(frame, (0, 10))
    prompt = fit_prompt(Config(), targets).prompt
    assert prompt.scale == (0, 10)
    assert prompt.dimensions == ("mood", "shine")
    chosen = replace(Config().prompt, dimensions=("shine",))
    assert fit_prompt(Config(prompt=chosen), targets).prompt.dimensions == ("shine",)
    with pytest.raises(DataError, match="gloss"):
        fit_prompt(Config(prompt=replace(chosen, dimensions=("gloss",))), targets)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_steps": 0}, r"train\.max_steps=0"),
        ({"learning_rate": 0.0}, r"train\.learning_rate"),
        ({"clip_norm": float("nan")}, r"train\.clip_norm"),
        ({"micro_batch_size": 1}, "2 or more"),
        ({"micro_batch_size": 0}, r"train\.micro_batch_size"),
        ({"ranking_weight": 0.0, "score_weight": 0.0}, "nothing to learn"),
        ({"augment": ("blur",)}, "blur"),
        ({"patience": 1, "validation_fraction": 0.0}, "validation set"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        check_settings(replace(TrainConfig(), **wrong))


def test_the_device_is_the_one_that_was_named(tiny):
    cuda, cpu = torch.device("cuda", 0), torch.device("cpu")
    named = [
        (choose_device(ModelConfig(device=name), None, offered=cuda, n_processes=1), wanted)
        for name, wanted in (("auto", cuda), ("cuda", cuda), ("cuda:1", torch.device("cuda", 1)))
    ]
    assert all(found == wanted for found, wanted in named)
    assert choose_device(ModelConfig(), tiny, offered=cuda, n_processes=1) == cpu
    assert choose_device(ModelConfig(device="cuda:1"), None, offered=cuda, n_processes=2) == cuda


def test_the_learning_rate_follows_its_schedule():
    settings = TrainConfig(max_steps=100, warmup_steps=10, learning_rate=2.0)
    rates = [learning_rate(settings, step) for step in range(1, 101)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == rates[10] == 2.0
    assert all(later < sooner for sooner, later in pairwise(rates[10:]))
    assert 0 < rates[-1] < 0.01
    assert learning_rate(replace(settings, schedule="constant"), 100) == 2.0
    assert learning_rate(replace(settings, warmup_steps=100), 11) == 2.0


def test_metrics_after_the_checkpoint_are_dropped(tmp_path):
    folder = RunFolder(tmp_path)
    for step in range(4):
        folder.log({"step": step, "loss": 1.0})
    with folder.metrics.open("a") as file:
        file.write('{"step": 4, "lo')
    folder.rewind(2)
    assert [record["step"] for record in folder.read_metrics()] == [0, 1, 2]
    assert all(json.loads(line) for line in folder.metrics.read_text().splitlines())


def make_rows(categories: str, scores: list[list[float]]) -> TrainingData:
    n = len(categories)
    return TrainingData(
        items=tuple(f"i{row:02d}" for row in range(n)),
        categories=tuple(categories),
        files=(),
        dimensions=tuple(f"d{place}" for place in range(len(scores[0]))),
        scores=np.array(scores),
        sds=np.zeros((n, len(scores[0]))),
        draws=None,
        skipped=pd.DataFrame(),
    )


def test_patience_needs_something_to_wait_for():
    nan = np.nan
    settings = replace(TrainConfig(), patience=2)
    data = make_rows("xxxyyy", [[1, nan], [2, nan], [nan, 3], [1, 2], [2, 3], [3, nan]])
    check_patience(settings, data, np.array([3, 4, 5]))  # three in d0 of y
    check_patience(replace(settings, patience=None), data, np.array([], dtype=np.int64))
    for rows in ([], [0], [0, 1, 2, 3, 4]):
        with pytest.raises(ConfigError, match=rf"at most {min(len(rows), 2)} of the {len(rows)} held-out rows"):
            check_patience(settings, data, np.array(rows, dtype=np.int64))
    check_settings(replace(settings, validation_fraction=0.0), named=True)


def test_micro_batches_are_not_cut_by_name():
    data = make_rows("x" * 8 + "y" * 8, [[1.0]] * 16)
    batch = np.arange(16)
    together = set()
    for step in range(1, 30):
        mixed = mix_within_categories(data, batch, step=step, random_seed=0)
        assert sorted(mixed) == batch.tolist()
        assert {data.categories[row] for row in mixed[:8]} == {"x"}
        together |= {frozenset((a, b)) for part in np.array_split(mixed, 4) for a in part for b in part if a != b}
    assert np.array_equal(mixed, mix_within_categories(data, batch, step=29, random_seed=0))
    assert len(together) == 2 * 28  # every pair of a category meets some time


def test_a_batch_without_any_pair_is_refused():
    settings = replace(TrainConfig(), batch_size=4)
    assert count_parts(settings, 100, 2) == 2
    with pytest.raises(ConfigError, match="4 micro batches of one image"):
        count_parts(settings, 100, 4)
    assert count_parts(replace(settings, ranking_weight=0.0), 100, 4) == 4


def test_a_run_does_not_go_on_with_another_number_of_processes(world, tiny, tmp_path):
    settings = replace(WHOLE, max_steps=1, evaluate_every=0, validation_fraction=0.0)
    run(world, tmp_path / "run", settings, model=tiny)
    described = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps(described | {"processes": 2}))
    with pytest.raises(ResumeError, match="processes: 2 there, 1 here"):
        run(world, tmp_path / "run", settings, model=tiny)


def test_checkpointing_of_activations_changes_no_result(world, tiny, tmp_path):
    settings = replace(ADAPTERS, max_steps=2, save_every=0, evaluate_every=0, lora_dropout=0.0)
    plain = run(world, tmp_path / "plain", settings, model=tiny)
    short = run(world, tmp_path / "short", replace(settings, gradient_checkpointing=True), model=tiny)
    np.testing.assert_allclose(plain.metrics["loss"], short.metrics["loss"], rtol=1e-5)
    np.testing.assert_allclose(plain.metrics["gradient_norm"], short.metrics["gradient_norm"], rtol=1e-4)
