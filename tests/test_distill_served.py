"""A served judge against a real server on this machine: outcomes, troubles, limits, costs."""

import base64
import io
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from served_helpers import Habits, choose_by_hash, choose_by_model, draw_images, serve

from ppaint_distill.config import JudgeConfig, PromptConfig, load_config
from ppaint_distill.errors import ConfigError, ServerError, SkippedWarning
from ppaint_distill.images import ImageFile, find_images, inspect_images
from ppaint_distill.judge import (
    AnswerStore,
    JudgeRun,
    OpenAIJudge,
    Question,
    Spent,
    plan_pairs,
    plan_ratings,
    run_judge,
)
from ppaint_distill.judge.address import parse_url
from ppaint_distill.judge.choose import make_judge as choose_judge
from ppaint_distill.judge.pace import Pace
from ppaint_distill.judge.slots import read_slot, read_slots
from ppaint_distill.prompts import pairwise_prompt
from ppaint_distill.served_settings import ServedConfig

PROMPT = PromptConfig(dimensions=("mood", "overall"), think=False)
QUICK = ServedConfig(concurrency=4, first_wait=0.02, longest_wait=0.2, max_retries=6)


def make_judge(
    url: str, served: ServedConfig = QUICK, prompt: PromptConfig = PROMPT, **settings: object
) -> OpenAIJudge:
    return OpenAIJudge("any", replace(served, url=url), prompt, JudgeConfig(**settings))


def ask(judge: object, questions: tuple[Question, ...], path: Path) -> JudgeRun:
    with AnswerStore(path) as store:
        return run_judge(judge, questions, store, batch_size=4)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageFile, ...]:
    folder = tmp_path_factory.mktemp("images")
    draw_images(folder, 6)
    return inspect_images(find_images(folder)).good


@pytest.fixture(scope="module")
def questions(images: tuple[ImageFile, ...]) -> tuple[Question, ...]:
    return plan_pairs(images, n_opponents=3, random_seed=1)


# The same model, here and behind a server


@pytest.fixture(scope="module")
def tiny() -> object:
    from ppaint_distill.tiny import make_tiny

    return make_tiny(random_seed=1)


def test_probabilities_are_those_of_the_local_judge(
    tiny: object, images: tuple[ImageFile, ...], tmp_path: Path
) -> None:
    from ppaint_distill.judge.hf import HFJudge

    asked = plan_pairs(images[:4], n_opponents=2, random_seed=1) + plan_ratings(images[:3])
    config = JudgeConfig(mode="probabilities")
    local = ask(HFJudge(tiny, PROMPT, config), asked, tmp_path / "local.jsonl")
    with serve(choose_by_first_tokens(tiny)) as server:
        served = ask(make_judge(server.url, mode="probabilities"), asked, tmp_path / "served.jsonl")
        assert len(server.record.answered) == 2 * len(asked)
        assert all(body["max_tokens"] == 1 for body in server.record.bodies)
    pd.testing.assert_frame_equal(
        served.preferences().drop(columns=["rater", "model"]),
        local.preferences().drop(columns=["rater", "model"]),
        atol=1e-5,
    )
    pd.testing.assert_frame_equal(
        served.ratings().drop(columns=["rater", "model"]), local.ratings().drop(columns=["rater", "model"]), atol=1e-4
    )


def choose_by_first_tokens(loaded: object):
    """The tiny model with the whole vocabulary as top tokens, of which the values' own first tokens are kept.

    An untrained model spreads its chances: values are rarely among its twenty likeliest tokens.
    """
    choose = choose_by_model(loaded)
    tokenizer = loaded.processor.tokenizer
    firsts = {tokenizer.decode([tokenizer(value)["input_ids"][0]]) for value in ("A", "B", "TIE", *"12345")}

    def narrow(body: dict[str, object]) -> dict[str, object]:
        found = choose({**body, "top_logprobs": len(tokenizer)})
        for token in found["tokens"]:
            token["top_logprobs"] = [top for top in token["top_logprobs"] if top["token"] in firsts]
        return found

    return narrow


