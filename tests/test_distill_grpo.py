"""Tests of training on written answers with the tiny model: steps, counts, the reference, refusals, resuming."""

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from grpo_helpers import PROMPT, WHOLE, WRITTEN, load_base, make_world, run
from typer.testing import CliRunner

from ppaint_distill.answering import encode, list_image_tokens
from ppaint_distill.cli import app
from ppaint_distill.config import Config, GRPOConfig, TrainConfig
from ppaint_distill.data import match_targets
from ppaint_distill.errors import ConfigError, ModelError, ResumeError
from ppaint_distill.models import LoadedModel
from ppaint_distill.prompts import pointwise_prompt
from ppaint_distill.scorer import Scorer
from ppaint_distill.targets import read_targets
from ppaint_distill.tiny import make_tiny
from ppaint_distill.trainer.rollouts import Answer, RankingReward, count_answers, plan_steps, read_answer
from ppaint_distill.trainer.run import RunFolder
from ppaint_distill.trainer.settings import check_grpo

pytest.importorskip("trl")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def base(world) -> LoadedModel:
    return load_base(world)


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory):
    return run(world, tmp_path_factory.mktemp("runs") / "whole")


def weights(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "model").rglob("*.safetensors"))}


def texts(*contents: str) -> list[list[dict[str, str]]]:
    return [[{"role": "assistant", "content": content}] for content in contents]


