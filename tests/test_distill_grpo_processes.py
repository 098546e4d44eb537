"""Training on written answers in two processes: rewards are over the whole batch, whoever wrote the answers."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from grpo_helpers import PROMPT, WHOLE, WRITTEN, make_world

from ppaint_distill.config import Config
from ppaint_distill.data import match_targets
from ppaint_distill.scorer import Scorer
from ppaint_distill.targets import read_targets
from ppaint_distill.trainer.rollouts import RankingReward, read_answer

pytest.importorskip("trl")

SCRIPT = """
import os, pickle, sys
sys.path[:0] = [{tests!r}]
from dataclasses import replace
from pathlib import Path
import torch
torch.set_num_threads(1)
import grpo_helpers as t
from ppaint_distill.trainer.rollouts import RankingReward
call, seen = RankingReward.__call__, []
def record(self, *, completions, row, step, **more):
    rewards = call(self, completions=completions, row=row, step=step, **more)
    seen.append((step[0], list(row), [one[0]["content"] for one in completions], rewards, self.record))
    return rewards
RankingReward.__call__ = record
result = t.run(Path({world!r}), Path({out!r}), replace(t.WHOLE, max_steps=3), replace(t.WRITTEN, micro_batch_size=6))
seen.append(result.model.fingerprint)
Path({out!r} + "-" + os.environ["RANK"] + ".pkl").write_bytes(pickle.dumps(seen))
"""


def test_two_processes_reward_as_one_does_on_the_whole_batch(tmp_path):
    (tmp_path / "world").mkdir()
    world, out = make_world(tmp_path / "world"), tmp_path / "run"
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), world=str(world), out=str(out)))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(launch, env=environment, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    first, second = (pickle.loads((tmp_path / f"run-{rank}.pkl").read_bytes()) for rank in (0, 1))
    assert first[-1] == second[-1] == Scorer.from_pretrained(out, device="cpu").loaded.fingerprint
    data = match_targets(read_targets(world / "targets.parquet"), world / "images", dimensions=PROMPT.dimensions)
    whole = RankingReward(data, Config(prompt=PROMPT, train=replace(WHOLE, max_steps=3), grpo=WRITTEN))
    alone = RankingReward(data, Config(prompt=PROMPT, train=replace(WHOLE, max_steps=3), grpo=WRITTEN))
    differ = []
    for (step, rows, texts, rewards, record), (other_step, other_rows, others, more, other_record) in zip(
        first[:-1], second[:-1], strict=True
    ):
        assert step == other_step
        assert not set(rows) & set(other_rows)  # each process has images of its own
        assert texts != others
        batch = zip([*rows, *other_rows], [*texts, *others], strict=True)
        at_once = whole.reward([read_answer(row, text, PROMPT) for row, text in batch], step=step)
        assert [*rewards, *more] == at_once
        assert record == other_record == whole.record
        own = zip(rows, texts, strict=True)
        half = alone.reward([read_answer(row, text, PROMPT) for row, text in own], step=step)
        differ.append(any(a != b for a, b in zip(half, rewards, strict=True)))
    assert len(differ) == 3
    assert all(differ)  # its own images alone would be another reward
