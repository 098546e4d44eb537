"""A server of OpenAI's chat completions on this machine: with the tiny model, or with answers made of the question.

Run as a script it serves without a model, and may be told to die.
"""

import base64
import hashlib
import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Choose = Callable[[dict[str, Any]], dict[str, Any]]
"""From a request's body to ``{"text": ..., "tokens": [...] or None}``."""


@dataclass
class Habits:
    """What the server does; the first ``busy`` requests get 429, and so on, in the order of these fields."""

    busy: int = 0
    failing: int = 0
    garbage: int = 0
    empty: int = 0
    cut: int = 0
    hang: int = 0
    refuse: str | None = None
    retry_after: str = "0.2"
    seconds: float = 0.0
    die_at: int | None = None
    log: Path | None = None
    usage: bool = True


@dataclass
class Record:
    """What the server saw."""

    asked: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    at_once: int = 0
    most: int = 0


class Server(ThreadingHTTPServer):
    """One server with its habits and its record."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, choose: Choose, habits: Habits, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.choose, self.habits, self.record = choose, habits, Record()
        self.lock, self.counting = threading.Lock(), threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        name = hashlib.sha256(content).hexdigest()
        server, habits, record = self.server, self.server.habits, self.server.record
        with server.counting:
            number = len(record.asked)
            record.asked.append(name)
            record.times.append(time.monotonic())
            record.headers.append(dict(self.headers))
            record.bodies.append(json.loads(content))
            record.at_once += 1
            record.most = max(record.most, record.at_once)
        try:
            self.reply(content, name, number, habits)
        finally:
            with server.counting:
                record.at_once -= 1

    def reply(self, content: bytes, name: str, number: int, habits: Habits) -> None:
        for kind in ("busy", "failing", "garbage", "empty", "cut", "hang"):
            count = getattr(habits, kind)
            if number < count:
                return self.misbehave(kind)
            number -= count
        if habits.refuse is not None:
            return self.send(400, json.dumps({"error": {"message": habits.refuse, "code": 400}}).encode())
        time.sleep(habits.seconds)
        with self.server.lock:  # one at a time, so that the log says exactly what was sent when this process dies
            if habits.die_at is not None and len(self.server.record.answered) >= habits.die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            chosen = self.server.choose(json.loads(content))
            choice: dict[str, Any] = {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": chosen["text"]},
                "logprobs": None if chosen["tokens"] is None else {"content": chosen["tokens"]},
            }
            body: dict[str, Any] = {"id": name, "object": "chat.completion", "choices": [choice]}
            if habits.usage:
                body["usage"] = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
            self.server.record.answered.append(name)
            if habits.log is not None:
                with habits.log.open("a") as file:
                    file.write(f"{name}\n")
            self.send(200, json.dumps(body).encode())
        return None

    def misbehave(self, kind: str) -> None:
        if kind == "busy":
            self.send(429, b'{"error": {"message": "slow down"}}', {"Retry-After": self.server.habits.retry_after})
        elif kind == "failing":
            self.send(503, b"overloaded")
        elif kind == "garbage":
            self.send(200, b"<html>gateway</html>")
        elif kind == "empty":
            self.send(200, b'{"choices": []}')
        elif kind == "cut":
            self.send(200, b'{"choices"', {"Content-Length": "500"})
        else:
            time.sleep(1.5)
            self.send(200, b"{}")

    def send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client went away


@contextmanager
def serve(choose: Choose, habits: Habits | None = None) -> Iterator[Server]:
    """Serve in a thread of this process."""
    server = Server(choose, habits or Habits())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def choose_by_hash(body: dict[str, Any]) -> dict[str, Any]:
    """Answer about mood and overall, by the hash of the question; without log-probabilities."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    verdicts = [("A", "B", "TIE")[byte % 3] for byte in digest[:2]]
    return {"text": f'<answer>{{"mood": "{verdicts[0]}", "overall": "{verdicts[1]}"}}</answer>', "tokens": None}


