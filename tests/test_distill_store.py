"""The file of answers: crashes, locks, foreign files; runs that are killed and resumed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_helpers import plan_fake_run

from ppaint_distill.errors import ResumeError
from ppaint_distill.judge import Answer, AnswerStore, Entry, Question
from ppaint_distill.judge.store import HEADER
from ppaint_stats.errors import ArgumentError

RESULTS = ("answers.jsonl", "preferences.parquet", "failures.json", "provenance.json")


def entry(key: str, text: str = "text") -> Entry:
    question = Question("pairwise", ("x", "y"), (Path("x.png"), Path("y.png")), ("1", "2"))
    return Entry(key, question, Answer(text, {"mood": "A"}))


def start(
    folder: Path, *, die_at: int | None = None, seconds: float = 0.0, torn: int | None = None
) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    numbers = ["nan" if number is None else str(number) for number in (die_at, seconds, torn)]
    script = Path(__file__).with_name("judge_helpers.py")
    root = script.parents[1]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{script.parent}"}
    return subprocess.Popen([sys.executable, "-W", "ignore", str(script), str(folder), *numbers], env=environment)


def finish(folder: Path, **options: float | None) -> int:
    return start(folder, **options).wait(60)


def read_results(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in RESULTS]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    assert finish(folder) == 0
    return folder


def test_answers_come_back_as_they_were_stored(tmp_path: Path) -> None:
    answers = {
        "a": Answer("text ü\n\u2028 \ud83d", {"mood": "A", "overall": "TIE"}),
        "b": Answer(None, {"mood": 3.3000000000000003}, {"mood": (0.1, 0.2, 0.7)}),
        "c": Answer("", failure="empty", reason="the answer is empty"),
    }
    question = Question("pointwise", ("x",), (Path("x.png"),), ("1",))
    with AnswerStore(tmp_path / "deep" / "s.jsonl") as store:
        store.append([Entry(key, question, answer) for key, answer in answers.items()])
        assert {key: store.get(key) for key in answers} == answers
    with AnswerStore(tmp_path / "deep" / "s.jsonl") as store:
        assert {key: store.get(key) for key in answers} == answers
        assert len(store) == 3
        assert "a" in store
        assert store.get("d") is None
        assert "d" not in store
        assert store.recovered is None


def test_a_batch_is_a_line_that_says_what_was_asked(tmp_path: Path) -> None:
    with AnswerStore(tmp_path / "s.jsonl") as store:
        store.append([entry("a"), entry("b")], note={"judge": "me"})
        store.append([])
        store.append([entry("c")])
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert lines[0] == {"format": "ppaint answers 1"}
    assert [len(line["answers"]) for line in lines[1:]] == [2, 1]
    assert lines[1]["judge"] == "me"
    assert lines[1]["answers"][0]["items"] == ["x", "y"]
    assert lines[1]["answers"][0]["hashes"] == ["1", "2"]


def test_no_answer_is_stored_twice(tmp_path: Path) -> None:
    with AnswerStore(tmp_path / "s.jsonl") as store:
        store.append([entry("a")])
        before = (tmp_path / "s.jsonl").read_bytes()
        for batch in ([entry("b"), entry("a")], [entry("c"), entry("c")]):
            with pytest.raises(ArgumentError, match="stored already"):
                store.append(batch)
        assert (tmp_path / "s.jsonl").read_bytes() == before
        assert len(store) == 1


@given(cut=st.integers(0, 10_000))
def test_a_line_that_was_cut_short_is_lost_and_nothing_else(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cut") / "s.jsonl"
    sizes = []
    with AnswerStore(path) as store:
        for keys in ("ab", "cd"):
            store.append([entry(key) for key in keys])
            sizes.append(path.stat().st_size)
    content = path.read_bytes()
    cut %= len(content) + 1
    path.write_bytes(content[:cut])
    with AnswerStore(path) as store:
        whole_lines = sum(size <= cut for size in sizes)
        assert len(store) == 2 * whole_lines
        assert (store.recovered is None) == (cut <= len(HEADER) or cut in sizes)
        for keys in ("ab", "cd")[whole_lines:]:
            store.append([entry(key) for key in keys])
    assert path.read_bytes() == content


def test_a_last_line_of_rubbish_is_removed_too(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with AnswerStore(path) as store:
        store.append([entry("a")])
    content = path.read_bytes()
    for rubbish in (b"\0" * 100, b"\0\0\n", b"{}\n", b'{"answers": 3}\n', b"[1]\n", b"\xff\xfe\n"):
        path.write_bytes(content + rubbish)
        with AnswerStore(path) as store:
            assert len(store) == 1
            assert "line 3" in str(store.recovered)
        assert path.read_bytes() == content


def test_a_damaged_line_within_is_an_error_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with AnswerStore(path) as store:
        store.append([entry("a")])
        store.append([entry("b")])
    content = path.read_bytes().replace(b'"key"', b'"kex"', 1)
    path.write_bytes(content)
    with pytest.raises(ResumeError, match="line 2 is damaged"):
        AnswerStore(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content", [b"item,score\nx,3\n", b"{}", b'{"format": "ppaint answers 2"}\n', b"\0\1\2", b"\n"]
)
def test_a_foreign_file_is_refused_and_stays(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    with pytest.raises(ResumeError, match=r"s\.jsonl is no file of answers"):
        AnswerStore(path)
    assert path.read_bytes() == content
    with pytest.raises(ResumeError, match="is a folder"):
        AnswerStore(tmp_path)


def test_two_writers_are_refused(tmp_path: Path) -> None:
    with AnswerStore(tmp_path / "s.jsonl") as store:
        with pytest.raises(ResumeError, match="in use"):
            AnswerStore(tmp_path / "s.jsonl")
        store.append([entry("a")])
    with AnswerStore(tmp_path / "s.jsonl") as store:
        assert len(store) == 1


def test_a_failed_write_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.jsonl"
    with AnswerStore(path) as store:
        store.append([entry("a")])
        before = path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(OSError, match="No space"):
                store.append([entry("b")])
        assert path.read_bytes() == before
        assert "b" not in store
        store.append([entry("b")])
        assert store.get("b") is not None
    with AnswerStore(path) as store:
        assert len(store) == 2


def test_a_number_that_is_none_is_not_stored(tmp_path: Path) -> None:
    question = Question("pointwise", ("x",), (Path("x.png"),), ("1",))
    with AnswerStore(tmp_path / "s.jsonl") as store:
        with pytest.raises(ValueError, match="JSON"):
            store.append([Entry("a", question, Answer(values={"mood": float("nan")}))])
        assert len(store) == 0


@pytest.mark.parametrize("deaths", [[{"die_at": 0}], [{"die_at": 5}, {"die_at": 3}], [{"torn": 4}, {"die_at": 2}]])
def test_a_killed_run_resumes_to_the_same_files(deaths: list[dict[str, int]], whole: Path, tmp_path: Path) -> None:
    for death in deaths:
        assert finish(tmp_path, **death) == -9
    assert finish(tmp_path) == 0
    assert read_results(tmp_path) == read_results(whole)


def test_whatever_is_stored_is_never_asked_again(whole: Path, tmp_path: Path) -> None:
    """Killed from outside again and again, at any moment."""
    log, file = tmp_path / "asked.log", tmp_path / "answers.jsonl"
    asked_before: set[str] = set()
    for death in range(4):
        process = start(tmp_path, seconds=0.03)
        size = file.stat().st_size if file.exists() else 0
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            if file.exists() and file.stat().st_size > size + 2000:
                time.sleep(0.011 * death)
                break
            time.sleep(0.005)
        process.kill()
        process.wait()
        with AnswerStore(file) as store:
            stored = {key for line in file.read_text().splitlines()[1:] for key in _keys(line)}
            assert len(store) == len(stored)
        asked = log.read_text().split()
        assert stored - asked_before <= set(asked)
        log.unlink()
        assert not set(asked) & asked_before
        asked_before = stored
    assert 0 < len(asked_before) < len(plan_fake_run())
    assert finish(tmp_path) == 0
    assert read_results(tmp_path) == read_results(whole)
    assert finish(tmp_path, die_at=0) == 0, "a run whose answers are all stored asks nothing"
    assert read_results(tmp_path) == read_results(whole)


def _keys(line: str) -> list[str]:
    return [answer["key"] for answer in json.loads(line)["answers"]]
