"""Judges: models that compare or rate images, and the record of what they answered.

:class:`~ppaint_distill.judge.hf.HFJudge` lives in ``ppaint_distill.judge.hf``, which imports torch; the rest does not.
"""

from ppaint_distill.judge.base import Answer, Judge, Question, ServedJudge, make_key
from ppaint_distill.judge.costs import Spent
from ppaint_distill.judge.openai import OpenAIJudge
from ppaint_distill.judge.plan import draw_pairs, plan_pairs, plan_ratings
from ppaint_distill.judge.run import JudgeRun, run_judge
from ppaint_distill.judge.store import AnswerStore, Entry
from ppaint_distill.judge.tables import read_provenance, write_preferences

__all__ = [
    "Answer",
    "AnswerStore",
    "Entry",
    "Judge",
    "JudgeRun",
    "OpenAIJudge",
    "Question",
    "ServedJudge",
    "Spent",
    "draw_pairs",
    "make_key",
    "plan_pairs",
    "plan_ratings",
    "read_provenance",
    "run_judge",
    "write_preferences",
]