def choose_by_model(loaded: Any) -> Choose:
    """Let a model answer, greedily or with the request's seed; log-probabilities where they are asked for."""
    import torch

    from ppaint_distill.answering import encode, list_image_tokens
    from ppaint_distill.prompts import Prompt

    tokenizer = loaded.processor.tokenizer
    banned = list_image_tokens(loaded.model.config)
    ends = {tokenizer.eos_token_id, loaded.model.generation_config.eos_token_id}

    def decode(url: str) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))

    @torch.no_grad()
    def choose(body: dict[str, Any]) -> dict[str, Any]:
        (question, *begun) = body["messages"]
        parts = tuple(part.get("text") for part in question["content"])
        images = [decode(part["image_url"]["url"]) for part in question["content"] if part["type"] == "image_url"]
        prompt = Prompt("pairwise" if len(images) == 2 else "pointwise", ("-",), len(images), parts, False, ())
        if begun:
            assert body["continue_final_message"] is True
            assert body["add_generation_prompt"] is False
        batch = encode(loaded, prompt, [images], answers=[begun[0]["content"]] if begun else None)
        generator = torch.Generator().manual_seed(body.get("seed", 0))
        ids, text_ids, tokens = batch["input_ids"], [], []
        for _ in range(body["max_tokens"]):
            whole = torch.ones_like(ids)
            types = ids.eq(loaded.processor.image_token_id).int()
            batch |= {"input_ids": ids, "attention_mask": whole, "mm_token_type_ids": types}
            logits = loaded.model(**batch, use_cache=False).logits[0, -1].double()
            allowed = logits.clone()
            allowed[banned] = -torch.inf
            if body["temperature"] > 0:
                allowed = allowed / body["temperature"]
                pick = int(torch.multinomial(allowed.softmax(-1), 1, generator=generator))
            else:
                pick = int(allowed.argmax())
            if pick in ends:
                break
            if body.get("logprobs"):
                log = logits.log_softmax(-1)
                best = log.topk(body["top_logprobs"])
                top = [
                    {"token": tokenizer.decode([k]), "logprob": float(p)}
                    for p, k in zip(best.values, best.indices.tolist(), strict=True)
                ]
                tokens.append({"token": tokenizer.decode([pick]), "logprob": float(log[pick]), "top_logprobs": top})
            text_ids.append(pick)
            ids = torch.cat([ids, torch.tensor([[pick]])], dim=1)
        text = tokenizer.decode(text_ids, skip_special_tokens=True)
        return {"text": text, "tokens": tokens if body.get("logprobs") else None}

    return choose


def draw_images(folder: Path, n: int) -> None:
    """Write small pictures of noise."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n):
        side = 64 + 32 * (number % 2)
        Image.fromarray(rng.integers(0, 256, (side, 64, 3), dtype=np.uint8)).save(folder / f"i{number:02d}.png")


def run_client(folder: Path, url: str) -> None:
    """Judge the pictures of a folder, as a process that may be killed."""
    from ppaint_distill.config import JudgeConfig, PromptConfig
    from ppaint_distill.images import find_images, inspect_images
    from ppaint_distill.judge import AnswerStore, OpenAIJudge, plan_pairs, run_judge
    from ppaint_distill.served_settings import ServedConfig

    images = inspect_images(find_images(folder / "images")).good
    served = ServedConfig(url=url, concurrency=4, first_wait=0.05, longest_wait=1.0, max_retries=20)
    prompt = PromptConfig(dimensions=("mood", "overall"), think=False)
    judge = OpenAIJudge("any", served, prompt, JudgeConfig(temperature=1.0, votes=2))
    questions = plan_pairs(images, n_opponents=5, votes=2, random_seed=1)
    with AnswerStore(folder / "answers.jsonl") as store:
        run = run_judge(judge, questions, store, batch_size=8)
    run.preferences().to_parquet(folder / "preferences.parquet")
    (folder / "summary.json").write_text(json.dumps(run.summary()))


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "client":
        run_client(Path(words[0]), words[1])
    else:
        port, log, die_at = words
        habits = Habits(seconds=0.01, log=Path(log), die_at=None if die_at == "never" else int(die_at))
        Server(choose_by_hash, habits, int(port)).serve_forever()