def test_greedy_texts_are_those_of_the_local_judge(tiny: object, images: tuple[ImageFile, ...], tmp_path: Path) -> None:
    from ppaint_distill.judge.hf import HFJudge

    asked = plan_pairs(images[:3], n_opponents=2, random_seed=1)
    config = JudgeConfig(max_new_tokens=12)
    with pytest.warns(SkippedWarning):
        local = ask(HFJudge(tiny, PROMPT, config), asked, tmp_path / "local.jsonl")
    with serve(choose_by_model(tiny)) as server, pytest.warns(SkippedWarning):
        served = ask(make_judge(server.url, max_new_tokens=12), asked, tmp_path / "served.jsonl")
    columns = ["item_a", "item_b", "vote", "kind", "text"]
    pd.testing.assert_frame_equal(served.failures[columns], local.failures[columns])
    assert len(served.failures) == len(asked)


def test_written_answers_of_a_taught_model_have_their_probabilities(taught: object, tmp_path: Path) -> None:
    from ppaint_distill.judge.hf import HFJudge
    from ppaint_distill.pictures import make_prompt_config
    from ppaint_distill.tiny_world import write_images

    prompt = make_prompt_config("brightness")
    write_images(tmp_path / "images", 5, random_seed=3)
    asked = plan_pairs(inspect_images(find_images(tmp_path / "images")).good, n_opponents=2, random_seed=1)
    local = HFJudge(taught, prompt, JudgeConfig(max_new_tokens=24))
    read = HFJudge(taught, prompt, JudgeConfig(mode="probabilities"))
    with serve(choose_by_model(taught)) as server:
        judge = make_judge(server.url, prompt=prompt, max_new_tokens=24)
        served = ask(judge, asked, tmp_path / "served.jsonl")
        forced = make_judge(server.url, prompt=prompt, mode="probabilities")
        forced_run = ask(forced, asked, tmp_path / "forced.jsonl")
    written = ask(local, asked, tmp_path / "local.jsonl").preferences()
    odds = ask(read, asked, tmp_path / "read.jsonl").preferences()
    found = served.preferences()
    assert found["outcome"].tolist() == written["outcome"].tolist()
    names = ["p_a", "p_tie", "p_b"]
    np.testing.assert_allclose(found[names], odds[names], atol=2e-3)  # one dimension: the same text before the slot
    np.testing.assert_allclose(forced_run.preferences()[names], odds[names], atol=2e-3)


@pytest.fixture(scope="module")
def taught() -> object:
    from ppaint_distill import tiny_world

    return tiny_world.pretrain_tiny("brightness", vision_steps=1, steps=60, random_seed=1)


def test_without_log_probabilities_answers_are_written(questions: tuple[Question, ...], tmp_path: Path) -> None:
    with serve(choose_by_hash) as server:
        run = ask(make_judge(server.url), questions, tmp_path / "s.jsonl")
        assert "p_a" not in run.preferences()
        assert len(run.preferences()) == 2 * len(questions)
        with pytest.raises(ServerError, match=r"no log-probabilities: judge\.mode=generate does without"):
            ask(make_judge(server.url, mode="probabilities"), questions, tmp_path / "t.jsonl")


# Troubles


@pytest.mark.parametrize(
    "habits",
    [Habits(busy=3), Habits(failing=3), Habits(garbage=3), Habits(empty=3), Habits(cut=3)],
    ids=["busy", "failing", "garbage", "empty", "cut"],
)
def test_what_may_pass_is_tried_again(habits: Habits, questions: tuple[Question, ...], tmp_path: Path) -> None:
    with serve(choose_by_hash, habits) as server:
        start = time.monotonic()
        run = ask(make_judge(server.url), questions, tmp_path / "s.jsonl")
        record = server.record
    assert (run.n_asked, run.summary()["answered"]) == (len(questions), len(questions))
    assert len(record.asked) == len(questions) + 3
    assert max(Counter(record.answered).values()) == 1
    if habits.busy:
        assert time.monotonic() - start > 0.2
        assert record.times[4] - record.times[0] >= 0.19  # all wait, not only the one that was told


def test_a_date_to_retry_after_is_kept(questions: tuple[Question, ...], tmp_path: Path) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    with serve(choose_by_hash, Habits(busy=1, retry_after=later)) as server:
        ask(make_judge(server.url), questions[:1], tmp_path / "s.jsonl")
        assert server.record.times[1] - server.record.times[0] > 0.5
    refused = pytest.raises(ServerError, match=r"wants a rest of 3600 s: status 429: slow down; run again later")
    with serve(choose_by_hash, Habits(busy=1, retry_after="3600")) as server, refused:
        ask(make_judge(server.url), questions[:1], tmp_path / "t.jsonl")


