"""Reliability: how far each protocol and each rater can be trusted.

Names are imported when they are first used, so that importing the package is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the same names for type checkers and editors
    from ppaint_stats.reliability.assess import assess_reliability as assess_reliability
    from ppaint_stats.reliability.derived import order_agreement as order_agreement
    from ppaint_stats.reliability.derived import rater_scores as rater_scores
    from ppaint_stats.reliability.derived import separation_reliability as separation_reliability
    from ppaint_stats.reliability.estimate import Estimate as Estimate
    from ppaint_stats.reliability.generalizability import GStudy as GStudy
    from ppaint_stats.reliability.generalizability import d_study as d_study
    from ppaint_stats.reliability.generalizability import g_study as g_study
    from ppaint_stats.reliability.generalizability import raters_needed as raters_needed
    from ppaint_stats.reliability.habits import rater_habits as rater_habits
    from ppaint_stats.reliability.intraclass import icc as icc
    from ppaint_stats.reliability.krippendorff import krippendorff_alpha as krippendorff_alpha
    from ppaint_stats.reliability.matched import ProtocolMatch as ProtocolMatch
    from ppaint_stats.reliability.matched import match_protocols as match_protocols
    from ppaint_stats.reliability.preferences import KendallU as KendallU
    from ppaint_stats.reliability.preferences import alpha_sym as alpha_sym
    from ppaint_stats.reliability.preferences import kendall_u as kendall_u
    from ppaint_stats.reliability.preferences import preference_agreement as preference_agreement
    from ppaint_stats.reliability.ratings import kendall_w as kendall_w
    from ppaint_stats.reliability.ratings import leave_one_rater_out as leave_one_rater_out
    from ppaint_stats.reliability.ratings import mean_leave_one_out as mean_leave_one_out
    from ppaint_stats.reliability.ratings import rank_correlation as rank_correlation
    from ppaint_stats.reliability.ratings import split_half as split_half
    from ppaint_stats.reliability.triads import circular_triads as circular_triads
    from ppaint_stats.reliability.verdict import Verdict as Verdict
    from ppaint_stats.reliability.verdict import judge_protocols as judge_protocols

_HOME = {
    "Estimate": "estimate",
    "GStudy": "generalizability",
    "KendallU": "preferences",
    "ProtocolMatch": "matched",
    "Verdict": "verdict",
    "alpha_sym": "preferences",
    "assess_reliability": "assess",
    "circular_triads": "triads",
    "d_study": "generalizability",
    "g_study": "generalizability",
    "icc": "intraclass",
    "judge_protocols": "verdict",
    "kendall_u": "preferences",
    "kendall_w": "ratings",
    "krippendorff_alpha": "krippendorff",
    "leave_one_rater_out": "ratings",
    "match_protocols": "matched",
    "mean_leave_one_out": "ratings",
    "order_agreement": "derived",
    "preference_agreement": "preferences",
    "rank_correlation": "ratings",
    "rater_habits": "habits",
    "rater_scores": "derived",
    "raters_needed": "generalizability",
    "separation_reliability": "derived",
    "split_half": "ratings",
}
"""Module of each public name."""

__all__ = [*_HOME]  # noqa: PLE0604 - derived, so that no list can lag behind


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in _HOME:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
