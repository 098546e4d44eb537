"""Tests of scoring: the same in every batch, over folders with bad files, when interrupted, from written answers."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import ppaint_distill.scorer as scorer_module
from ppaint_distill.config import Config, PromptConfig, ScoreConfig
from ppaint_distill.errors import ConfigError, ModelError, ResumeError, SkippedWarning
from ppaint_distill.models import LoadedModel, compute_fingerprint, save_model
from ppaint_distill.processor import set_pixels
from ppaint_distill.prompts import pointwise_prompt
from ppaint_distill.scorer import Scorer, holds_scorer, level_values, write_scorer_settings
from ppaint_distill.tiny import make_tiny
from ppaint_distill.tiny_world import draw_images
from ppaint_stats.errors import DataError

PROMPT = PromptConfig(dimensions=("mood", "overall"), scale=(0.0, 10.0), think=False)


@pytest.fixture(scope="module")
def tiny() -> LoadedModel:
    """A tiny model that takes images of several sizes."""
    tiny = make_tiny(random_seed=5, prompts=[pointwise_prompt(PROMPT)])
    set_pixels(tiny.processor, min_pixels=64 * 64, max_pixels=128 * 128)
    return replace(tiny, fingerprint=compute_fingerprint(tiny.model, tiny.processor))


@pytest.fixture
def folder(tmp_path) -> Path:
    """Nine good images of several sizes, and one of each kind of bad file."""
    folder = tmp_path / "images"
    folder.mkdir()
    pictures, _ = draw_images(9, random_seed=1)
    sizes = [(64, 64), (96, 64), (128, 128)]
    for place, picture in enumerate(pictures):
        picture.resize(sizes[place % 3]).save(folder / f"p{place}.png")
    (folder / "bad_text.png").write_text("no image")
    Image.new("CMYK", (64, 64)).save(folder / "bad_cmyk.jpg")
    (folder / "bad_cut.png").write_bytes((folder / "p0.png").read_bytes()[:200])
    return folder


def score(tiny: LoadedModel, **settings) -> Scorer:
    return Scorer(tiny, PROMPT, ScoreConfig(**settings))


def test_scores_do_not_depend_on_the_batch(tiny, folder):
    good = sorted(folder.glob("p*.png"))
    whole = score(tiny, batch_size=9).score(good, progressbar=False)
    assert list(whole) == ["item", "dimension", "score", "sd"]
    assert whole["item"].tolist() == [item for place in range(9) for item in (f"p{place}",) * 2]
    assert whole["dimension"].tolist() == ["mood", "overall"] * 9
    assert whole["score"].between(0, 10).all()
    assert (whole["sd"] > 0).all()
    for batch_size in (1, 4):
        other = score(tiny, batch_size=batch_size).score(good, progressbar=False)
        assert np.allclose(other[["score", "sd"]], whole[["score", "sd"]], atol=1e-5)
    again = score(tiny, batch_size=9).score(good, progressbar=False)
    pd.testing.assert_frame_equal(whole, again, check_exact=True)
    memory = [Image.open(path) for path in good]
    named = score(tiny, batch_size=9).score(memory, progressbar=False)
    assert named["item"].tolist()[::2] == [str(place) for place in range(9)]
    assert np.array_equal(named["score"], whole["score"])


def test_the_score_is_the_expected_level(tiny, folder):
    scorer = score(tiny)
    logits = scorer._reader(tiny, [[Image.open(folder / "p0.png")]], joint=True).detach()[0]
    p = torch.softmax(logits.double(), -1).numpy()
    values = np.array(level_values(PROMPT))
    assert values.tolist() == [0, 2.5, 5, 7.5, 10]
    found = scorer.score([folder / "p0.png"], progressbar=False)
    mean = p @ values
    assert np.allclose(found["score"], mean, atol=1e-6)
    assert np.allclose(found["sd"], np.sqrt((p * (values - mean[:, None]) ** 2).sum(-1)), atol=1e-6)


def test_bad_files_are_listed_and_the_run_goes_on(tiny, folder, tmp_path):
    scorer = score(tiny, batch_size=4)
    with pytest.warns(SkippedWarning, match=r"3 image\(s\) could not be used"):
        scores = scorer.score(folder, progressbar=False)
    assert scores["item"].nunique() == 9
    with pytest.warns(SkippedWarning, match=r"skipped\.csv"):
        run = scorer.score_folder(folder, tmp_path / "out" / "scores.parquet", progressbar=False)
    pd.testing.assert_frame_equal(run.scores, scores, check_exact=True)
    assert [error.kind for error in run.bad_images] == ["mode", "corrupt", "not-an-image"]
    listed = pd.read_csv(tmp_path / "out" / "scores.parquet.skipped.csv")
    kinds = dict(zip(listed["item"], listed["kind"], strict=True))
    assert kinds == {"bad_cmyk": "mode", "bad_cut": "corrupt", "bad_text": "not-an-image"}
    written = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    pd.testing.assert_frame_equal(written, run.scores, check_exact=True)
    metadata = pq.read_schema(tmp_path / "out" / "scores.parquet").metadata
    assert metadata[b"scale_high"] == b"10.0"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "scores.parquet",
        "scores.parquet.skipped.csv",
    ]


@pytest.mark.filterwarnings("ignore::ppaint_distill.errors.SkippedWarning")
def test_an_interrupted_run_goes_on_where_it_was(tiny, folder, tmp_path, monkeypatch):
    whole = score(tiny, batch_size=2).score_folder(folder, tmp_path / "whole.csv", progressbar=False)
    scorer = score(tiny, batch_size=2)
    honest = Scorer._score_batch
    calls = []

    def fail_at_fourth(self, items, images):
        calls.append(items)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return honest(self, items, images)

    monkeypatch.setattr(Scorer, "_score_batch", fail_at_fourth)
    with pytest.raises(KeyboardInterrupt):
        scorer.score_folder(folder, tmp_path / "cut.csv", progressbar=False)
    part = tmp_path / "cut.csv.part"
    assert len(part.read_bytes().splitlines()) == 1 + 3
    with part.open("ab") as file:
        file.write(b'{"key": "torn')
    assert not (tmp_path / "cut.csv").exists()
    with pytest.raises(ResumeError, match="another scorer"):
        Scorer(make_tiny(random_seed=6), PROMPT).score_folder(folder, tmp_path / "cut.csv", progressbar=False)
    resumed = scorer.score_folder(folder, tmp_path / "cut.csv", progressbar=False)
    assert len(calls) == 4 + 3  # six batches, of which three were done
    assert (tmp_path / "cut.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    pd.testing.assert_frame_equal(resumed.skipped, whole.skipped)
    assert not part.exists()


def interrupt(*_, **__) -> None:
    raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore::ppaint_distill.errors.SkippedWarning")
def test_a_changed_image_is_scored_anew(tiny, folder, tmp_path, monkeypatch):
    out = tmp_path / "scores.csv"
    scorer = score(tiny, batch_size=3)
    with monkeypatch.context() as patched:
        patched.setattr(scorer_module, "write_scores", interrupt)
        with pytest.raises(KeyboardInterrupt):
            scorer.score_folder(folder, out, progressbar=False)
    Image.new("RGB", (64, 64), "red").save(folder / "p8.png")
    calls = []
    honest = Scorer._score_batch
    monkeypatch.setattr(
        Scorer, "_score_batch", lambda self, items, images: calls.append(items) or honest(self, items, images)
    )
    scorer.score_folder(folder, out, progressbar=False)
    assert calls == [["p6", "p7", "p8"]]


def test_written_answers_are_parsed_and_failures_counted(tiny, folder, monkeypatch):
    texts = iter(
        [
            '<answer>{"mood": 2.5, "overall": 5}</answer>',
            "It is lovely.",
            '<answer>{"mood": 2.5, "overall": 6}</answer>',
        ]
    )
    monkeypatch.setattr(scorer_module, "generate", lambda loaded, prompt, images, **_: [next(texts) for _ in images])
    scorer = score(tiny, mode="generate", batch_size=2)
    good = sorted(folder.glob("p*.png"))[:3]
    run = scorer.score_all(good, progressbar=False)
    assert run.scores["item"].tolist() == ["p0", "p0"]
    assert run.scores["score"].tolist() == [3.75, 10.0]  # levels, on the scale
    assert run.scores["sd"].isna().all()
    assert dict(zip(run.failures["item"], run.failures["kind"], strict=True)) == {
        "p1": "no-answer",
        "p2": "out-of-scale",
    }
    texts = iter(["", "", ""])
    with pytest.warns(SkippedWarning, match=r"3 answer\(s\) could not be read: 3 empty"):
        assert scorer.score(good, progressbar=False).empty


def test_an_untrained_model_that_writes_nonsense_gets_no_scores(tiny, folder):
    run = score(tiny, mode="generate", max_new_tokens=4).score_all([folder / "p0.png"], progressbar=False)
    assert len(run.scores) == 0
    assert len(run.failures) == 1


def test_a_scorer_is_loaded_from_its_folder_alone(tiny, folder, tmp_path):
    saved = save_model(tiny, tmp_path / "run" / "model")
    config = Config(prompt=PROMPT, score=ScoreConfig(batch_size=3))
    write_scorer_settings(saved, config)
    (tmp_path / "run" / "result.json").write_text("{}")  # its training is complete
    assert holds_scorer(saved)
    assert not holds_scorer(folder)
    assert not holds_scorer("tiny")
    for path in (saved, tmp_path / "run"):
        there = Scorer.from_pretrained(path, device="cpu")
        assert there.prompt_config == PROMPT
        assert there.score_config.batch_size == 3
        assert there.key == Scorer(tiny, PROMPT).key
    good = sorted(folder.glob("p*.png"))[:3]
    pd.testing.assert_frame_equal(
        there.score(good, progressbar=False), score(tiny, batch_size=3).score(good, progressbar=False), check_exact=True
    )
    (saved / "scorer.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(ModelError, match="format 'other'"):
        Scorer.from_pretrained(saved)
    with pytest.raises(ModelError, match="holds no scorer"):
        Scorer.from_pretrained(folder)


def test_what_is_not_allowed_is_refused(tiny, folder, tmp_path):
    with pytest.raises(ConfigError, match="batch_size"):
        score(tiny, batch_size=0)
    with pytest.raises(ConfigError, match=re.escape(".parquet or .csv")):
        score(tiny).score_folder(folder, tmp_path / "scores.xlsx")
    (folder / "again").mkdir()
    Image.new("RGB", (64, 64)).save(folder / "again" / "p0.png")
    with pytest.raises(DataError, match="two images have one item"):
        score(tiny).score([folder / "p0.png", folder / "again" / "p0.png"])
    broken = replace(tiny, model=make_tiny(random_seed=5, prompts=[pointwise_prompt(PROMPT)]).model)
    with torch.no_grad():
        next(broken.model.parameters()).fill_(torch.nan)
    with pytest.raises(ModelError, match="scores that are no numbers"):
        Scorer(broken, PROMPT).score([folder / "p0.png"], progressbar=False)


def test_the_key_knows_what_matters(tiny):
    keys = [
        Scorer(tiny, PROMPT).key,
        Scorer(tiny, replace(PROMPT, scale=(1.0, 5.0))).key,
        Scorer(tiny, PROMPT, ScoreConfig(mode="generate")).key,
        Scorer(tiny, PROMPT, ScoreConfig(mode="generate", max_new_tokens=7)).key,
        Scorer(make_tiny(random_seed=6), PROMPT).key,
    ]
    assert len(set(keys)) == len(keys)
    assert Scorer(tiny, PROMPT, ScoreConfig(batch_size=2)).key == keys[0]


def test_an_image_in_memory_is_shown_as_its_file_is(tiny, tmp_path):
    (picture,), _ = draw_images(1, random_seed=2)
    clear = picture.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.resize((96, 64)).save(tmp_path / "0.png", exif=turned)
    clear.save(tmp_path / "1.png")
    Image.new("P", (64, 64), 3).save(tmp_path / "2.png")
    from_files = score(tiny).score(tmp_path, progressbar=False)
    in_memory = score(tiny).score([Image.open(tmp_path / f"{place}.png") for place in range(3)], progressbar=False)
    pd.testing.assert_frame_equal(from_files, in_memory)


def test_images_in_memory_that_cannot_be_used_are_listed(tiny, tmp_path):
    (picture,), _ = draw_images(1, random_seed=2)
    run = score(tiny).score_all([picture, Image.new("I;16", (64, 64)), Image.new("CMYK", (64, 64))], progressbar=False)
    assert run.scores["item"].unique().tolist() == ["0"]
    assert run.skipped[["item", "path", "kind"]].values.tolist() == [
        ["1", "in memory", "mode"],
        ["2", "in memory", "mode"],
    ]
    with pytest.raises(DataError, match=r"images\[1\] is of type ndarray"):
        score(tiny).score([picture, np.zeros((8, 8, 3))], progressbar=False)


def test_a_file_of_something_else_is_not_overwritten(tiny, folder, tmp_path):
    part = tmp_path / "s.csv.part"
    for text in ("my notes\nof today\n", "[1, 2]\n"):
        part.write_text(text)
        with pytest.raises(ResumeError, match="no file of scores in part"):
            score(tiny).score_folder(folder, tmp_path / "s.csv", progressbar=False)
        assert part.read_text() == text