def test_a_request_that_hangs_is_given_up(questions: tuple[Question, ...], tmp_path: Path) -> None:
    with serve(choose_by_hash, Habits(hang=1)) as server:
        run = ask(make_judge(server.url, replace(QUICK, timeout=0.4)), questions[:2], tmp_path / "s.jsonl")
    assert run.summary()["answered"] == 2


def test_a_refusal_ends_the_run_in_the_servers_words(questions: tuple[Question, ...], tmp_path: Path) -> None:
    with serve(choose_by_hash, Habits(refuse="the image is too large")) as server:
        with pytest.raises(ServerError, match="refuses the request, status 400: the image is too large"):
            ask(make_judge(server.url), questions, tmp_path / "s.jsonl")
        assert len(server.record.asked) <= 4


def test_a_dead_server_is_an_error_at_last(questions: tuple[Question, ...], tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{find_port()}"
    with pytest.raises(ServerError, match=r"3 tries failed; the last: ConnectionRefusedError"):
        ask(make_judge(url, replace(QUICK, max_retries=2)), questions, tmp_path / "s.jsonl")


def test_what_was_answered_before_an_error_is_kept(questions: tuple[Question, ...], tmp_path: Path) -> None:
    with serve(choose_by_hash) as server:
        choose, n = server.choose, 0

        def fall_ill(body: dict[str, object]) -> dict[str, object]:
            nonlocal n
            n += 1
            if n == 7:
                server.habits.refuse = "no more credit"
            return choose(body)

        server.choose = fall_ill
        with pytest.raises(ServerError, match="no more credit"):
            ask(make_judge(server.url), questions, tmp_path / "s.jsonl")
        answered = len(server.record.answered)
        assert 7 <= answered < len(questions)
        assert read_lines(tmp_path / "s.jsonl") == answered
        costs = json.loads((tmp_path / "s.costs.json").read_text())
        assert costs["this_run"]["requests"] == costs["all_runs"]["requests"] == answered
        server.habits.refuse = None
        run = ask(make_judge(server.url), questions, tmp_path / "s.jsonl")
        assert (run.n_stored, run.n_asked) == (answered, len(questions) - answered)
        assert max(Counter(server.record.answered).values()) == 1
        assert run.spent_in_all.requests == len(questions)


def test_an_interruption_waits_for_what_is_under_way(
    questions: tuple[Question, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(choose_by_hash, Habits(seconds=0.05)) as server:
        judge = make_judge(server.url)
        count, calls = judge.count, []

        def interrupt(usage: dict[str, int]) -> Spent:
            calls.append(1)
            if len(calls) == 1:
                raise KeyboardInterrupt
            return count(usage)

        monkeypatch.setattr("ppaint_distill.judge.serving._show", show_counts)
        monkeypatch.setattr(judge, "count", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ask(judge, questions, tmp_path / "s.jsonl")
        assert read_lines(tmp_path / "s.jsonl") == len(server.record.answered) == len(server.record.asked)
        assert len(server.record.answered) < len(questions)
        ask(judge, questions, tmp_path / "s.jsonl")
        assert max(Counter(server.record.answered).values()) == 1


def show_counts(judge: OpenAIJudge, *_: object) -> object:
    from contextlib import nullcontext

    return nullcontext(judge.count)


# Killed: the server, and the process that asks


def find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start(*words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(Path(__file__).with_name("served_helpers.py")), *map(str, words)])


def read_lines(path: Path) -> int:
    return len(path.read_text().splitlines()) - 1


def read_keys(path: Path) -> list[str]:
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    return [answer["key"] for line in lines for answer in line["answers"]]


@pytest.fixture
def programs() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for program in started:
        program.kill()
        program.wait()


def test_a_killed_server_that_comes_back_costs_no_answer(
    programs: list[subprocess.Popen[bytes]], questions: tuple[Question, ...], tmp_path: Path
) -> None:
    port, log = find_port(), tmp_path / "log"
    programs.append(start("server", port, log, 9))
    patient = replace(QUICK, max_retries=40, longest_wait=0.5)
    found: list[JudgeRun] = []
    judge = make_judge(f"http://127.0.0.1:{port}", patient)
    client = threading.Thread(target=lambda: found.append(ask(judge, questions, tmp_path / "s.jsonl")))
    client.start()
    assert programs[0].wait(30) == -9
    assert len(log.read_text().split()) == 9
    programs.append(start("server", port, log, "never"))
    client.join(60)
    answered = log.read_text().split()
    assert len(answered) == len(set(answered)) == len(questions)
    assert len(set(read_keys(tmp_path / "s.jsonl"))) == read_lines(tmp_path / "s.jsonl") == len(questions)
    with serve(choose_by_hash) as calm:
        whole = ask(make_judge(calm.url), questions, tmp_path / "whole.jsonl")
    pd.testing.assert_frame_equal(found[0].preferences(), whole.preferences())
    assert found[0].provenance() == whole.provenance()


def test_a_killed_client_goes_on_where_it_was(programs: list[subprocess.Popen[bytes]], tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 10)
    store = tmp_path / "answers.jsonl"
    with serve(choose_by_hash, Habits(seconds=0.02)) as server:
        programs.append(start("client", tmp_path, server.url))
        while len(server.record.answered) < 30:
            assert programs[0].poll() is None
            time.sleep(0.01)
        programs[0].kill()
        programs[0].wait()
        time.sleep(0.3)
        answered, stored = len(server.record.answered), read_lines(store)
        assert answered - 4 <= stored <= answered  # but for those under way, which never arrived
        first = store.read_bytes()
        programs.append(start("client", tmp_path, server.url))
        assert programs[1].wait(60) == 0
        times = Counter(server.record.answered)
    assert store.read_bytes().startswith(first[: first.rfind(b"\n") + 1])
    assert len(times) == len(read_keys(store)) == len(set(read_keys(store))) == 100
    assert times.total() - 100 == answered - stored <= 4
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["stored"], summary["asked"]) == (stored, 100 - stored)


# Limits and costs


def test_concurrency_is_bounded(questions: tuple[Question, ...], tmp_path: Path) -> None:
    for limit in (1, 3):
        with serve(choose_by_hash, Habits(seconds=0.02)) as server:
            ask(make_judge(server.url, replace(QUICK, concurrency=limit)), questions, tmp_path / f"{limit}.jsonl")
            assert server.record.most == limit


def test_requests_keep_their_pace(questions: tuple[Question, ...], tmp_path: Path) -> None:
    slow = replace(QUICK, requests_per_minute=60 / 0.05)
    with serve(choose_by_hash) as server:
        ask(make_judge(server.url, slow), questions[:8], tmp_path / "s.jsonl")
        times = np.array(server.record.times)
    assert (times - times[0] > 0.05 * np.arange(8) - 0.04).all()


def test_tokens_keep_their_pace() -> None:
    now = [0.0]
    pace = Pace(None, 6000, clock=lambda: now[0])
    assert pace.reserve() == (0.0, 0.0)
    pace.settle(0.0, 1000)  # a sixth of a minute
    wait, guess = pace.reserve()
    assert (wait, guess) == (pytest.approx(10), 1000)
    pace.settle(guess, 400)
    assert pace.reserve()[0] == pytest.approx(14)
    pace.hold(100)
    assert pace.reserve()[0] == pytest.approx(100)
    now[0] = 300.0
    assert pace.reserve()[0] == 0


def test_tokens_and_costs_are_counted(questions: tuple[Question, ...], tmp_path: Path) -> None:
    priced = replace(QUICK, prompt_price=2.0, completion_price=10.0)
    with serve(choose_by_hash) as server:
        ask(make_judge(server.url, priced), questions[:3], tmp_path / "s.jsonl")
        run = ask(make_judge(server.url, priced), questions[:5], tmp_path / "s.jsonl")
    assert run.spent == Spent(requests=2, prompt_tokens=2000, completion_tokens=20, cost=pytest.approx(0.0042))
    assert run.spent_in_all == Spent(requests=5, prompt_tokens=5000, completion_tokens=50, cost=pytest.approx(0.0105))
    costs = json.loads((tmp_path / "s.costs.json").read_text())
    assert costs == {"this_run": run.spent.to_plain(), "all_runs": run.spent_in_all.to_plain()}
    assert run.summary()["spent"] == run.spent.to_plain()
    with serve(choose_by_hash, Habits(usage=False)) as server:
        run = ask(make_judge(server.url), questions[:2], tmp_path / "t.jsonl")
    assert run.spent == Spent(requests=2, unmetered=2)


def test_progress_shows_speed_and_cost(
    questions: tuple[Question, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "150")
    with serve(choose_by_hash, Habits(seconds=0.05)) as server:
        ask(make_judge(server.url, replace(QUICK, prompt_price=1.0)), questions, tmp_path / "s.jsonl")
    shown = capsys.readouterr().err
    assert "Asking any" in shown
    assert re.search(r"\d+\.\d/s, cost 0\.0\d+", shown)


def test_the_key_is_sent_and_never_written(
    questions: tuple[Question, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed = replace(QUICK, api_key_env="PPAINT_TEST_KEY")
    with pytest.raises(ConfigError, match="there is no such environment variable"):
        make_judge("http://127.0.0.1:1", keyed)
    monkeypatch.setenv("PPAINT_TEST_KEY", "secret-123")
    with serve(choose_by_hash) as server:
        ask(make_judge(server.url, keyed), questions, tmp_path / "s.jsonl")
        assert {headers["Authorization"] for headers in server.record.headers} == {"Bearer secret-123"}
        server.habits.refuse = "bad key secret-123"
        with pytest.raises(ServerError, match=r"bad key \*\*\*"):
            ask(make_judge(server.url, keyed, temperature=1.0), questions, tmp_path / "s.jsonl")
        server.habits.refuse = None
        ask(make_judge(server.url), questions[:1], tmp_path / "t.jsonl")
        assert "Authorization" not in server.record.headers[-1]
    for path in tmp_path.iterdir():
        assert b"secret-123" not in path.read_bytes()


def test_votes_send_seeds_and_large_images_are_reduced(tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 2)
    images = inspect_images(find_images(tmp_path / "images")).good
    with serve(choose_by_hash) as server:
        small = replace(QUICK, max_pixels=1024)
        judge = make_judge(server.url, small, temperature=0.7, votes=3)
        run = ask(judge, plan_pairs(images, n_opponents=1, votes=3), tmp_path / "s.jsonl")
        bodies = server.record.bodies
    assert len({body["seed"] for body in bodies}) == len(bodies) == 6
    assert {body["temperature"] for body in bodies} == {0.7}
    assert sorted(run.preferences()["trial"].unique()) == [1, 2, 3]
    for part in bodies[0]["messages"][0]["content"]:
        if part["type"] == "image_url":
            image = Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2])))
            assert image.size[0] * image.size[1] <= 1024


def test_images_that_went_bad_are_left_out(tmp_path: Path) -> None:
    draw_images(tmp_path / "images", 4)
    images = inspect_images(find_images(tmp_path / "images")).good
    images[0].path.unlink()
    with serve(choose_by_hash) as server, pytest.warns(SkippedWarning, match=r"1 image\(s\) cannot be used"):
        run = ask(make_judge(server.url), plan_pairs(images, n_opponents=3), tmp_path / "s.jsonl")
    assert (run.summary()["not_asked"], run.summary()["answered"]) == (6, 6)


# Pieces


def test_slots_are_found_in_what_was_written() -> None:
    def token(text: str, **top: float) -> dict[str, object]:
        listed = [{"token": name, "logprob": float(np.log(p))} for name, p in top.items()]
        return {"token": text, "top_logprobs": listed}

    prompt = pairwise_prompt(PROMPT)
    written = [
        token('I think "mood": "B" first.<answer>'),
        token('{"mood":'),
        {
            "token": ' "A',
            "top_logprobs": [{"token": ' "A', "logprob": np.log(0.6)}, {"token": ' "T', "logprob": np.log(0.3)}],
        },
        token('", "overall": "'),
        token('TIE"', **{'TIE"': 0.5, "A": 0.25, "Bad": 0.2}),
        token("}</answer>"),
    ]
    assert read_slots(written, prompt) == {
        "mood": pytest.approx((2 / 3, 0, 1 / 3)),
        "overall": pytest.approx((1 / 3, 0, 2 / 3)),
    }
    assert read_slots(written[:4], prompt) is None
    assert read_slots([token("no answer")], prompt) is None
    four = [{"token": "4.5", "logprob": -0.1}, {"token": "4,", "logprob": -1.0}]
    assert read_slot(four, ("3", "4")) == (0.0, 1.0)
    assert read_slot([{"token": None, "logprob": 0.0}], ("3", "4")) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": None}, r"served\.url is not set"),
        ({"url": "127.0.0.1:8000"}, "an address such as"),
        ({"url": "http://me:word@host"}, "a name, a password or a query"),
        ({"url": "http://host:port"}, r"served\.url"),
        ({"concurrency": 0}, "concurrency=0"),
        ({"timeout": 0.0}, "timeout=0.0"),
        ({"requests_per_minute": -1.0}, "requests_per_minute=-1.0"),
        ({"top_logprobs": 21}, "0 to 20"),
        ({"prompt_price": -1.0}, "prompt_price"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OpenAIJudge("any", replace(ServedConfig(url="http://127.0.0.1:1"), **settings))
    assert parse_url("https://h/v1").port == 443


def test_keys_hold_what_matters() -> None:
    question = Question("pairwise", ("x", "y"), (Path("x"), Path("y")), ("0", "1"))
    here, there = make_judge("http://a:1"), make_judge("http://b:2/v1", replace(QUICK, concurrency=1, timeout=1.0))
    assert here.key(question) == there.key(question)
    others = [
        OpenAIJudge("other", replace(QUICK, url="http://a"), PROMPT),
        OpenAIJudge("any", replace(QUICK, url="http://a"), PROMPT, revision="2"),
        make_judge("http://a", mode="probabilities"),
        make_judge("http://a", temperature=1.0),
        make_judge("http://a", replace(QUICK, max_pixels=100)),
    ]
    assert len({judge.key(question) for judge in others} | {here.key(question)}) == 6
    with pytest.raises(ConfigError, match=r"judge\.mode=probabilities needs served\.top_logprobs"):
        make_judge("http://a", replace(QUICK, top_logprobs=0), mode="probabilities")


# The command


def test_the_command_judges_with_a_server(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from ppaint_distill.cli import app

    draw_images(tmp_path / "images", 4)
    out = tmp_path / "pool.parquet"
    words = ["judge", "--images", tmp_path / "images", "--model", "any", "--out", out, "--votes", 2]
    more = [
        "--set",
        "judge.temperature=0.7",
        "--set",
        "prompt.dimensions=[mood, overall]",
        "--set",
        "pool.n_opponents=3",
    ]
    prices = ["--set", "served.prompt_price=1.0", "--set", "served.completion_price=2.0"]
    with serve(choose_by_hash) as server:
        line = [str(word) for word in (*words, "--server", server.url, *more, *prices)]
        done = CliRunner(env={"COLUMNS": "200"}).invoke(app, line)
        assert done.exit_code == 0, done.output
        assert "This run: 24 requests, 24,000 prompt and 240 completion tokens, cost 0.02448" in done.output
        again = json.loads(CliRunner().invoke(app, [*line, "--json"]).stdout)
        quiet = CliRunner().invoke(app, [*line, "-q"])
        assert len(server.record.asked) == 24
    assert (quiet.exit_code, quiet.output) == (0, "")
    assert again["spent"]["requests"] == 0
    assert again["spent_in_all"]["requests"] == 24
    assert len(pd.read_parquet(out)) == 24 * 2
    refused = CliRunner().invoke(app, [str(word) for word in (*words, "--server", "nowhere")])
    assert refused.exit_code == 2


def test_the_settings_choose_the_judge(tiny: object) -> None:
    served = load_config(overrides=["served.url='http://127.0.0.1:1'", "model.name=student"])
    assert choose_judge(served, loaded=tiny).name == "student"
    teacher = load_config(overrides=["served.url='http://127.0.0.1:1'", "served.model=teacher", "model.name=student"])
    assert choose_judge(teacher, loaded=tiny).name == "teacher"
    assert choose_judge(load_config(), loaded=tiny).fingerprint == tiny.fingerprint
