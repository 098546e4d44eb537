"""Fuse ratings and pairwise preferences of the same items into one calibrated score per item, with an interval.

Names are imported when they are first used, so that importing the package is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the same names for type checkers and editors
    from ppaint_stats.calibrate import fit_sigmoid as fit_sigmoid
    from ppaint_stats.check import check_study as check_study
    from ppaint_stats.convergence import diagnose as diagnose
    from ppaint_stats.davidson import DavidsonFit as DavidsonFit
    from ppaint_stats.davidson import fit_davidson as fit_davidson
    from ppaint_stats.design import balanced_presentation as balanced_presentation
    from ppaint_stats.design import locally_dense_pairs as locally_dense_pairs
    from ppaint_stats.design import plan_comparisons as plan_comparisons
    from ppaint_stats.doctor import examine_installation as examine_installation
    from ppaint_stats.fuse.bayes import fuse_bayes as fuse_bayes
    from ppaint_stats.fuse.davidson import fuse_davidson as fuse_davidson
    from ppaint_stats.fuse.elo import elo_sensitivity as elo_sensitivity
    from ppaint_stats.fuse.elo import fuse_elo as fuse_elo
    from ppaint_stats.fuse.thurstone import fuse_thurstone as fuse_thurstone
    from ppaint_stats.fusion import Fusion as Fusion
    from ppaint_stats.fusion_io import load_fusion as load_fusion
    from ppaint_stats.io import counts_to_preferences as counts_to_preferences
    from ppaint_stats.io import melt_ratings as melt_ratings
    from ppaint_stats.io import read_study as read_study
    from ppaint_stats.model import build_model as build_model
    from ppaint_stats.planning.plan import StudyPlan as StudyPlan
    from ppaint_stats.planning.plan import plan_study as plan_study
    from ppaint_stats.plots import plot_agreement as plot_agreement
    from ppaint_stats.plots import plot_calibration as plot_calibration
    from ppaint_stats.plots import plot_correlations as plot_correlations
    from ppaint_stats.plots import plot_costs as plot_costs
    from ppaint_stats.plots import plot_design as plot_design
    from ppaint_stats.plots import plot_null as plot_null
    from ppaint_stats.plots import plot_orders as plot_orders
    from ppaint_stats.plots import plot_plan as plot_plan
    from ppaint_stats.plots import plot_protocols as plot_protocols
    from ppaint_stats.plots import plot_ranks as plot_ranks
    from ppaint_stats.plots import plot_raters as plot_raters
    from ppaint_stats.plots import plot_reliability as plot_reliability
    from ppaint_stats.plots import plot_scores as plot_scores
    from ppaint_stats.predictive import log_likelihood as log_likelihood
    from ppaint_stats.predictive import posterior_predictive as posterior_predictive
    from ppaint_stats.priors import LogNormal as LogNormal
    from ppaint_stats.priors import Normal as Normal
    from ppaint_stats.priors import Priors as Priors
    from ppaint_stats.ranks import composite_scores as composite_scores
    from ppaint_stats.ranks import noise_ceiling as noise_ceiling
    from ppaint_stats.ranks import rank_probabilities as rank_probabilities
    from ppaint_stats.ranks import top_k_probabilities as top_k_probabilities
    from ppaint_stats.reliability.assess import assess_reliability as assess_reliability
    from ppaint_stats.report import Report as Report
    from ppaint_stats.report import load_report as load_report
    from ppaint_stats.scale import RatingScale as RatingScale
    from ppaint_stats.simulate import Simulation as Simulation
    from ppaint_stats.simulate import simulate_study as simulate_study
    from ppaint_stats.simulation_design import PPaintDesign as PPaintDesign
    from ppaint_stats.study import Study as Study
    from ppaint_stats.study_report.build import report_study as report_study
    from ppaint_stats.study_report.document import StudyReport as StudyReport
    from ppaint_stats.validation.compare import compare_fusions as compare_fusions
    from ppaint_stats.validation.cross_validate import cross_validate as cross_validate
    from ppaint_stats.validation.protocols import compare_protocols as compare_protocols
    from ppaint_stats.validation.sensitivity import fusion_sensitivity as fusion_sensitivity

__version__ = "0.1.0"

_HOME = {
    "DavidsonFit": "davidson",
    "Fusion": "fusion",
    "LogNormal": "priors",
    "Normal": "priors",
    "PPaintDesign": "simulation_design",
    "Priors": "priors",
    "RatingScale": "scale",
    "Report": "report",
    "Simulation": "simulate",
    "Study": "study",
    "StudyPlan": "planning.plan",
    "StudyReport": "study_report.document",
    "assess_reliability": "reliability.assess",
    "balanced_presentation": "design",
    "build_model": "model",
    "check_study": "check",
    "compare_fusions": "validation.compare",
    "compare_protocols": "validation.protocols",
    "composite_scores": "ranks",
    "counts_to_preferences": "io",
    "cross_validate": "validation.cross_validate",
    "diagnose": "convergence",
    "elo_sensitivity": "fuse.elo",
    "examine_installation": "doctor",
    "fit_davidson": "davidson",
    "fit_sigmoid": "calibrate",
    "fuse_bayes": "fuse.bayes",
    "fuse_davidson": "fuse.davidson",
    "fuse_elo": "fuse.elo",
    "fuse_thurstone": "fuse.thurstone",
    "fusion_sensitivity": "validation.sensitivity",
    "load_fusion": "fusion_io",
    "load_report": "report",
    "locally_dense_pairs": "design",
    "log_likelihood": "predictive",
    "melt_ratings": "io",
    "noise_ceiling": "ranks",
    "plan_comparisons": "design",
    "plan_study": "planning.plan",
    "plot_agreement": "plots",
    "plot_calibration": "plots",
    "plot_correlations": "plots",
    "plot_costs": "plots",
    "plot_design": "plots",
    "plot_null": "plots",
    "plot_orders": "plots",
    "plot_plan": "plots",
    "plot_protocols": "plots",
    "plot_ranks": "plots",
    "plot_raters": "plots",
    "plot_reliability": "plots",
    "plot_scores": "plots",
    "posterior_predictive": "predictive",
    "rank_probabilities": "ranks",
    "read_study": "io",
    "report_study": "study_report.build",
    "simulate_study": "simulate",
    "top_k_probabilities": "ranks",
}
"""Module of each public name."""

__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - derived, so that no list can lag behind


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
