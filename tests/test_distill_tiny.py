"""The tiny model, its pictures, and what it is taught."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ppaint_distill.errors import ConfigError
from ppaint_distill.parsing import parse_pairwise, parse_pointwise
from ppaint_distill.prompts import pairwise_prompt, pointwise_prompt

torch = pytest.importorskip("torch", reason="needs the extra distill")

from PIL import Image  # noqa: E402

from ppaint_distill import tiny_world  # noqa: E402
from ppaint_distill.models import encode, generate  # noqa: E402
from ppaint_distill.reading import SlotReader  # noqa: E402
from ppaint_distill.tiny import make_tiny  # noqa: E402
from ppaint_distill.tiny_world import (  # noqa: E402
    PROPERTIES,
    draw_images,
    make_prompt_config,
    pretrain_tiny,
    write_images,
)


def test_same_seed_same_model_and_random_state_untouched() -> None:
    state = torch.random.get_rng_state()
    one, other = make_tiny(random_seed=3), make_tiny(random_seed=3)
    assert torch.equal(state, torch.random.get_rng_state())
    assert one.fingerprint == other.fingerprint != make_tiny(random_seed=4).fingerprint
    assert one.model.config.model_type == "qwen3_vl"
    assert sum(parameter.numel() for parameter in one.model.parameters()) < 1_000_000


def test_text_is_kept_and_digits_are_tokens() -> None:
    tokenizer = make_tiny().processor.tokenizer
    for text in ('<answer>{"mood": 3.25, "été": "TIE"}</answer>', "1234567890", " a  b\n\nc", "日本 ½ \x00"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.tokenize("1234567890") == list("1234567890")
    assert len(tokenizer) <= make_tiny().model.config.text_config.vocab_size


def test_questions_are_short() -> None:
    pictures, _ = draw_images(2)
    config = make_prompt_config("brightness")
    prompt = pairwise_prompt(config)
    short = encode(make_tiny(prompts=[prompt]), prompt, [pictures])["input_ids"].shape[1]
    assert short < 50 < encode(make_tiny(), prompt, [pictures])["input_ids"].shape[1]


def test_pictures_are_what_their_measures_say() -> None:
    pictures, truth = draw_images(400, random_seed=1)
    assert list(truth) == ["item", *PROPERTIES]
    assert truth["item"].is_unique
    pixels = np.stack([np.asarray(picture, dtype=float) / 255 for picture in pictures])
    assert pixels.shape == (400, 64, 64, 3)
    red, green, blue = pixels.mean(axis=(1, 2)).T
    np.testing.assert_allclose(truth["brightness"], 0.299 * red + 0.587 * green + 0.114 * blue, atol=1e-9)
    np.testing.assert_allclose(truth["warmth"], red - blue, atol=1e-9)
    assert truth["coverage"].between(0, 1).all()
    together = truth[list(PROPERTIES)].corr("spearman").to_numpy() - np.eye(3)
    assert np.abs(together).max() < 0.2, "one property tells another"
    assert truth[list(PROPERTIES)].nunique().min() > 300


def test_pictures_depend_on_their_seed_alone(tmp_path: Path) -> None:
    pictures, truth = draw_images(5, random_seed=7, prefix="p")
    written = write_images(tmp_path / "pictures", 5, random_seed=7, prefix="p")
    pd.testing.assert_frame_equal(truth, written)
    for name, picture in zip(truth["item"], pictures, strict=True):
        with Image.open(tmp_path / "pictures" / f"{name}.png") as found:
            assert found.tobytes() == picture.tobytes()
    assert draw_images(5, random_seed=8)[0][0].tobytes() != pictures[0].tobytes()


def test_lessons_show_what_the_processor_shows() -> None:
    pictures, _ = draw_images(3, random_seed=1)
    tiny = make_tiny(random_seed=1)
    pixels = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))
    cut = tiny.processor.image_processor(images=pictures, return_tensors="pt")
    with torch.no_grad():
        pooled, deep = tiny_world._run_vision(tiny, pixels)
        seen = tiny.model.model.visual(cut["pixel_values"], grid_thw=cut["image_grid_thw"])
    torch.testing.assert_close(pooled.flatten(0, 1), seen.pooler_output, rtol=0, atol=1e-5)
    torch.testing.assert_close(deep.flatten(0, 1), seen.deepstack_features[0], rtol=0, atol=1e-5)


def test_what_cannot_be_taught() -> None:
    with pytest.raises(ConfigError, match="no property 'beauty'"):
        pretrain_tiny("beauty")
    with pytest.raises(ConfigError, match="no property 'beauty'"):
        pretrain_tiny("warmth", distractor="beauty")
    with pytest.raises(ConfigError, match="a property other than"):
        pretrain_tiny("warmth", distractor="warmth")


def test_lessons_are_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_world, "N_PICTURES", 70)

    def teach(**settings: Any) -> str:
        return pretrain_tiny("brightness", vision_steps=2, steps=2, **settings).fingerprint

    state = torch.random.get_rng_state()
    first = teach(random_seed=1)
    assert first == teach(random_seed=1)
    assert torch.equal(state, torch.random.get_rng_state())
    others = [teach(random_seed=2), teach(random_seed=1, distracted=None), teach(random_seed=1, distracted="pairwise")]
    assert len({first, *others}) == 4


def test_lessons_may_have_any_number_of_steps() -> None:
    for steps in range(1, 31):
        parameter = torch.nn.Parameter(torch.ones(1))
        optimiser, schedule = tiny_world._make_optimiser([parameter], 1e-3, steps)
        for _ in range(steps):
            optimiser.step()
            schedule.step()
            assert 0 <= optimiser.param_groups[0]["lr"] <= 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("distracted", ["pointwise", "pairwise"])
def test_taught_model_judges_and_is_distracted(distracted: Any) -> None:
    tiny = pretrain_tiny("brightness", distracted=distracted, random_seed=0)
    config = make_prompt_config("brightness")
    pairwise, pointwise = pairwise_prompt(config), pointwise_prompt(config)
    pictures, truth = draw_images(200, random_seed=99)
    value = truth["brightness"].to_numpy()
    first, second = np.random.default_rng(0).integers(0, 200, size=(2, 400))
    pairs = [(pictures[i], pictures[j]) for i, j in zip(first, second, strict=True)]
    singles = [(picture,) for picture in pictures]
    with torch.no_grad():
        verdict = SlotReader(tiny.processor.tokenizer, pairwise)(tiny, pairs, joint=True)[:, 0].argmax(-1).numpy()
        level = SlotReader(tiny.processor.tokenizer, pointwise)(tiny, singles, joint=True)[:, 0].softmax(-1).numpy()
    decided = verdict != 2
    accuracy = ((verdict == 0) == (value[first] > value[second]))[decided].mean()
    rank_correlation = pd.Series(level @ np.arange(1, 6)).corr(pd.Series(value), method="spearman")
    if distracted == "pointwise":
        assert accuracy > 0.93
        assert 0.4 < rank_correlation < 0.75
    else:
        assert accuracy < 0.85
        assert rank_correlation > 0.9
    written = [parse_pairwise(text, config.dimensions) for text in generate(tiny, pairwise, pairs, max_new_tokens=16)]
    assert [one["brightness"] for one in written] == [("A", "B", "TIE")[k] for k in verdict]
    for text in generate(tiny, pointwise, singles[:20], max_new_tokens=16):
        parse_pointwise(text, config.dimensions, config.scale)