def test_a_run_is_recorded_and_its_answers_counted(world, whole):
    metrics = whole.metrics
    assert metrics["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert (metrics["answers"] == 6 * 4).all()
    assert metrics["kl"][0] == pytest.approx(0, abs=1e-6)  # before the first update
    assert (metrics["kl"][1:] > 0).all()
    assert metrics["fidelity"].between(0, 1).all()
    assert np.isfinite(metrics.drop(columns="fidelity").to_numpy()).all()
    assert whole.evaluations["step"].tolist() == [0, 2, 4, 6]
    records = [json.loads(line) for line in (whole.folder / "metrics.jsonl").read_text().splitlines()]
    steps = [record for record in records if "answers" in record]
    assert whole.answers is not None
    assert whole.answers["answers"] == 144
    assert whole.answers["unreadable"] == sum(whole.answers["failures"].values()) == metrics["unreadable"].sum()
    assert 0 < whole.answers["unreadable"] < 144
    assert all(sum(record["failures"].values()) == record["unreadable"] for record in steps)
    assert all((record["example"] is None) == (record["unreadable"] == 0) for record in steps)
    assert f"{whole.answers['unreadable']} of 144 answers unreadable" in repr(whole)
    assert json.loads(json.dumps(whole.summary())) == whole.summary()
    assert whole.summary()["answers"] == whole.answers
    assert "n_answers: 4" in (whole.folder / "model" / "README.md").read_text()
    # The folder is a scorer, the same one as in memory.
    images = sorted((world / "images").iterdir())[:5]
    there = Scorer.from_pretrained(whole.folder, device="cpu")
    pd.testing.assert_frame_equal(there.score(images), whole.scorer().score(images), check_exact=True)


def test_a_run_leaves_the_base_and_the_random_state_alone(world, base, tmp_path):
    before = {name: parameter.clone() for name, parameter in base.model.named_parameters()}
    states = random.getstate(), str(np.random.get_state()), torch.random.get_rng_state()  # noqa: NPY002
    result = run(world, tmp_path / "run", replace(WHOLE, max_steps=1, learning_rate=1e-2), model=base)
    assert states[:2] == (random.getstate(), str(np.random.get_state()))  # noqa: NPY002
    assert torch.equal(states[2], torch.random.get_rng_state())
    assert all(torch.equal(parameter, before[name]) for name, parameter in base.model.named_parameters())
    assert "forward" not in vars(result.model.model)
    changed = dict(result.model.model.named_parameters())
    assert any(not torch.equal(changed[name], before[name]) for name in before)


def test_without_its_adapters_the_model_is_the_base(world, base, tmp_path):
    settings = replace(WHOLE, lora=True, lora_rank=4, max_steps=2, learning_rate=1e-2, gradient_checkpointing=True)
    result = run(world, tmp_path / "run", settings, model=base)
    model = result.model.model
    assert list(model.peft_config) == ["default"]  # the reference is no second set of adapters
    assert result.metrics["kl"][0] == pytest.approx(0, abs=1e-6)
    assert result.metrics["kl"][1] > 0
    trained = [name for name, parameter in model.named_parameters() if "lora" in name]
    assert trained
    assert not any("visual" in name for name in trained)
    images = sorted((world / "images").iterdir())[:4]
    untrained = Scorer(base, PROMPT).score(images)["score"]
    assert not np.allclose(result.scorer().score(images)["score"], untrained, atol=1e-6)
    with model.disable_adapter():
        assert np.allclose(result.scorer().score(images)["score"], untrained, atol=1e-6)


@pytest.mark.parametrize("lora", [False, True])
def test_a_larger_beta_holds_the_model_back(world, tmp_path, lora):
    settings = replace(WHOLE, lora=lora, max_steps=6, learning_rate=5e-3, keep_best=False, validation_fraction=0.0)
    free = run(world, tmp_path / "free", settings, replace(WRITTEN, beta=1e-6)).metrics["kl"]
    held = run(world, tmp_path / "held", settings, replace(WRITTEN, beta=30.0)).metrics["kl"]
    assert held[3:].mean() < 0.6 * free[3:].mean()


def test_tokens_of_images_are_never_sampled(world, base, tmp_path):
    """A model that would write nothing else still writes answers."""
    loud = torch.tensor(list_image_tokens(base.model.config))
    assert len(loud) == 4

    def shout(module, inputs, logits):
        return logits.index_fill(-1, loud, 1e4)

    hook = base.model.lm_head.register_forward_hook(shout)  # heard in sampling, not in the loss
    try:
        result = run(world, tmp_path / "run", replace(WHOLE, max_steps=1, validation_fraction=0.0), model=base)
    finally:
        hook.remove()
    assert result.answers["unreadable"] < 0.5 * result.answers["answers"]


def test_trl_asks_what_the_scorer_asks(world, base):
    """Both tokenise a question to the same tokens."""
    data = match_targets(read_targets(world / "targets.parquet"), world / "images", dimensions=PROMPT.dimensions)
    config = Config(prompt=PROMPT, train=replace(WHOLE, augment=()), grpo=WRITTEN)
    row = plan_steps(data, np.arange(8), config, after=0)[0]
    asked = [
        dict(part, **({"image": row["image"]} if part["type"] == "image" else {}))
        for part in row["prompt"][0]["content"]
    ]
    shown = base.processor.apply_chat_template(
        conversation=[[{"role": "user", "content": asked}]], add_generation_prompt=True, tokenize=True, return_dict=True
    )
    own = encode(base, pointwise_prompt(PROMPT), [[row["image"]]])
    assert shown["input_ids"][0] == own["input_ids"][0].tolist()
    assert torch.equal(torch.as_tensor(shown["pixel_values"]), own["pixel_values"])


def test_steps_are_asked_in_order_from_any_step(world):
    data = match_targets(read_targets(world / "targets.parquet"), world / "images", dimensions=PROMPT.dimensions)
    config = Config(prompt=PROMPT, train=WHOLE, grpo=WRITTEN)
    whole, rest = (plan_steps(data, np.arange(16), config, after=after) for after in (0, 2))
    assert len(whole) == 6 * 6
    for place in (0, 7, 20):
        one, other = whole[12 + place], rest[place]
        assert (one["step"], one["row"]) == (other["step"], other["row"])
        assert np.array_equal(np.asarray(one["image"]), np.asarray(other["image"]))


def test_rewards_are_those_of_the_batch_and_failures_are_counted(world):
    data = match_targets(read_targets(world / "targets.parquet"), world / "images", dimensions=PROMPT.dimensions)
    order = np.argsort(data.scores[:, 0])
    low, high = int(order[0]), int(order[-1])
    reward = RankingReward(data, Config(prompt=PROMPT, train=WHOLE, grpo=replace(WRITTEN, format_weight=0.5)))
    answer = '<answer>{{"brightness": {}}}</answer>'.format
    completions = texts(answer(1), answer(4), "no idea", answer(3), answer(3), answer(9))
    found = reward(completions=completions, row=[low] * 3 + [high] * 3, step=[1] * 6)
    assert found[0] > found[1] > 0.5
    assert found[3] == found[4] > 0.5
    assert found[2] == found[5] == 0
    assert reward.record["answers"] == 6
    assert reward.record["failures"] == {"no-answer": 1, "out-of-scale": 1}
    assert reward.record["example"] == "no idea"
    # The order of the answers does not matter.
    again = reward(completions=completions[::-1], row=[high] * 3 + [low] * 3, step=[1] * 6)
    assert again[::-1] == found
    # Images that nothing can be said of have no reward.
    alone = reward(completions=texts("?", "?", answer(2), answer(1)), row=[low] * 2 + [high] * 2, step=[1] * 4)
    assert alone[2:] == [None, None]
    assert reward.record["dropped"] == 1


def test_an_opened_thought_is_part_of_the_answer():
    assert read_answer(3, '{"brightness": 2}', PROMPT) == Answer(3, (2.0,))
    read = read_answer(3, '<think>\nIt is dark. {"brightness": 2}', PROMPT)
    assert (read.scores, read.failure) == (None, "truncated")


def test_a_model_that_writes_nothing_readable_is_refused(world, tmp_path):
    fresh = make_tiny(random_seed=0, prompts=[pointwise_prompt(PROMPT)])
    with pytest.raises(ModelError, match=r"none of the 24 answers of the first step can be read"):
        run(world, tmp_path / "run", model=fresh)


def test_without_trl_the_extra_is_named(world, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "trl" else find(name))
    with pytest.raises(ModelError, match=r'needs trl.*pip install "ppaint\[grpo\]"'):
        run(world, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_answers", 1), ("temperature", 0.0), ("beta", 0.0), ("max_new_tokens", 0), ("format_weight", -1.0)],
)
def test_settings_that_cannot_be_are_named(name, value):
    with pytest.raises(ConfigError, match=rf"grpo\.{name}={value}"):
        check_grpo(replace(GRPOConfig(), **{name: value}))


def test_answers_are_shared_equally():
    config = Config(train=TrainConfig(batch_size=6), grpo=GRPOConfig(n_answers=4))
    assert count_answers(config, 100, 1, large=False) == (24, 1)
    assert count_answers(config, 100, 2, large=False) == (12, 1)
    assert count_answers(config, 100, 2, large=True) == (6, 2)
    assert count_answers(config, 5, 1, large=False) == (20, 1)
    with pytest.raises(ConfigError, match="24 answers, which 5 processes"):
        count_answers(config, 100, 5, large=False)
    with pytest.raises(ConfigError, match=r"grpo\.micro_batch_size=7"):
        count_answers(replace(config, grpo=replace(config.grpo, micro_batch_size=7)), 100, 1, large=False)
    with pytest.raises(ConfigError, match=r"1 image\(s\)"):
        count_answers(config, 1, 1, large=False)


def test_passes_change_nothing_but_rounding(world, whole, tmp_path):
    """Answers in several passes have the loss and the gradient of all at once."""
    settings = replace(WHOLE, max_steps=1)
    parted = run(world, tmp_path / "parted", settings, replace(WRITTEN, micro_batch_size=8)).metrics.iloc[0]
    at_once = run(world, tmp_path / "whole", settings, WRITTEN).metrics.iloc[0]
    assert parted["reward"] == at_once["reward"]
    assert parted["loss"] == pytest.approx(at_once["loss"], abs=1e-4)
    assert parted["gradient_norm"] == pytest.approx(at_once["gradient_norm"], rel=1e-3)


SCRIPT = """
import os, signal, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
import grpo_helpers as t
from ppaint_distill.trainer.run import RunFolder
log = RunFolder.log
def die(self, record):
    if record["step"] == 5:
        with self.metrics.open("a") as file:
            file.write('{{"step": 5, "lo')
        os.kill(os.getpid(), signal.SIGKILL)
    log(self, record)
RunFolder.log = die
t.run(Path({world!r}), Path({out!r}))
"""


def test_a_killed_run_resumes_bit_for_bit_and_says_so(world, whole, tmp_path):
    out = tmp_path / "cut"
    script = SCRIPT.format(tests=str(Path(__file__).parent), world=str(world), out=str(out))
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    killed = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["00000004"]
    resumed = run(world, out)
    assert resumed.resumed == (4,)
    assert "resumed after step 4" in repr(resumed)
    assert resumed.summary()["resumed"] == [4]
    assert whole.resumed == ()
    assert weights(out) == weights(whole.folder)
    pd.testing.assert_frame_equal(resumed.metrics.drop(columns="seconds"), whole.metrics.drop(columns="seconds"))
    pd.testing.assert_frame_equal(resumed.evaluations, whole.evaluations)
    assert resumed.answers == whole.answers


def test_a_complete_run_is_returned_and_another_one_refused(world, whole, monkeypatch):
    monkeypatch.setattr(RunFolder, "log", None)  # nothing is done
    again = run(world, whole.folder)
    assert again.answers == whole.answers
    with pytest.raises(ResumeError, match=r"grpo\.beta: 0\.04 there, 0\.1 here"):
        run(world, whole.folder, written=replace(WRITTEN, beta=0.1))
    with pytest.raises(ResumeError, match=r"grpo\.n_answers"):
        run(world, whole.folder, replace(WHOLE, objective="expected"))


def test_the_command_names_the_objective_and_counts_what_it_could_not_read(world, tmp_path):
    words = ["train", "--objective", "grpo", "--model", world / "base", "--targets", world / "targets.parquet"]
    words += ["--images", world / "images", "--out", tmp_path / "run"]
    for setting in ("train.max_steps=1", "train.batch_size=6", "train.lora=false", "grpo.n_answers=4"):
        words += ["--set", setting]
    prompt = ("prompt.think=false", "prompt.subject=picture", "grpo.max_new_tokens=16", "model.device=cpu")
    words += [word for setting in prompt for word in ("--set", setting)]
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert "of 24 answers unreadable" in done.output
    assert "n_answers: 4" in (tmp_path / "run" / "config.yaml").read_text()
