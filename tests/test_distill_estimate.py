"""Estimates of what a large model takes: parts of the arithmetic, on shapes that are small."""

import dataclasses

import pytest
import torch

from ppaint_distill.adapters import add_adapters
from ppaint_distill.config import Config, JudgeConfig, ModelConfig, PromptConfig, TrainConfig
from ppaint_distill.estimate import QWEN3_VL_8B, build_empty, count_tokens, estimate_run

CONFIG = Config(
    prompt=PromptConfig(dimensions=("mood", "overall"), think=False),
    model=ModelConfig(max_pixels=512 * 32 * 32),
    judge=JudgeConfig(mode="probabilities"),
    train=TrainConfig(max_steps=10, micro_batch_size=4, gradient_checkpointing=True),
)


def estimate(config=CONFIG, *, n_pool=30, n_images=100):
    table = estimate_run(MODEL, config, n_pool=n_pool, n_images=n_images, teraflops=100)
    return table.set_index("stage")


def make_small():
    text = {**QWEN3_VL_8B["text_config"], "num_hidden_layers": 2}
    return build_empty({**QWEN3_VL_8B, "text_config": text})


MODEL = make_small()


def test_nothing_has_memory():
    assert {parameter.device.type for parameter in MODEL.parameters()} == {"meta"}
    assert {parameter.dtype for parameter in MODEL.parameters()} == {torch.bfloat16}


def test_tokens_are_those_of_images_and_text():
    one, two = count_tokens(CONFIG, kind="pointwise"), count_tokens(CONFIG, kind="pairwise")
    assert 512 < one < 1024 < two
    larger = dataclasses.replace(CONFIG, model=ModelConfig(max_pixels=1024 * 32 * 32))
    assert count_tokens(larger, kind="pairwise") - two == 1024
    unset = dataclasses.replace(CONFIG, model=ModelConfig())
    assert count_tokens(unset, kind="pointwise") == one


def test_work_follows_the_number_of_questions():
    table = estimate()
    assert table.loc["judge the pool", "passes"] == 30 * 20 // 2 * 2 * 2  # opponents, halved; orders; dimensions
    assert table.loc["judge against it", "passes"] == 100 * 20 * 2 * 2
    assert table.loc["train", "passes"] == 10 * 32
    twice = estimate(n_images=200)
    assert twice.loc["judge against it", "petaflop"] == pytest.approx(2 * table.loc["judge against it", "petaflop"])
    written = estimate(dataclasses.replace(CONFIG, judge=JudgeConfig(mode="generate")))
    assert written.loc["judge the pool", "passes"] * 2 == table.loc["judge the pool", "passes"]


def test_a_pass_of_the_language_model_is_two_operations_a_parameter_and_token():
    table, text = estimate(), QWEN3_VL_8B["text_config"]
    layer = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * text["intermediate_size"]  # q, o; k, v; gate, up, down
    language = 2 * 2 * layer * table.loc["score 1,000", "tokens"]
    vision = 2 * 576_388_336 * 512 * 4
    found = table.loc["score 1,000", "petaflop"] * 1e15 / 1000
    assert found == pytest.approx(language + vision, rel=1e-3)
    assert table.loc["score 1,000", "hours"] == pytest.approx(found * 1000 / 100e12 / 3600)


def test_training_holds_gradients_and_moments_of_the_adapters():
    model = make_small()
    for parameter in model.parameters():
        parameter.requires_grad = False
    plain = estimate_run(model, CONFIG, n_pool=30, n_images=100, teraflops=100)
    adapted = add_adapters(model, CONFIG.train)
    n_trained = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
    table = estimate_run(adapted, CONFIG, n_pool=30, n_images=100, teraflops=100)
    more = (table["memory_gb"] - plain["memory_gb"]).to_numpy() * 1e9
    assert more == pytest.approx([4 * n_trained, 4 * n_trained, 16 * n_trained, 4 * n_trained], abs=1)
    unchecked = dataclasses.replace(CONFIG, train=dataclasses.replace(CONFIG.train, gradient_checkpointing=False))
    assert estimate(unchecked).loc["train", "memory_gb"] > estimate().loc["train", "memory_gb"]
