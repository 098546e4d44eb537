"""Scores are the same in every way of batching; what is meant to save work does save it."""

import itertools
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ppaint_distill.batches import look_ahead
from ppaint_distill.config import PromptConfig, ScoreConfig
from ppaint_distill.errors import ConfigError
from ppaint_distill.images import find_images
from ppaint_distill.models import LoadedModel, compute_fingerprint
from ppaint_distill.processor import set_pixels
from ppaint_distill.prompts import pointwise_prompt
from ppaint_distill.score_feed import Preparer, compile_layers, cut_batches, find_shapes, plan_batches
from ppaint_distill.scorer import Scorer
from ppaint_distill.tiny import make_tiny
from ppaint_distill.tiny_world import draw_images

PROMPT = PromptConfig(dimensions=("mood", "overall"), think=False)
SIZES = [(64, 64), (96, 64), (64, 96), (128, 128)]


def load() -> LoadedModel:
    tiny = make_tiny(random_seed=5, prompts=[pointwise_prompt(PROMPT)])
    set_pixels(tiny.processor, min_pixels=64 * 64, max_pixels=128 * 128)
    return replace(tiny, fingerprint=compute_fingerprint(tiny.model, tiny.processor))


@pytest.fixture(scope="module")
def tiny() -> LoadedModel:
    return load()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Fourteen images of four shapes, one of them turned by its metadata, and one that is none."""
    folder = tmp_path_factory.mktemp("images")
    pictures, _ = draw_images(14, random_seed=1)
    for place, picture in enumerate(pictures):
        picture.resize(SIZES[place % 4]).save(folder / f"p{place:02d}.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    pictures[13].resize((96, 64)).save(folder / "p13.png", exif=turned)
    (folder / "p05x.png").write_text("no image")
    return folder


def score(loaded: LoadedModel, folder: Path, **settings) -> pd.DataFrame:
    with pytest.warns(match="could not be used"):
        return Scorer(loaded, PROMPT, ScoreConfig(**settings)).score(folder, progressbar=False)


def test_scores_are_the_same_in_every_way_of_batching(tiny, folder):
    whole = score(tiny, folder, batch_size=1)
    assert whole["item"].tolist() == [f"p{place:02d}" for place in range(14) for _ in range(2)]
    for batch_size, by_shape, n_threads in itertools.product((3, 16), (False, True), (1, 3)):
        other = score(tiny, folder, batch_size=batch_size, by_shape=by_shape, n_threads=n_threads)
        assert other[["item", "dimension"]].equals(whole[["item", "dimension"]])
        assert np.allclose(other[["score", "sd"]], whole[["score", "sd"]], atol=1e-5)
        again = score(tiny, folder, batch_size=batch_size, by_shape=by_shape, n_threads=n_threads)
        pd.testing.assert_frame_equal(other, again, check_exact=True)


def test_shapes_are_those_of_the_processor(tiny, folder):
    files = find_images(folder)
    shapes = find_shapes(files, tiny.processor)
    for file, shape in zip(files, shapes, strict=True):
        if file.item == "p05x":
            assert shape is None
            continue
        prepared = Preparer(tiny, Scorer(tiny, PROMPT)._reader, written=False)([file])
        assert prepared.inputs.passes[0]["image_grid_thw"].tolist() == [[1, *shape]]
    assert shapes[files.index(next(file for file in files if file.item == "p13"))] == (6, 4)
    assert find_shapes([("x", Image.new("RGB", (2, 1000)))], tiny.processor) == [None]


@given(st.lists(st.sampled_from([(4, 4), (4, 8), (8, 4), None]), max_size=40), st.integers(1, 6))
def test_batches_of_one_shape_are_whole_and_nothing_is_lost(shapes, batch_size):
    batches = plan_batches(shapes, batch_size)
    assert sorted(place for batch in batches for place in batch) == list(range(len(shapes)))
    assert all(len(batch) <= batch_size for batch in batches)
    assert len(batches) == -(-len(shapes) // batch_size)
    alike = sum(len({shapes[place] for place in batch}) == 1 and len(batch) == batch_size for batch in batches)
    assert alike >= sum(shapes.count(shape) // batch_size for shape in set(shapes))


def test_images_of_one_shape_are_not_padded(tiny, folder):
    prepare = Preparer(tiny, Scorer(tiny, PROMPT)._reader, written=False)
    files = [file for file in find_images(folder) if file.item != "p05x"]
    padded = {
        name: sum(int((1 - prepare(batch).inputs.passes[0]["attention_mask"]).sum()) for batch in batches)
        for name, batches in {
            "in order": cut_batches(files, 3),
            "by shape": cut_batches(files, 3, processor=tiny.processor),
        }.items()
    }
    assert padded["by shape"] < padded["in order"] / 3


def test_logits_are_computed_at_the_slots_alone_and_nothing_is_cached(tiny, folder, monkeypatch):
    seen, cached = [], []
    hook = tiny.model.lm_head.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    language = tiny.model.model.language_model
    other = language.register_forward_hook(lambda _, args, output: cached.append(output.past_key_values))
    monkeypatch.setattr(type(tiny.model), "generate", None)
    score(tiny, folder, batch_size=16, by_shape=True)
    hook.remove()
    other.remove()
    assert [shape[:2] for shape in seen] == [(14, 2)]  # images, dimensions
    assert cached == [None]


def test_pixels_are_handed_over_in_the_numbers_of_the_model(folder):
    loaded = load()
    loaded = replace(loaded, model=loaded.model.bfloat16(), dtype=torch.bfloat16)
    scorer = Scorer(loaded, PROMPT)
    files = [file for file in find_images(folder) if file.item != "p05x"]
    ready = Preparer(loaded, scorer._reader, written=False)(files)
    assert ready.inputs.passes[0]["pixel_values"].dtype == torch.bfloat16
    full = scorer._reader.prepare(loaded, [[image] for image in map(load_rgb, files)], joint=True)
    assert full.passes[0]["pixel_values"].dtype == torch.float32
    with torch.inference_mode():
        logits = [scorer._reader.read(loaded.model, inputs) for inputs in (ready.inputs, full)]
    assert torch.equal(*logits)


def load_rgb(file):
    from ppaint_distill.images import load_image

    return load_image(file.path)


@pytest.mark.filterwarnings("ignore:Guards may run slower:RuntimeWarning")
def test_compiled_layers_give_the_same_scores_and_are_compiled_once():
    from torch._dynamo.testing import CompileCounter

    loaded, counter = load(), CompileCounter()
    pictures, _ = draw_images(6, random_seed=1)
    scorer = Scorer(loaded, PROMPT, ScoreConfig(batch_size=2))
    plain = scorer.score(pictures, progressbar=False)
    torch._dynamo.reset()
    assert compile_layers(loaded.model, backend=counter) == 3 + 2
    first = scorer.score(pictures[:2], progressbar=False)
    several = counter.frame_count
    assert several > 0
    compiled = scorer.score(pictures, progressbar=False)
    assert counter.frame_count == several  # a shape that is known is not compiled again
    assert np.allclose(plain[["score", "sd"]], compiled[["score", "sd"]], atol=1e-5)
    assert first.equals(compiled.head(4))
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore::ppaint_distill.errors.SkippedWarning")
def test_a_run_by_shape_goes_on_where_it_was(tiny, folder, tmp_path, monkeypatch):
    scorer = Scorer(tiny, PROMPT, ScoreConfig(batch_size=3, by_shape=True))
    whole = scorer.score_folder(folder, tmp_path / "whole.csv", progressbar=False)
    honest, begun = Scorer._score_batch, []

    def fail_at_third(self, items, ready):
        begun.append(items)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return honest(self, items, ready)

    monkeypatch.setattr(Scorer, "_score_batch", fail_at_third)
    with pytest.raises(KeyboardInterrupt):
        scorer.score_folder(folder, tmp_path / "cut.csv", progressbar=False)
    assert len((tmp_path / "cut.csv.part").read_bytes().splitlines()) == 1 + 2
    resumed = scorer.score_folder(folder, tmp_path / "cut.csv", progressbar=False)
    assert len(begun) == 3 + 3  # five batches, of which two were done
    assert (tmp_path / "cut.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    pd.testing.assert_frame_equal(resumed.skipped, whole.skipped)


def test_a_batch_is_read_after_the_next_is_begun(tiny, folder, monkeypatch):
    honest, events = Scorer._score_batch, []

    def watch(self, items, ready):
        number = sum(name == "begin" for name, _ in events)
        events.append(("begin", number))
        read = honest(self, items, ready)
        return lambda: events.append(("read", number)) or read()

    monkeypatch.setattr(Scorer, "_score_batch", watch)
    score(tiny, folder, batch_size=5)
    begin, read = "begin", "read"
    assert events == [(begin, 0), (begin, 1), (read, 0), (begin, 2), (read, 1), (read, 2)]


def test_several_threads_keep_order_and_leave_filters_of_warnings_alone(folder):
    from ppaint_distill.images import load_image

    files = [file.path for file in find_images(folder) if file.item != "p05x"] * 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        sizes = [image.size for image in look_ahead(files, load_image, depth=4, n_threads=4)]
        assert warnings.filters == before
    assert sizes == [load_image(path).size for path in files]


def test_threads_are_counted(tiny):
    with pytest.raises(ConfigError, match=r"score\.n_threads=0"):
        Scorer(tiny, PROMPT, ScoreConfig(n_threads=0))
