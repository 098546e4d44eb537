"""The label-free chain in one call: files, resumption, and what it refuses before it asks anything."""

import dataclasses
import shutil

import pandas as pd
import pytest

from ppaint_distill.chain import distill, judge_against_pool
from ppaint_distill.config import Config, load_config
from ppaint_distill.demo import make_demo_config
from ppaint_distill.errors import ResumeError, SkippedWarning
from ppaint_distill.pictures import make_prompt_config, write_images
from ppaint_distill.prompts import pairwise_prompt, pointwise_prompt
from ppaint_distill.targets import read_targets
from ppaint_distill.tiny import make_tiny
from ppaint_stats.errors import ArgumentError, DataError

# The model is untrained: its comparisons and scores have nothing to do with each other.
pytestmark = pytest.mark.filterwarnings("ignore:the score anchors of")

PROMPT = make_prompt_config("brightness")


@pytest.fixture(scope="module")
def model():
    return make_tiny(random_seed=1, prompts=[pointwise_prompt(PROMPT), pairwise_prompt(PROMPT)])


@pytest.fixture(scope="module")
def config() -> Config:
    quick = make_demo_config(PROMPT, quick=True)
    return dataclasses.replace(
        quick,
        judge=dataclasses.replace(quick.judge, batch_size=16),
        train=dataclasses.replace(quick.train, max_steps=2, batch_size=8, warmup_steps=0, save_every=1),
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name, n, seed in (("pool", 8, 1), ("train", 12, 2), ("test", 4, 3)):
        write_images(folder / name, n, random_seed=seed, prefix=name)
    return folder


@pytest.fixture(scope="module")
def chain(model, config, pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("chain") / "out"
    return out, distill(model, pictures / "pool", pictures / "train", out, config=config, progressbar=False)


def test_every_stage_leaves_a_file(chain, config):
    out, found = chain
    assert load_config(out / "config.yaml") == config
    names = {"answers.jsonl", "pool-preferences.parquet", "pool.npz", "preferences.parquet", "targets.parquet", "run"}
    assert names <= {path.name for path in out.iterdir()}
    assert found.training.steps == 2
    assert found.bad_images == ()
    among, singles, against = found.judged
    assert [len(run.questions) for run in (among, singles, against)] == [32, 8, 96]
    targets = read_targets(out / "targets.parquet")
    pd.testing.assert_frame_equal(targets.frame, found.pseudo.targets().frame)
    assert targets.frame["item"].str.startswith("train").all()
    assert sorted(found.anchors["item"]) == sorted(found.pool.items("all", "brightness"))


def test_again_nothing_is_asked_and_nothing_changes(chain, model, config, pictures):
    out, found = chain
    before = (out / "answers.jsonl").read_bytes()
    again = distill(model, pictures / "pool", pictures / "train", out, config=config, progressbar=False)
    assert [run.n_asked for run in again.judged] == [0, 0, 0]
    assert (out / "answers.jsonl").read_bytes() == before
    pd.testing.assert_frame_equal(again.pseudo.scores, found.pseudo.scores)
    assert again.training.model.fingerprint == found.training.model.fingerprint


def test_an_interrupted_chain_ends_as_an_uninterrupted_one(chain, model, config, pictures, tmp_path):
    out, found = chain
    lines = (out / "answers.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "answers.jsonl").write_bytes(b"".join(lines[:4]) + lines[4][:30])  # killed while it wrote a batch
    shutil.copy(out / "config.yaml", tmp_path / "config.yaml")
    again = distill(model, pictures / "pool", pictures / "train", tmp_path, config=config, progressbar=False)
    assert 0 < sum(run.n_asked for run in again.judged) < 136
    assert (tmp_path / "answers.jsonl").read_bytes() == (out / "answers.jsonl").read_bytes()
    assert again.training.model.fingerprint == found.training.model.fingerprint


def test_a_folder_of_other_settings_is_refused(chain, model, config, pictures, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(chain[0], out)
    other = dataclasses.replace(config, train=dataclasses.replace(config.train, learning_rate=0.5))
    with pytest.raises(ResumeError, match="learning_rate"):
        distill(model, pictures / "pool", pictures / "train", out, config=other, progressbar=False)


def test_given_anchors_set_the_scale(model, config, pictures, tmp_path):
    anchors = pd.DataFrame({"item": [f"pool_{n:05d}" for n in range(6)], "score": [1.0, 2.0, 3.0, 3.5, 4.0, 5.0]})
    chosen = dataclasses.replace(config, train=dataclasses.replace(config.train, max_steps=1))
    found = distill(
        model, pictures / "pool", pictures / "train", tmp_path, config=chosen, anchors=anchors, progressbar=False
    )
    assert found.judged[1] is None
    assert found.pseudo.calibration["n_anchors"].tolist() == [6]


def test_the_judge_scores_further_images(chain, model, config, pictures, tmp_path):
    _, found = chain
    scored = judge_against_pool(
        model,
        pictures / "pool",
        pictures / "test",
        found,
        answers=tmp_path / "answers.jsonl",
        config=config,
        progressbar=False,
    )
    assert scored.scores["item"].tolist() == [f"test_{n:05d}" for n in range(4)]


def test_bad_images_are_named_and_the_chain_goes_on(model, config, pictures, tmp_path):
    shutil.copytree(pictures / "pool", tmp_path / "pool")
    shutil.copytree(pictures / "train", tmp_path / "train")
    whole = (tmp_path / "pool" / "pool_00000.png").read_bytes()
    (tmp_path / "pool" / "torn.png").write_bytes(whole[:200])
    (tmp_path / "train" / "text.png").write_text("not a picture", encoding="utf-8")
    with pytest.warns(SkippedWarning, match=r"torn\.png.*text\.png"):
        found = distill(
            model, tmp_path / "pool", tmp_path / "train", tmp_path / "out", config=config, progressbar=False
        )
    assert [error.path.name for error in found.bad_images] == ["torn.png", "text.png"]
    assert found.training.n_training + found.training.n_validation == 12


def test_a_picture_in_both_folders_is_refused_before_anything_is_asked(model, config, pictures, tmp_path):
    shutil.copytree(pictures / "train", tmp_path / "train")
    shutil.copy(pictures / "pool" / "pool_00003.png", tmp_path / "train" / "renamed.png")
    with pytest.raises(DataError, match="'pool_00003' = 'renamed'"):
        distill(model, pictures / "pool", tmp_path / "train", tmp_path / "out", config=config, progressbar=False)
    assert not (tmp_path / "out").exists()


def test_one_name_for_two_pictures_is_refused(model, config, pictures, tmp_path):
    shutil.copytree(pictures / "train", tmp_path / "train")
    shutil.copy(pictures / "test" / "test_00000.png", tmp_path / "train" / "pool_00003.png")
    with pytest.raises(DataError, match="pool_00003; rename"):
        distill(model, pictures / "pool", tmp_path / "train", tmp_path / "out", config=config, progressbar=False)


def test_what_could_only_fail_later_is_refused_at_once(model, config, pictures, tmp_path, monkeypatch):
    many = dataclasses.replace(config, pseudo=dataclasses.replace(config.pseudo, n_comparisons=9))
    with pytest.raises(ArgumentError, match="more than the pool's 8 images"):
        distill(model, pictures / "pool", pictures / "train", tmp_path / "out", config=many, progressbar=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ArgumentError, match="one process"):
        distill(model, pictures / "pool", pictures / "train", tmp_path / "out", config=config, progressbar=False)
    assert not (tmp_path / "out").exists()
