"""`ppaint-distill`, as a person and as a program would use it: each command by itself, through files."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from ppaint_distill import __version__, demo, tiny_world
from ppaint_distill.cli import app, main
from ppaint_distill.config import save_config
from ppaint_distill.demo import make_demo_config
from ppaint_distill.models import save_model
from ppaint_distill.pictures import make_prompt_config, write_images
from ppaint_distill.prompts import pairwise_prompt, pointwise_prompt
from ppaint_distill.targets import read_targets
from ppaint_distill.tiny import make_tiny
from ppaint_stats.reliability import rater_habits

COMMANDS = ("demo", "judge", "pool", "pseudo", "train", "score", "evaluate")
QUICK = ("--set", "train.max_steps=2", "--set", "train.warmup_steps=0", "--set", "train.batch_size=8")


def run(*words, status=0):
    """Run a command line, and see that it ended as it should and left no traceback."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(word) for word in words])
    assert done.exit_code == status, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
    return done


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two folders of pictures, an untrained tiny model on the disk, settings; and what judge, pool and pseudo make."""
    folder = tmp_path_factory.mktemp("distill")
    prompt = make_prompt_config("brightness")
    for name, n, seed in (("pool", 8, 1), ("train", 12, 2), ("test", 6, 3)):
        write_images(folder / name, n, random_seed=seed, prefix=name).to_csv(folder / f"{name}.csv", index=False)
    save_model(make_tiny(random_seed=1, prompts=[pointwise_prompt(prompt), pairwise_prompt(prompt)]), folder / "base")
    save_config(make_demo_config(prompt, quick=True), folder / "settings.yaml")
    model = ("--model", folder / "base", "--config", folder / "settings.yaml", "--quiet")
    run("judge", "--images", folder / "pool", "--out", folder / "pool.parquet", *model)
    run("pool", "-p", folder / "pool.parquet", "--out", folder / "pool.npz", "--anchors", 3, "--quiet")
    against = ("--pool", folder / "pool.npz", "--pool-images", folder / "pool")
    run("judge", "--images", folder / "train", *against, "--out", folder / "train.parquet", *model)
    run("judge", "--images", folder / "pool", "--pointwise", "--out", folder / "ratings.parquet", *model)
    files = ("-p", folder / "train.parquet", "--pool", folder / "pool.npz")
    run("pseudo", *files, "--out", folder / "targets.parquet", "--quiet")
    return folder


@pytest.fixture(scope="module")
def trained(world):
    """The folder of a trained scorer."""
    files = ("--targets", world / "targets.parquet", "--images", world / "train", "--out", world / "run")
    run("train", *files, "--model", world / "base", "--config", world / "settings.yaml", *QUICK, "--quiet")
    return world / "run"


def test_help_of_every_command_has_an_example():
    assert "demo" in run("--help").output
    for command in COMMANDS:
        assert f"Example: ppaint-distill {command}" in run(command, "--help").output
    assert run("--version").output == f"ppaint-distill {__version__}\n"
    assert callable(main)


def test_judge_compares_in_both_orders_and_ppaint_stats_reads_it(world):
    table = pd.read_parquet(world / "pool.parquet")
    assert len(table) == 8 * 4  # 8 images with 4 opponents are 16 pairs
    pairs = set(zip(table["item_a"], table["item_b"], strict=True))
    assert pairs == {(b, a) for a, b in pairs}
    assert rater_habits(table)["n_repeated"].tolist() == [16]


def test_judge_asks_nothing_twice(world):
    words = ("judge", "--images", world / "pool", "--model", world / "base", "--config", world / "settings.yaml")
    before = (world / "pool.parquet").read_bytes()
    found = json.loads(run(*words, "--out", world / "pool.parquet", "--json").stdout)
    assert (found["questions"], found["asked"], found["stored"], found["rows"]) == (32, 0, 32, 32)
    assert (world / "pool.parquet").read_bytes() == before


def test_bad_images_and_answers_are_listed_and_change_the_status(world, tmp_path):
    for picture in sorted((world / "pool").iterdir())[:4]:
        (tmp_path / picture.name).write_bytes(picture.read_bytes())
    (tmp_path / "torn.png").write_bytes(picture.read_bytes()[:200])
    (tmp_path / "notes.txt").write_text("not a picture", encoding="utf-8")
    words = ("judge", "--images", tmp_path, "--model", world / "base", "--config", world / "settings.yaml")
    done = run(*words, "--out", tmp_path / "out.parquet", status=1)
    assert "notes.txt" in done.output
    assert f"not used: {tmp_path / 'torn.png'}" in done.output
    assert pd.read_csv(tmp_path / "out.parquet.skipped.csv")["item"].tolist() == ["torn"]
    # an untrained model writes no answer that can be read: nothing is made up, and what it wrote is kept
    short = ("--set", "judge.mode=generate", "--set", "judge.max_new_tokens=4")
    done = run(*words, *short, "--out", tmp_path / "written.parquet", status=2)
    assert "no answer could be used" in done.output
    assert not (tmp_path / "written.parquet").exists()
    assert len(pd.read_csv(tmp_path / "written.parquet.failures.csv")) == 12  # 4 images with 3 opponents, both orders


def test_pool_names_anchors_to_be_scored_by_hand(world):
    form = pd.read_csv(world / "pool.anchors.csv")
    assert form["item"].tolist() == sorted(form["item"])
    assert list(form) == ["category", "item", "dimension", "score"]
    assert form["score"].isna().all()
    done = run("pool", "-p", world / "pool.parquet", "--out", world / "pool.npz", "--anchors", 3, status=2)
    assert "is there already and may hold scores" in done.output
    files = ("pseudo", "-p", world / "train.parquet", "--pool", world / "pool.npz", "--out", world / "x.parquet")
    assert "nan" in run(*files, "--anchors", world / "pool.anchors.csv", status=2).output
    form.assign(score=[1.0, 4.0, 2.5]).to_csv(world / "scored.csv", index=False)
    done = run(*files, "--anchors", world / "scored.csv", "--json")
    assert json.loads(done.stdout)["calibration"][0]["n_anchors"] == 3


def test_the_models_own_ratings_serve_as_anchors(world):
    files = ("pseudo", "-p", world / "train.parquet", "--pool", world / "pool.npz", "--out", world / "rated.parquet")
    found = json.loads(run(*files, "--anchors", world / "ratings.parquet", "--json").stdout)
    assert found["calibration"][0]["n_anchors"] == 8


def test_parts_that_were_judged_apart_become_one(world):
    table = pd.read_parquet(world / "train.parquet")
    first = table["item_a"].isin(["train_00000"]) | table["item_b"].isin(["train_00000"])
    table[first].to_parquet(world / "part1.parquet")
    table[~first].to_parquet(world / "part2.parquet")
    parts = ("-p", world / "part1.parquet", "-p", world / "part2.parquet", "--pool", world / "pool.npz")
    run("pseudo", *parts, "--out", world / "joined.parquet", "--quiet")
    whole, joined = read_targets(world / "targets.parquet"), read_targets(world / "joined.parquet")
    assert whole.n_draws == joined.n_draws == 200
    assert sorted(joined.frame["item"]) == sorted(whole.frame["item"])


def test_pseudo_takes_a_scale_and_says_what_it_means(world):
    files = ("pseudo", "-p", world / "train.parquet", "--pool", world / "pool.npz", "--out", world / "wide.parquet")
    assert "their level means nothing" in run(*files, "--scale", 0, 100).output
    assert read_targets(world / "wide.parquet").scale == (0.0, 100.0)


def test_train_goes_on_or_begins_anew(world, trained):
    files = ("--targets", world / "targets.parquet", "--images", world / "train", "--out", trained)
    words = ("train", *files, "--model", world / "base", "--config", world / "settings.yaml", *QUICK)
    found = json.loads(run(*words, "--json").stdout)
    assert (found["steps"], found["n_training"] + found["n_validation"], found["bad_images"]) == (2, 12, {})
    done = run(*words, "--set", "train.learning_rate=0.1", status=2)
    assert "learning_rate" in done.output
    assert (trained / "model" / "README.md").is_file()


def test_train_says_when_nothing_was_gained(world, tmp_path):
    files = ("--targets", world / "targets.parquet", "--images", world / "train", "--out", tmp_path / "run")
    still = ("--set", "train.learning_rate=1e-12", "--set", "train.max_steps=1", "--set", "train.evaluate_every=0")
    held = ("--set", "train.warmup_steps=0", "--set", "train.validation_fraction=0.4")
    words = ("train", *files, "--model", world / "base", "--config", world / "settings.yaml", *still, *held)
    assert "the untrained model's order is as good as" in " ".join(run(*words).output.split())


def test_score_and_evaluate(world, trained):
    run("score", "--model", trained, "--images", world / "test", "--out", world / "scores.csv", "--quiet")
    base = ("--model", world / "base", "--config", world / "settings.yaml")
    run("score", *base, "--images", world / "test", "--out", world / "base.csv", "--quiet")
    scores = pd.read_csv(world / "scores.csv")
    assert scores["item"].tolist() == [f"test_{number:05d}" for number in range(6)]
    assert scores["score"].between(1, 5).all()
    truth = pd.read_csv(world / "test.csv")
    truth = truth.assign(dimension="brightness", score=1 + 4 * truth["brightness"])[["item", "dimension", "score"]]
    truth.to_csv(world / "truth.csv", index=False)
    files = (f"base={world / 'base.csv'}", f"mine={world / 'scores.csv'}", "--truth", world / "truth.csv")
    done = run("evaluate", *files, "--baseline", "base", "--out", world / "evaluation.html")
    assert "Rank correlation against base: mine" in done.output
    assert "simulated" not in done.output
    assert (world / "evaluation.html").is_file()
    tables = json.loads(run("evaluate", *files, "--baseline", "base", "--json").stdout)["tables"]
    assert [row["model"] for row in tables["scores"]] == ["base", "mine"]


def test_score_lists_bad_images_and_written_answers_that_cannot_be_read(world, trained, tmp_path):
    for picture in sorted((world / "test").iterdir())[:2]:
        (tmp_path / picture.name).write_bytes(picture.read_bytes())
    (tmp_path / "torn.png").write_bytes(picture.read_bytes()[:200])
    done = run("score", "--model", trained, "--images", tmp_path, "--out", tmp_path / "scores.parquet", status=1)
    assert "not used" in done.output
    assert len(pd.read_parquet(tmp_path / "scores.parquet")) == 2
    short = ("--set", "score.mode=generate", "--set", "score.max_new_tokens=4")
    done = run("score", "--model", trained, "--images", tmp_path, "--out", tmp_path / "w.csv", *short, status=1)
    assert "2 answers could not be read" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("judge", "--images", "{w}/none", "--out", "{w}/o.parquet"), "there is no such folder"),
        (("judge", "--images", "{w}/pool", "--out", "{w}/o.csv"), "ends in .parquet"),
        (("judge", "--images", "{w}/train", "--pool", "{w}/pool.npz", "--out", "{w}/o.parquet"), "--pool-images"),
        (("judge", "--images", "{w}/pool", "--model", "{w}/none", "--out", "{w}/o.parquet"), "cannot be loaded"),
        (("judge", "--images", "{w}/pool", "--out", "{w}/o.parquet", "--set", "judge.tone=kind"), "judge.tone"),
        (
            ("judge", "-i", "{w}/pool", "--pool", "{w}/pool.npz", "--pool-images", "{w}/pool", "-o", "{w}/o.parquet"),
            "in the pool and in the training set",
        ),
        (("pool", "-p", "{w}/none.parquet", "--out", "{w}/o.npz"), "there is no file"),
        (("pool", "-p", "{w}/settings.yaml", "--out", "{w}/o.npz"), "neither .parquet nor .csv"),
        (("pseudo", "-p", "{w}/pool.parquet", "--pool", "{w}/pool.npz", "--out", "{w}/o.parquet"), "pool"),
        (("pseudo", "-p", "{w}/train.parquet", "--pool", "{w}/test.csv", "--out", "{w}/o.parquet"), "Pool.save"),
        (("train", "-t", "{w}/test.csv", "-i", "{w}/train", "--out", "{w}/r"), "Parquet"),
        (("score", "--model", "{w}/base", "-i", "{w}/test", "--out", "{w}/o.txt"), ".parquet or .csv"),
        (("evaluate", "{w}/none.csv", "--truth", "{w}/test.csv"), "there is no file"),
        (("evaluate", "{w}/test.csv", "--truth", "{w}/test.csv", "--out", "{w}/o.pdf"), "suffix"),
    ],
)
def test_bad_input_is_one_line_and_status_2(world, words, said):
    filled = [word.format(w=world) for word in words]
    if "--config" not in filled and words[0] in {"judge", "score"}:
        filled += ["--config", world / "settings.yaml"]
    if words[0] == "judge" and "--model" not in filled:
        filled += ["--model", world / "base"]
    done = run(*filled, status=2)
    assert said in " ".join(done.output.split())


def test_demo_runs_the_whole_chain_and_says_that_it_is_simulated(tmp_path, monkeypatch):
    def teach(name, **settings):
        return pretrain_tiny(name, **{**settings, "vision_steps": 1, "steps": 2})

    pretrain_tiny = tiny_world.pretrain_tiny
    monkeypatch.setattr(tiny_world, "N_PICTURES", 200)
    monkeypatch.setattr(tiny_world, "pretrain_tiny", teach)
    monkeypatch.setattr(demo, "QUICK_SIZES", {"pool": 8, "train": 12, "test": 8})
    done = run("demo", "--quick", "--out", tmp_path / "demo", "--seed", 3)
    assert "A TINY MODEL TAUGHT HERE, AND GENERATED PICTURES" in done.output
    assert f"score --model {tmp_path / 'demo' / 'chain' / 'run'}" in "".join(done.output.split("\n"))
    found = json.loads((tmp_path / "demo" / "result.json").read_text(encoding="utf-8"))
    assert (found["simulated"], found["quick"], found["random_seed"]) == (True, True, 3)
    assert (tmp_path / "demo" / "evaluation.html").is_file()
    assert "property" in run("demo", "--quick", "--out", tmp_path / "other", "--property", "beauty", status=2).output
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not delete", encoding="utf-8")
    assert "earlier demo" in run("demo", "--quick", "--out", tmp_path / "mine", status=2).output
    assert (tmp_path / "mine" / "thesis.txt").is_file()


def test_the_module_runs_as_a_program(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "ppaint_distill", "judge", "--images", str(tmp_path), "--out", "x.parquet"]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert "no image found" in done.stderr
