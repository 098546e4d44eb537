"""Judges: plans, runs, tables that ppaint_stats takes as any rater's, and the local model."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_helpers import FakeJudge, make_images

import ppaint_stats as ps
from ppaint_distill.config import PromptConfig
from ppaint_distill.errors import ImageError, SkippedWarning
from ppaint_distill.images import ImageFile
from ppaint_distill.judge import (
    Answer,
    AnswerStore,
    JudgeRun,
    Question,
    draw_pairs,
    plan_pairs,
    plan_ratings,
    read_provenance,
    run_judge,
    write_preferences,
)
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.reliability import rater_habits

PROMPT = PromptConfig(dimensions=("mood", "overall"), think=False)


def ask(judge: object, questions: Sequence[Question], path: Path, batch_size: int = 8) -> JudgeRun:
    with AnswerStore(path) as store:
        return run_judge(judge, questions, store, batch_size=batch_size)


# Plans


@given(n=st.integers(2, 40), data=st.data(), seed=st.integers(0, 99))
def test_drawn_pairs_are_balanced_and_connected(n: int, data: st.DataObject, seed: int) -> None:
    k = data.draw(st.integers(min(2, n - 1), n - 1))
    items = [f"i{number}" for number in range(n)]
    pairs = draw_pairs(items, n_opponents=k, random_seed=seed)
    assert len({frozenset(pair) for pair in pairs.itertuples(index=False)}) == len(pairs)
    met = pd.concat([pairs["item_a"], pairs["item_b"]]).value_counts()
    assert sorted(met) == [k] * (n - 1) + [k + (k * n) % 2]
    reached, edges = {items[0]}, [set(pair) for pair in pairs.itertuples(index=False)]
    while new := {item for edge in edges if edge & reached for item in edge} - reached:
        reached |= new
    assert len(reached) == n
    pd.testing.assert_frame_equal(pairs, draw_pairs(items, n_opponents=k, random_seed=seed))


def test_pairs_are_planned_in_both_orders_and_votes() -> None:
    images = make_images(4)
    pairs = pd.DataFrame({"item": ["i000", "i000"], "opponent": ["i001", "i003"]})
    planned = plan_pairs(images, pairs=pairs, votes=2)
    assert [(question.items[1 - (question.items[1] == "i000")], question.vote) for question in planned[:4]]
    assert [question.items for question in planned[::2]] == [
        ("i000", "i001"),
        ("i001", "i000"),
        ("i000", "i003"),
        ("i003", "i000"),
    ]
    assert [question.vote for question in planned] == [0, 1] * 4
    assert planned[2].hashes == (images[1].hash, images[0].hash)
    assert planned[2].paths == (images[1].path, images[0].path)
    once = plan_pairs(images, pairs=pairs, both_orders=False)
    assert [question.items for question in once] == [("i000", "i001"), ("i000", "i003")]
    assert len(plan_ratings(images, votes=3)) == 12


def test_single_orders_are_balanced() -> None:
    planned = plan_pairs(make_images(11), n_opponents=6, both_orders=False, random_seed=2)
    first = pd.Series([question.items[0] for question in planned]).value_counts()
    assert (first == 3).all()
    assert planned == plan_pairs(make_images(11), n_opponents=6, both_orders=False, random_seed=2)
    assert planned != plan_pairs(make_images(11), n_opponents=6, both_orders=False, random_seed=3)


def test_plans_refuse_what_cannot_be_asked() -> None:
    images = make_images(4)

    def frame(*pairs: tuple[str, str]) -> pd.DataFrame:
        return pd.DataFrame(pairs, columns=["item_a", "item_b"])

    for pairs, message in (
        (frame(("i000", "zzz")), r"column 'item_b', rows 0: no image has the id 'zzz'"),
        (frame(("i000", "i000")), "compared with itself"),
        (frame(("i000", "i001"), ("i001", "i000")), "rows 1: these pairs stand there already"),
        (pd.DataFrame({"a": ["i000"]}), "no column 'item_a', 'item_b'"),
    ):
        with pytest.raises(DataError, match=message):
            plan_pairs(images, pairs=pairs)
    with pytest.raises(DataError, match="no hash of 'x'"):
        plan_ratings([ImageFile("x", Path("x.png"))])
    with pytest.raises(DataError, match="more than one has the id 'i000'"):
        plan_ratings([*images, ImageFile("i000", Path("b.png"), "0")])
    for options in ({}, {"n_opponents": 2, "pairs": frame(("i000", "i001"))}):
        with pytest.raises(ArgumentError, match="either n_opponents or pairs"):
            plan_pairs(images, **options)
    for number in (0, 1, 4):
        with pytest.raises(ArgumentError, match=rf"n_opponents={number} is not allowed: 2 to 3 is"):
            plan_pairs(images, n_opponents=number)
    with pytest.raises(ArgumentError, match="votes"):
        plan_pairs(images, n_opponents=2, votes=0)
    paths, hashes = (Path("x"), Path("y")), ("1", "2")
    for arguments, message in (
        (("pairwise", ("x", "x"), paths, hashes), "compared with itself"),
        (("pairwise", ("x",), paths, hashes), "2 items, not 1"),
        (("pointwise", ("x",), (Path("x"),), ()), "1 hashes, not 0"),
        (("listwise", ("x",), paths, hashes), "'pairwise', 'pointwise'"),
        (("pointwise", ("x",), (Path("x"),), ("1",), -1), "vote=-1"),
    ):
        with pytest.raises(ArgumentError, match=message):
            Question(*arguments)
    with pytest.raises(ArgumentError, match="either values or a failure"):
        Answer("text")


# Runs


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    judge = FakeJudge()
    questions = plan_pairs(make_images(10), n_opponents=4, random_seed=1)
    first = ask(judge, questions, tmp_path / "s.jsonl")
    assert (first.n_asked, first.n_stored) == (40, 0)
    assert judge.batches == [8] * 5
    content = (tmp_path / "s.jsonl").read_bytes()
    again = ask(FakeJudge(), questions, tmp_path / "s.jsonl", batch_size=3)
    assert (again.n_asked, again.n_stored) == (0, 40)
    assert (tmp_path / "s.jsonl").read_bytes() == content
    pd.testing.assert_frame_equal(first.preferences(), again.preferences())
    assert first.provenance() == again.provenance()
    assert repr(again) == (
        "JudgeRun(fake: questions 40, asked 0, stored 40, answered 40, failed 0, not_asked 0, bad_images 0)"
    )


def test_more_questions_cost_only_themselves(tmp_path: Path) -> None:
    images = make_images(10)
    few, many = (plan_pairs(images, n_opponents=k, random_seed=1) for k in (2, 9))
    judge = FakeJudge()
    ask(judge, few, tmp_path / "s.jsonl")
    ask(judge, many, tmp_path / "s.jsonl")
    assert len(judge.asked) == len(set(judge.asked)) == 90


def test_another_judge_prompt_or_seed_is_another_question(tmp_path: Path) -> None:
    questions = plan_pairs(make_images(4), n_opponents=2)
    ask(FakeJudge(seed=1), questions, tmp_path / "s.jsonl")
    other = FakeJudge(seed=2)
    ask(other, questions, tmp_path / "s.jsonl")
    assert len(other.asked) == len(questions)
    third = FakeJudge(seed=1)
    third.fingerprint = "another"
    ask(third, questions, tmp_path / "s.jsonl")
    assert len(third.asked) == len(questions)


def test_two_names_of_one_picture_are_asked_once(tmp_path: Path) -> None:
    images = [
        ImageFile(name, Path(f"{name}.png"), content) for name, content in (("a", "0.1"), ("b", "0.1"), ("c", "0.5"))
    ]
    judge = FakeJudge()
    run = ask(judge, plan_ratings(images), tmp_path / "s.jsonl", batch_size=2)
    assert len(judge.asked) == 2
    assert run.ratings()["item"].tolist() == ["a", "a", "b", "b", "c", "c"]
    assert run.summary()["stored"] == 1


def test_a_question_stands_there_once(tmp_path: Path) -> None:
    (question, *_) = plan_ratings(make_images(2))
    with pytest.raises(ArgumentError, match=r"1 question\(s\) stand there more than once, such as pointwise 'i000'"):
        ask(FakeJudge(), [question, question], tmp_path / "s.jsonl")
    with pytest.raises(ArgumentError, match="batch_size"):
        ask(FakeJudge(), [question], tmp_path / "s.jsonl", batch_size=0)


def test_an_interruption_keeps_what_was_answered(tmp_path: Path) -> None:
    class Interrupted(FakeJudge):
        def ask(self, questions: Sequence[Question]) -> list[Answer]:
            if len(self.batches) == 2:
                raise KeyboardInterrupt
            return super().ask(questions)

    questions = plan_pairs(make_images(10), n_opponents=4, random_seed=1)
    whole = ask(FakeJudge(), questions, tmp_path / "whole.jsonl")
    with pytest.raises(KeyboardInterrupt):
        ask(Interrupted(), questions, tmp_path / "s.jsonl")
    resumed = ask(FakeJudge(), questions, tmp_path / "s.jsonl")
    assert (resumed.n_asked, resumed.n_stored) == (24, 16)
    assert (tmp_path / "s.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    pd.testing.assert_frame_equal(whole.preferences(), resumed.preferences())


def test_failures_are_stored_counted_and_never_replaced(tmp_path: Path) -> None:
    questions = plan_pairs(make_images(12), n_opponents=6) + plan_ratings(make_images(12))
    with pytest.warns(
        SkippedWarning, match=r"fake: \d+ of 84 answers cannot be used \(failures lists them\): no-answer"
    ):
        run = ask(FakeJudge(failing=0.3), questions, tmp_path / "s.jsonl")
    failures, counts = run.failures, run.summary()
    assert counts["failures"] == {"no-answer": len(failures)}
    assert counts["answered"] + counts["failed"] == 84
    assert len(run.preferences()) + len(run.ratings()) == 2 * counts["answered"]
    assert list(failures.columns) == ["question", "item_a", "item_b", "vote", "kind", "reason", "text"]
    assert set(failures["text"]) == {"I cannot say"}
    assert failures.loc[failures["question"] == "pointwise", "item_b"].isna().all()
    asked = {question.items for question in questions if question.kind == "pairwise"}
    answered = set(run.preferences()[["item_a", "item_b"]].itertuples(index=False, name=None))
    lacking = set(failures.dropna(subset="item_b")[["item_a", "item_b"]].itertuples(index=False, name=None))
    assert answered | lacking == asked
    assert not answered & lacking
    quiet = FakeJudge(failing=0.3)
    with pytest.warns(SkippedWarning):
        ask(quiet, questions, tmp_path / "s.jsonl")
    assert quiet.asked == []


def test_bad_images_are_listed_and_the_run_goes_on(tmp_path: Path) -> None:
    class Blind(FakeJudge):
        blind = True

        def ask(self, questions: Sequence[Question]) -> list[Answer]:
            for question in questions:
                for path in question.paths:
                    if self.blind and path.stem in ("i002", "i005"):
                        raise ImageError(path, "corrupt", "damaged")
            return super().ask(questions)

    questions = plan_pairs(make_images(10), n_opponents=4, random_seed=1)
    judge = Blind()
    with pytest.warns(SkippedWarning, match=r"2 image\(s\) cannot be used, so that \d+ question\(s\) were not asked"):
        run = ask(judge, questions, tmp_path / "s.jsonl")
    assert {error.path.stem for error in run.bad_images} == {"i002", "i005"}
    seen = set(run.preferences()["item_a"])
    assert seen == {f"i{k:03d}" for k in range(10)} - {"i002", "i005"}
    counts = run.summary()
    assert counts["not_asked"] == sum(answer is None for answer in run.answers) > 0
    assert counts["answered"] + counts["not_asked"] == 40
    judge.blind = False  # the files were mended: only what lacks is asked
    mended = ask(judge, questions, tmp_path / "s.jsonl")
    assert mended.n_asked == counts["not_asked"]
    assert len(judge.asked) == len(set(judge.asked)) == 40


# Tables


@pytest.fixture(scope="module")
def biased(tmp_path_factory: pytest.TempPathFactory) -> JudgeRun:
    """A judge who favours what is shown first, on 40 images with 20 opponents, two votes each."""
    questions = plan_pairs(make_images(40), n_opponents=20, votes=2, random_seed=1)
    return ask(FakeJudge(first=0.8, seed=1), questions, tmp_path_factory.mktemp("biased") / "s.jsonl", batch_size=64)


def test_preferences_are_those_of_a_rater(biased: JudgeRun) -> None:
    frame = biased.preferences()
    assert list(frame.columns) == [
        *("category", "dimension", "rater", "item_a", "item_b", "outcome", "trial", "model", "prompt", "vote")
    ]
    assert len(frame) == 40 * 20 * 2 * 2
    study = ps.Study(preferences=frame)
    assert study.raters == ("fake",)
    assert study.cells == (("all", "mood"), ("all", "overall"))
    assert set(study.preferences["trial"]) == {1, 2}
    assert set(study.preferences["prompt"]) == {"prompt-pairwise"}


def test_order_effect_and_strengths_are_recovered(biased: JudgeRun) -> None:
    frame = biased.preferences().query("dimension == 'mood'")
    fit = ps.fit_davidson(frame, order_effect=True)
    assert abs(fit.order_effect - 0.8) < 4 * fit.order_effect_se < 0.8
    assert abs(fit.log_nu + 0.5) < 4 * fit.log_nu_se
    truth = pd.Series({image.item: float(image.hash) for image in make_images(40)})
    assert fit.strengths.corr(truth) > 0.96


def test_position_bias_is_reported_as_any_raters(biased: JudgeRun, tmp_path: Path) -> None:
    cell = biased.preferences().query("dimension == 'overall'")
    (habits,) = rater_habits(cell).to_dict("records")
    decided = cell[cell["outcome"] != "TIE"]
    assert habits["first_rate"] == pytest.approx((decided["outcome"] == "A").mean())
    assert habits["first_lower"] > 0.5
    assert habits["tie_rate"] == pytest.approx((cell["outcome"] == "TIE").mean())
    assert (habits["n_pairs"], habits["n_repeated"]) == (400, 400)
    fair = ask(FakeJudge(), plan_pairs(make_images(40), n_opponents=20), tmp_path / "s.jsonl", batch_size=64)
    (habits,) = rater_habits(fair.preferences().query("dimension == 'overall'")).to_dict("records")
    assert habits["first_lower"] < 0.5 < habits["first_upper"]


def test_a_judge_stands_in_the_reliability_report(biased: JudgeRun) -> None:
    report = ps.assess_reliability(ps.Study(preferences=biased.preferences()), n_boot=20, random_seed=1)
    raters = report.tables["raters"]
    assert raters["rater"].tolist() == ["fake", "fake"]
    assert (raters["first_lower"] > 0.5).all()
    assert raters["self_agreement"].between(0.3, 0.7).all()


def test_categories_are_filled_in(tmp_path: Path) -> None:
    images = make_images(4)
    pairs = pd.DataFrame({"item_a": ["i000", "i002"], "item_b": ["i001", "i003"]})
    run = ask(FakeJudge(), plan_pairs(images, pairs=pairs) + plan_ratings(images), tmp_path / "s.jsonl")
    categories = {"i000": "x", "i001": "x", "i002": "y", "i003": "y"}
    assert set(run.preferences(categories=categories).groupby("category")["item_a"].first().index) == {"x", "y"}
    assert set(run.ratings(categories="z")["category"]) == {"z"}
    with pytest.raises(DataError, match="'i000' and 'i001' were compared, but their categories differ"):
        run.preferences(categories=categories | {"i001": "y"})
    with pytest.raises(DataError, match="item 'i003' has no category"):
        run.ratings(categories={"i000": "x", "i001": "x", "i002": "y"})
    study = ps.Study(ratings=run.ratings(), preferences=run.preferences(), scale=(1, 5))
    assert study.n_ratings == 8


def test_preferences_go_to_a_file_and_back(biased: JudgeRun, tmp_path: Path) -> None:
    path = write_preferences(biased.preferences(), tmp_path / "out" / "preferences.parquet")
    study = ps.read_study(preferences=path)
    pd.testing.assert_frame_equal(study.preferences, ps.Study(preferences=biased.preferences()).preferences)
    provenance = read_provenance(path)
    assert provenance == json.loads(json.dumps(biased.provenance()))
    assert provenance["judge"] == "fake"
    assert provenance["settings"]["pairwise"]["prompt"] == "prompt-pairwise"
    assert provenance["counts"]["questions"] == 1600
    write_preferences(biased.preferences(), path, provenance={"by": "hand"})
    assert read_provenance(path) == {"by": "hand"}
    assert [file.name for file in path.parent.iterdir()] == ["preferences.parquet"]
    assert "PANDAS_ATTRS" not in str(pq.read_schema(path).metadata)
    with pytest.raises(DataError, match="no judgments"):
        write_preferences(biased.preferences().iloc[:0], path)


def test_empty_tables_have_their_columns(tmp_path: Path) -> None:
    run = ask(FakeJudge(), [], tmp_path / "s.jsonl")
    assert run.preferences().empty
    assert {"item_a", "item_b", "outcome"} < set(run.preferences())
    assert {"item", "rating"} < set(run.ratings())
    assert run.failures.empty
