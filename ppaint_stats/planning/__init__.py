"""Planning: how wide intervals will be and how well items will be ranked, before the judgments are made and paid."""

from ppaint_stats.planning.plan import StudyPlan, plan_study

__all__ = ["StudyPlan", "plan_study"]
