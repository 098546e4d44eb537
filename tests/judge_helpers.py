"""Stand-ins for judges that need no model, and a script that is killed in the middle of its work."""

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ppaint_distill.images import ImageFile
from ppaint_distill.judge import Answer, AnswerStore, Question, make_key, plan_pairs, run_judge
from ppaint_distill.judge.base import Kind


class FakeJudge:
    """Answers by Davidson's model, with draws that depend on the question alone.

    Strengths are numbers in the hashes of images: an image of hash ``"0.7"`` has the strength 0.7.
    """

    def __init__(self, *, first: float = 0.0, log_nu: float = -0.5, seed: int = 0, failing: float = 0.0) -> None:
        self.name, self.fingerprint = "fake", "f" * 16
        self.dimensions = ("mood", "overall")
        self.first, self.log_nu, self.seed, self.failing = first, log_nu, seed, failing
        self.asked: list[str] = []
        self.batches: list[int] = []

    def settings(self, kind: Kind) -> Mapping[str, object]:
        return {"mode": "generate", "prompt": f"prompt-{kind}", "random_seed": self.seed}

    def key(self, question: Question) -> str:
        return make_key(self.fingerprint, self.settings(question.kind), question)

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        self.asked += [self.key(question) for question in questions]
        self.batches.append(len(questions))
        return [self.judge(question) for question in questions]

    def judge(self, question: Question) -> Answer:
        digest = hashlib.sha256(self.key(question).encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        if rng.random() < self.failing:
            return Answer("I cannot say", failure="no-answer", reason="the answer holds no JSON object")
        if question.kind == "pointwise":
            values = {name: float(np.clip(3 + float(question.hashes[0]), 1, 5)) for name in self.dimensions}
        else:
            a, b = (float(number) for number in question.hashes)
            worths = np.exp([a + self.first, self.log_nu + (a + b + self.first) / 2, b])
            values = {name: ["A", "TIE", "B"][rng.choice(3, p=worths / worths.sum())] for name in self.dimensions}
        return Answer(json.dumps(values), values)


class SlowJudge(FakeJudge):
    """Logs each question before it answers; dies at the batch of that number, or takes its time."""

    def __init__(self, log: Path, *, die_at: float | None, seconds: float) -> None:
        super().__init__(failing=0.1)
        self.log, self.die_at, self.seconds = log, die_at, seconds

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        with self.log.open("a") as file:
            file.writelines(f"{self.key(question)}\n" for question in questions)
        if len(self.batches) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds)
        return super().ask(questions)


def make_images(n: int) -> tuple[ImageFile, ...]:
    """Images that no one opens; strengths are normal quantiles, in a mixed order."""
    spread = np.random.default_rng(1).permutation(np.linspace(-2, 2, n))
    return tuple(ImageFile(f"i{k:03d}", Path(f"i{k:03d}.png"), repr(float(spread[k]))) for k in range(n))


def plan_fake_run() -> tuple[Question, ...]:
    return plan_pairs(make_images(20), n_opponents=6, random_seed=3)


def main(folder: Path, die_at: float | None, seconds: float, torn: float | None) -> None:
    """Run, and leave the table of preferences; with ``torn`` die while that batch is being written."""
    judge = SlowJudge(folder / "asked.log", die_at=die_at, seconds=seconds)
    with AnswerStore(folder / "answers.jsonl") as store:
        if torn is not None:
            sync = os.fsync
            count = 0

            def tear(descriptor: int) -> None:
                nonlocal count
                count += 1
                if count > torn:
                    os.ftruncate(descriptor, os.fstat(descriptor).st_size - 40)
                    os.kill(os.getpid(), signal.SIGKILL)
                sync(descriptor)

            os.fsync = tear
        run = run_judge(judge, plan_fake_run(), store, batch_size=7)
    run.preferences().to_parquet(folder / "preferences.parquet")
    run.failures.to_json(folder / "failures.json")
    (folder / "provenance.json").write_text(json.dumps(run.provenance()))


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    death, wait, tear_at = (None if number == "nan" else float(number) for number in numbers)
    main(Path(place), death, wait or 0.0, tear_at)
