"""The local model as a judge: readings, written answers, keys, settings, interrupted runs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import ppaint_stats as ps
from ppaint_distill.config import JudgeConfig, PromptConfig
from ppaint_distill.errors import ConfigError, SkippedWarning
from ppaint_distill.images import ImageFile, find_images, inspect_images
from ppaint_distill.judge import (
    Answer,
    AnswerStore,
    JudgeRun,
    Question,
    plan_pairs,
    plan_ratings,
    run_judge,
)
from ppaint_distill.judge.verdicts import weigh_answer
from ppaint_stats.errors import ArgumentError

PROMPT = PromptConfig(dimensions=("mood", "overall"), think=False)


def ask(judge: object, questions: Sequence[Question], path: Path, batch_size: int = 8) -> JudgeRun:
    with AnswerStore(path) as store:
        return run_judge(judge, questions, store, batch_size=batch_size)


@pytest.fixture(scope="module")
def tiny() -> object:
    from ppaint_distill.tiny import make_tiny

    return make_tiny(random_seed=1)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageFile, ...]:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(6):
        side = 64 + 32 * (number % 2)
        Image.fromarray(rng.integers(0, 256, (side, 64, 3), dtype=np.uint8)).save(folder / f"i{number}.png")
    return inspect_images(find_images(folder)).good


def make_judge(tiny: object, **settings: object) -> object:
    from ppaint_distill.judge.hf import HFJudge

    return HFJudge(tiny, PROMPT, JudgeConfig(**settings))


def test_probabilities_are_read(tiny: object, images: tuple[ImageFile, ...], tmp_path: Path) -> None:
    judge = make_judge(tiny, mode="probabilities")
    run = ask(judge, plan_pairs(images, n_opponents=3) + plan_ratings(images), tmp_path / "s.jsonl", batch_size=5)
    frame = run.preferences()
    odds = frame[["p_a", "p_tie", "p_b"]]
    assert np.allclose(odds.sum(axis=1), 1)
    assert (odds > 0).all(axis=None)
    likeliest = odds.rename(columns={"p_a": "A", "p_tie": "TIE", "p_b": "B"}).idxmax(axis=1)
    assert likeliest.tolist() == frame["outcome"].tolist()
    assert ps.Study(preferences=frame, ratings=run.ratings(), scale=(1, 5)).raters == ("tiny",)
    ratings = run.ratings()
    assert ratings["rating"].between(1, 5).all()
    assert ratings["sd"].between(0, 2).all()
    answer = run.answers[-1]
    levels, p = np.arange(1, 6), np.array(answer.probabilities["overall"])
    assert ratings["rating"].iloc[-1] == pytest.approx(p @ levels)
    assert ratings["sd"].iloc[-1] == pytest.approx(np.sqrt(p @ levels**2 - (p @ levels) ** 2))
    # One at a time gives the same but for rounding: padding and neighbours change nothing.
    alone = ask(judge, run.questions, tmp_path / "alone.jsonl", batch_size=1)
    np.testing.assert_allclose(alone.preferences()[["p_a", "p_b"]], frame[["p_a", "p_b"]], atol=1e-5)


def test_written_answers_are_parsed_or_recorded(
    tiny: object, images: tuple[ImageFile, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = iter(
        [
            '<answer>{"mood": "A", "overall": "tie"}</answer>',
            '<answer>{"mood": "A"}</answer>',
            '<answer>{"mood": "A", "over',
            "",
            '<answer>{"mood": 2.5, "overall": "4"}</answer>',
            '<answer>{"mood": 9, "overall": 4}</answer>',
        ]
    )
    monkeypatch.setattr("ppaint_distill.judge.hf.generate", lambda *rest, **more: [next(texts) for _ in rest[2]])
    pairs = pd.DataFrame({"item_a": ["i0", "i1"], "item_b": ["i2", "i3"]})
    questions = plan_pairs(images, pairs=pairs) + plan_ratings(images[:2])
    with pytest.warns(SkippedWarning, match="empty 1, missing-dimension 1, out-of-scale 1, truncated 1"):
        run = ask(make_judge(tiny), questions, tmp_path / "s.jsonl", batch_size=6)
    assert run.preferences()["outcome"].tolist() == ["A", "TIE"]
    assert run.ratings()["rating"].tolist() == [2.5, 4.0]
    assert run.failures["text"].tolist()[1] == '<answer>{"mood": "A", "over'


def test_sampled_answers_depend_on_question_and_seed_alone(
    tiny: object, images: tuple[ImageFile, ...], tmp_path: Path
) -> None:
    def write(batch_size: int, seed: int) -> list[str]:
        judge = make_judge(tiny, temperature=1.5, votes=2, max_new_tokens=6, random_seed=seed)
        questions = plan_pairs(images, n_opponents=2, votes=2)
        path = tmp_path / f"{batch_size}-{seed}.jsonl"
        with pytest.warns(SkippedWarning):
            run = ask(judge, questions, path, batch_size=batch_size)
        return run.failures["text"].tolist()

    first = write(4, 0)
    assert len(set(first)) == len(first) == 24
    assert write(7, 0) == first
    assert not set(write(4, 1)) & set(first)


def test_an_interrupted_model_gives_the_same_file(tiny: object, images: tuple[ImageFile, ...], tmp_path: Path) -> None:
    judges = {name: make_judge(tiny, mode="probabilities") for name in ("whole", "broken", "resumed")}
    answer, calls = judges["broken"].ask, []

    def interrupt(questions: Sequence[Question]) -> list[Answer]:
        calls.append(questions)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return answer(questions)

    judges["broken"].ask = interrupt
    questions = plan_pairs(images, n_opponents=4)
    ask(judges["whole"], questions, tmp_path / "whole.jsonl", batch_size=5)
    with pytest.raises(KeyboardInterrupt):
        ask(judges["broken"], questions, tmp_path / "s.jsonl", batch_size=5)
    run = ask(judges["resumed"], questions, tmp_path / "s.jsonl", batch_size=5)
    assert (run.n_asked, run.n_stored) == (14, 10)
    assert (tmp_path / "s.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_files_that_went_bad_after_planning_are_listed(tiny: object, tmp_path: Path) -> None:
    for number in range(5):
        Image.new("RGB", (64, 64), (50 * number, 0, 0)).save(tmp_path / f"i{number}.png")
    good = inspect_images(find_images(tmp_path)).good
    (tmp_path / "i0.png").unlink()
    (tmp_path / "i1.png").write_bytes(b"\x89PNG")
    Image.new("RGB", (64, 64), (1, 2, 3)).save(tmp_path / "i2.png")
    with pytest.warns(SkippedWarning, match=r"3 image\(s\) cannot be used"):
        run = ask(make_judge(tiny, mode="probabilities"), plan_ratings(good), tmp_path / "s.jsonl")
    assert {error.path.stem: error.kind for error in run.bad_images} == {
        "i0": "missing",
        "i1": "corrupt",
        "i2": "changed",
    }
    assert set(run.ratings()["item"]) == {"i3", "i4"}


def test_broken_numbers_and_shared_maxima() -> None:
    broken = weigh_answer("pairwise", PROMPT.dimensions, [[float("nan")] * 3, [0.2, 0.3, 0.5]], (1, 5))
    assert (broken.failure, broken.values) == ("not-finite", None)
    assert "mood" in broken.reason
    shared = weigh_answer("pairwise", PROMPT.dimensions, [[0.4, 0.4, 0.2], [0.5, 0.3, 0.2]], (1, 5))
    assert shared.values == {"mood": "TIE", "overall": "A"}


def test_keys_hold_what_matters_and_nothing_else(tiny: object, images: tuple[ImageFile, ...]) -> None:
    (question, turned, *_) = plan_pairs(images, n_opponents=2)
    assert turned.items == question.items[::-1]
    assert make_judge(tiny).key(question) == make_judge(tiny, random_seed=5, batch_size=2).key(question)
    settings = ({}, {"temperature": 1.0}, {"temperature": 1.0, "random_seed": 5}, {"max_new_tokens": 9})
    keys = {make_judge(tiny, **setting).key(question) for setting in (*settings, {"mode": "probabilities"})}
    assert len(keys | {make_judge(tiny).key(turned)}) == 6
    moved = Question(question.kind, ("p", "q"), (Path("p"), Path("q")), question.hashes)
    assert make_judge(tiny).key(moved) == make_judge(tiny).key(question)
    with pytest.raises(ArgumentError, match="without temperature all votes are alike"):
        make_judge(tiny).key(Question(question.kind, question.items, question.paths, question.hashes, 1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature=-1.0 is not allowed"),
        ({"mode": "probabilities", "temperature": 1.0}, "no effect"),
        ({"votes": 2}, r"votes=2 needs judge\.temperature"),
        ({"max_new_tokens": 0}, "max_new_tokens=0"),
        ({"votes": 0}, "votes=0"),
    ],
)
def test_settings_that_cannot_be_are_refused(tiny: object, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_judge(tiny, **settings)


def test_a_folder_gives_the_judge_its_name(tiny: object, tmp_path: Path) -> None:
    from dataclasses import replace

    from ppaint_distill.judge.hf import HFJudge

    assert HFJudge(replace(tiny, name=str(tmp_path))).name == tmp_path.name
    assert HFJudge(replace(tiny, name="Qwen/Qwen3-VL-8B-Instruct")).name == "Qwen/Qwen3-VL-8B-Instruct"
    assert HFJudge(tiny, name="me").name == "me"
