"""Models: batches, readings, written answers, adapters, and what lies on the disk."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppaint_distill.config import ModelConfig, PromptConfig, TrainConfig
from ppaint_distill.errors import ModelError
from ppaint_distill.prompts import pairwise_prompt, pointwise_prompt

torch = pytest.importorskip("torch", reason="needs the extra distill")

from PIL import Image  # noqa: E402

from ppaint_distill.models import (  # noqa: E402
    LoadedModel,
    add_adapters,
    compute_fingerprint,
    encode,
    generate,
    load_model,
    refresh_fingerprint,
    save_model,
)
from ppaint_distill.reading import SlotReader  # noqa: E402
from ppaint_distill.tiny import make_tiny  # noqa: E402

CONFIG = PromptConfig(dimensions=("mood", "overall"), think=False)
PAIRWISE, POINTWISE = pairwise_prompt(CONFIG), pointwise_prompt(CONFIG)
LORA = TrainConfig(lora_rank=4, lora_dropout=0.0)


def draw(*shapes: tuple[int, int]) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, size=(*shape, 3), dtype=np.uint8)) for shape in shapes]


IMAGES = draw((64, 64), (20, 200), (80, 50), (64, 64))
PAIRS = list(zip(IMAGES, IMAGES[1:] + IMAGES[:1], strict=True))
SINGLES = [(image,) for image in IMAGES]


@pytest.fixture(scope="module")
def tiny() -> LoadedModel:
    return make_tiny(random_seed=1)


def adapt(loaded: LoadedModel, config: TrainConfig = LORA) -> LoadedModel:
    """A fresh copy with adapters that change its answers."""
    from dataclasses import replace

    model: Any = add_adapters(make_tiny(random_seed=1).model, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.05)
    return refresh_fingerprint(replace(loaded, model=model.eval()))


def read(loaded: LoadedModel, prompt: Any = PAIRWISE, images: Sequence[Any] = PAIRS, *, joint: bool = True) -> Any:
    with torch.no_grad():
        return SlotReader(loaded.processor.tokenizer, prompt)(loaded, images, joint=joint)


@pytest.mark.parametrize(("prompt", "images"), [(PAIRWISE, PAIRS), (POINTWISE, SINGLES)])
def test_batches_are_those_of_the_processor(tiny: LoadedModel, prompt: Any, images: Sequence[Any]) -> None:
    ours = encode(tiny, prompt, images)
    text = tiny.processor.apply_chat_template(prompt.messages(), add_generation_prompt=True, tokenize=False)
    theirs = tiny.processor(
        images=[image for shown in images for image in shown],
        text=[text] * len(images),
        padding=True,
        return_tensors="pt",
    )
    assert set(ours) == set(theirs)
    assert len({int(row.sum()) for row in ours["attention_mask"]}) > 1, "no padding was tried"
    assert int(ours["attention_mask"][:, -1].min()) == 1
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def test_answers_follow_the_question(tiny: LoadedModel) -> None:
    beginning = PAIRWISE.answer_before("mood")
    ids = encode(tiny, PAIRWISE, PAIRS, answers=[beginning] * 4)["input_ids"]
    text = tiny.processor.tokenizer.batch_decode(ids, skip_special_tokens=False)
    assert all(one.endswith("<|im_start|>assistant\n" + beginning) for one in text)


def test_batches_that_do_not_fit(tiny: LoadedModel) -> None:
    with pytest.raises(ModelError, match=r"shows 2 image\(s\), not 1"):
        encode(tiny, PAIRWISE, SINGLES)
    with pytest.raises(ModelError, match="4 questions with 1 answers"):
        encode(tiny, PAIRWISE, PAIRS, answers=["x"])
    with pytest.raises(ModelError, match="0 questions"):
        encode(tiny, PAIRWISE, [])


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize(("prompt", "images"), [(PAIRWISE, PAIRS), (POINTWISE, SINGLES)])
def test_padding_changes_no_reading(tiny: LoadedModel, prompt: Any, images: Sequence[Any], joint: bool) -> None:
    together = read(tiny, prompt, images, joint=joint)
    assert together.shape == (4, 2, len(prompt.values))
    alone = torch.cat([read(tiny, prompt, [shown], joint=joint) for shown in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    assert torch.equal(together, read(tiny, prompt, images, joint=joint))


def test_readings_are_the_logits_of_a_full_pass(tiny: LoadedModel) -> None:
    reader = SlotReader(tiny.processor.tokenizer, POINTWISE)
    whole = POINTWISE.answer({"mood": reader.placeholder, "overall": reader.placeholder})
    batch = encode(tiny, POINTWISE, SINGLES[:1], answers=[whole])
    with torch.no_grad():
        logits = tiny.model(**batch).logits[0]
    digits = set(reader.value_ids.tolist())
    n_question = encode(tiny, POINTWISE, SINGLES[:1])["input_ids"].shape[1]
    ids = batch["input_ids"][0].tolist()
    slots = [place for place, token in enumerate(ids) if token in digits and place >= n_question]
    assert len(slots) == 2
    expected = torch.stack([logits[place - 1, reader.value_ids] for place in slots])
    torch.testing.assert_close(read(tiny, POINTWISE, SINGLES[:1])[0], expected, rtol=0, atol=1e-5)
    # The first slot is read after the same text in both ways, the second is not.
    joint, separate = read(tiny, POINTWISE, SINGLES), read(tiny, POINTWISE, SINGLES, joint=False)
    torch.testing.assert_close(joint[:, 0], separate[:, 0], rtol=0, atol=1e-5)
    assert (joint[:, 1] - separate[:, 1]).abs().max() > 1e-4


def test_prepared_inputs_are_read_again_and_again(tiny: LoadedModel) -> None:
    reader = SlotReader(tiny.processor.tokenizer, POINTWISE)
    inputs = reader.prepare(tiny, SINGLES, joint=True)
    logits = reader.read(tiny.model, inputs)
    logits.sum().backward()
    grown = {name for name, parameter in tiny.model.named_parameters() if parameter.grad is not None}
    tiny.model.zero_grad()
    assert any("visual" in name for name in grown)
    assert any("language_model" in name for name in grown)
    again = reader.read(tiny.model, inputs.to(torch.device("cpu")))
    assert torch.equal(logits.detach(), again.detach())


def test_order_of_images_matters(tiny: LoadedModel) -> None:
    swapped = [pair[::-1] for pair in PAIRS]
    assert (read(tiny) - read(tiny, images=swapped)).abs().max() > 1e-4


def test_values_with_one_first_token_are_refused(tiny: LoadedModel) -> None:
    from dataclasses import replace

    with pytest.raises(ModelError, match="same token"):
        SlotReader(tiny.processor.tokenizer, replace(POINTWISE, values=("1", "12")))


def test_a_tokenizer_that_cuts_across_a_slot_is_refused(tiny: LoadedModel) -> None:
    import copy

    from transformers import AddedToken

    tokenizer = copy.deepcopy(tiny.processor.tokenizer)
    tokenizer.add_tokens([AddedToken('"TIE', normalized=False)])
    with pytest.raises(ModelError, match="across the value 'TIE'"):
        SlotReader(tokenizer, PAIRWISE)


def test_greedy_answers_do_not_depend_on_the_batch(tiny: LoadedModel) -> None:
    together = generate(tiny, PAIRWISE, PAIRS, max_new_tokens=6)
    assert together == generate(tiny, PAIRWISE, PAIRS, max_new_tokens=6)
    assert together == [generate(tiny, PAIRWISE, [pair], max_new_tokens=6)[0] for pair in PAIRS]


def test_sampled_answers_depend_on_their_seed_alone(tiny: LoadedModel) -> None:
    def sample(images: Sequence[Any], seed: int | list[int]) -> list[str]:
        return generate(tiny, PAIRWISE, images, max_new_tokens=6, temperature=1.0, random_seed=seed)

    state = torch.random.get_rng_state()
    assert sample(PAIRS, 1) == sample(PAIRS, 1)
    assert sample(PAIRS, 1) != sample(PAIRS, 2)
    assert sample(PAIRS, [5, 6, 7, 8])[2] == sample(PAIRS[2:3], [7])[0]
    assert len(set(sample([PAIRS[0]] * 4, 3))) == 4
    assert torch.equal(state, torch.random.get_rng_state())
    with pytest.raises(ModelError, match="2 seeds were given for 4 answers"):
        sample(PAIRS, [1, 2])


def test_sampling_follows_the_softmax() -> None:
    from ppaint_distill.answering import _Noise

    scores = torch.tensor([0.0, 1.0, 2.0, -30.0]).expand(4000, 4)
    drawn = _Noise(2.0, list(range(4000)))(scores, scores).argmax(-1)
    found = torch.bincount(drawn, minlength=4) / 4000
    torch.testing.assert_close(found, (scores[0] / 2).softmax(-1), rtol=0, atol=0.03)


def test_no_image_tokens_are_written(tiny: LoadedModel) -> None:
    from ppaint_distill.answering import encode as encode_batch

    model, config = tiny.model, tiny.model.config
    suppressed = []
    original = model.generate

    def spy(**arguments: Any) -> Any:
        suppressed.extend(arguments["generation_config"].suppress_tokens)
        return original(**arguments)

    model.generate = spy
    try:
        generate(tiny, PAIRWISE, PAIRS[:1], max_new_tokens=1)
    finally:
        del model.generate
    assert {config.image_token_id, config.video_token_id} <= set(suppressed)
    assert encode_batch(tiny, PAIRWISE, PAIRS[:1])["mm_token_type_ids"].sum() > 0


def test_save_and_load_change_nothing(tiny: LoadedModel, tmp_path: Path) -> None:
    folder = save_model(tiny, tmp_path / "deep" / "model")
    assert (folder / "model.safetensors").is_file()
    assert [path.name for path in folder.parent.iterdir()] == ["model"], "nothing temporary is left"
    back = load_model(ModelConfig(name=str(folder), device="cpu"))
    assert back.fingerprint == tiny.fingerprint
    assert torch.equal(read(back), read(tiny))
    assert torch.equal(read(back, POINTWISE, SINGLES), read(tiny, POINTWISE, SINGLES))
    assert generate(back, PAIRWISE, PAIRS, max_new_tokens=4) == generate(tiny, PAIRWISE, PAIRS, max_new_tokens=4)
    assert save_model(back, folder) == folder
    assert load_model(ModelConfig(name=str(folder), device="cpu")).fingerprint == tiny.fingerprint


def test_a_folder_of_something_else_is_not_replaced(tiny: LoadedModel, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelError, match="no saved model"):
        save_model(tiny, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_nothing_is_left_of_a_failed_save(tiny: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(tiny.processor, "save_pretrained", fail, raising=False)
    with pytest.raises(OSError, match="disk full"):
        save_model(tiny, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_fingerprints_tell_models_apart(tiny: LoadedModel) -> None:
    assert make_tiny(random_seed=1).fingerprint == tiny.fingerprint
    assert make_tiny(random_seed=1, prompts=[PAIRWISE]).fingerprint != tiny.fingerprint
    other = make_tiny(random_seed=2)
    assert other.fingerprint != tiny.fingerprint
    with torch.no_grad():
        next(other.model.parameters()).view(-1)[0] += 1e-6
    assert refresh_fingerprint(other).fingerprint != other.fingerprint
    larger = load_model(ModelConfig(name="tiny", device="cpu", max_pixels=128 * 128), random_seed=1)
    assert larger.fingerprint != tiny.fingerprint


def test_large_models_are_known_by_their_files(
    tiny: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ppaint_distill.models.LARGEST_HASHED", 10)
    folder = save_model(tiny, tmp_path / "model")
    first = compute_fingerprint(tiny.model, tiny.processor, files=folder)
    assert first == compute_fingerprint(tiny.model, tiny.processor, files=folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert first != compute_fingerprint(tiny.model, tiny.processor, files=folder)


def test_image_size_is_a_setting(tiny: LoadedModel) -> None:
    large = load_model(ModelConfig(name="tiny", device="cpu", min_pixels=128 * 128, max_pixels=128 * 128))
    n_small, n_large = (int(encode(m, POINTWISE, SINGLES[:1])["mm_token_type_ids"].sum()) for m in (tiny, large))
    assert (n_small, n_large) == (4, 16)
    with pytest.raises(ModelError, match="0 < min_pixels <= max_pixels"):
        load_model(ModelConfig(name="tiny", device="cpu", min_pixels=5000, max_pixels=100))


def test_adapters_are_in_the_language_model_alone(tiny: LoadedModel) -> None:
    model = add_adapters(make_tiny(random_seed=1).model, LORA)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained
    assert all("lora_" in name and "language_model" in name and "visual" not in name for name in trained)
    assert len(trained) == 3 * 7 * 2
    again = add_adapters(make_tiny(random_seed=1).model, LORA)
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r".*language_model.*\.query", "matches no linear module"),
        (r".*\.(q_proj|qkv)", "outside of the language model"),
    ],
)
def test_adapters_elsewhere_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        add_adapters(make_tiny().model, TrainConfig(lora_modules=pattern))


def test_adapters_of_a_model_on_the_disk(tiny: LoadedModel, tmp_path: Path) -> None:
    from dataclasses import replace

    base = save_model(tiny, tmp_path / "base_model")
    adapted = adapt(replace(tiny, name=str(base)))
    assert (read(adapted) - read(tiny)).abs().max() > 1e-3
    folder = save_model(adapted, tmp_path / "adapters")
    assert not (folder / "model.safetensors").exists()
    assert not (folder / "base").exists()
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base.resolve())
    back = load_model(ModelConfig(name=str(folder), device="cpu"))
    assert torch.equal(read(back), read(adapted))
    assert back.fingerprint == adapted.fingerprint
    assert generate(back, PAIRWISE, PAIRS, max_new_tokens=3) == generate(adapted, PAIRWISE, PAIRS, max_new_tokens=3)
    # Saved once more, the adapters still name their base.
    third = load_model(ModelConfig(name=str(save_model(back, tmp_path / "more")), device="cpu"))
    assert torch.equal(read(third), read(adapted))


def test_adapters_of_a_model_built_in_process(tiny: LoadedModel, tmp_path: Path) -> None:
    adapted = adapt(tiny)
    folder = save_model(adapted, tmp_path / "adapters")
    assert (folder / "base" / "model.safetensors").is_file()
    moved = folder.rename(tmp_path / "moved")
    back = load_model(ModelConfig(name=str(moved), device="cpu"))
    assert torch.equal(read(back), read(adapted))
    third = load_model(ModelConfig(name=str(save_model(back, tmp_path / "more")), device="cpu"))
    assert torch.equal(read(third), read(adapted))
    with back.model.disable_adapter():
        assert torch.equal(read(back), read(tiny))


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no folder of that name"):
        load_model(ModelConfig(name=str(tmp_path / "nowhere"), device="cpu"))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="the folder must hold"):
        load_model(ModelConfig(name=str(tmp_path), device="cpu"))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="type bert"):
        load_model(ModelConfig(name=str(tmp_path), device="cpu"))
    with pytest.raises(ModelError, match="auto, cpu, cuda"):
        load_model(ModelConfig(name="tiny", device="abacus"))


def test_half_precision(tiny: LoadedModel) -> None:
    half = load_model(ModelConfig(name="tiny", device="cpu", dtype="bfloat16"), random_seed=1)
    logits = read(half)
    assert half.dtype == torch.bfloat16
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, read(tiny), rtol=0, atol=0.1)
    assert half.fingerprint != tiny.fingerprint


def test_files_as_the_hub_lays_them_out(tiny: LoadedModel, tmp_path: Path) -> None:
    folder = save_model(tiny, tmp_path / "model")
    images = {
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "processor_class": "Qwen3VLProcessor",
        "size": {"shortest_edge": 4096, "longest_edge": 4096},
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / "processor_config.json").unlink()
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    (folder / "video_preprocessor_config.json").write_text(json.dumps({**images, "fps": 2}))
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": template}))
    back = load_model(ModelConfig(name=str(folder), device="cpu"))
    assert torch.equal(read(back), read(tiny))
    assert back.fingerprint == tiny.fingerprint
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="has no chat template"):
        load_model(ModelConfig(name=str(folder), device="cpu"))


def test_settings_that_come_with_a_model_do_not_bend_its_answers(tiny: LoadedModel) -> None:
    from transformers import GenerationConfig

    plain = generate(tiny, POINTWISE, SINGLES[:2], max_new_tokens=12)
    own = tiny.model.generation_config
    tiny.model.generation_config = GenerationConfig(
        eos_token_id=own.eos_token_id, repetition_penalty=1.5, no_repeat_ngram_size=2, do_sample=True, top_k=3
    )
    try:
        assert generate(tiny, POINTWISE, SINGLES[:2], max_new_tokens=12) == plain
    finally:
        tiny.model.generation_config = own


def test_reasoning_that_the_template_opens_is_closed_before_a_reading_and_shown_before_an_answer() -> None:
    thinker = make_tiny(random_seed=1)
    turn = thinker.processor.tokenizer.decode(encode(thinker, POINTWISE, SINGLES[:1])["input_ids"][0])
    thinker.processor.chat_template += "{{ '<think>\\n' }}"
    asked = encode(thinker, POINTWISE, SINGLES[:1])["input_ids"]
    assert thinker.processor.tokenizer.decode(asked[0]) == turn + "<think>\n"
    read = encode(thinker, POINTWISE, SINGLES[:1], answers=["<answer>"])["input_ids"]
    assert thinker.processor.tokenizer.decode(read[0]) == turn + "<think>\n\n</think>\n\n<answer>"
    assert SlotReader(thinker.processor.tokenizer, POINTWISE)(thinker, SINGLES, joint=True).isfinite().all()
    (text,) = generate(thinker, POINTWISE, SINGLES[:1], max_new_tokens=4)
    assert text.startswith("<think>\n")
