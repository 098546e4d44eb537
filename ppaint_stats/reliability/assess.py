"""assess_reliability: how far ratings, preferences and each rater of a study can be trusted, as one report."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import cast

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_count
from ppaint_stats.columns import CATEGORY, DIMENSION
from ppaint_stats.errors import ArgumentError
from ppaint_stats.kernels.agreement import Level
from ppaint_stats.kernels.bootstrap import Resample
from ppaint_stats.progress import track
from ppaint_stats.reliability.cell_statistics import match_cell, measure_preferences, measure_ratings
from ppaint_stats.reliability.cells import require_study
from ppaint_stats.reliability.checklist import fill_checklist
from ppaint_stats.reliability.design_table import tabulate_design
from ppaint_stats.reliability.estimate import Estimate, check_bootstrap
from ppaint_stats.reliability.items import collect_items, tabulate_items
from ppaint_stats.reliability.krippendorff import LEVELS
from ppaint_stats.reliability.raters import collect_raters, tabulate_raters
from ppaint_stats.reliability.study_cells import DIFFERENCE, PREFERENCES, RATINGS, Options, StudyCell, split_study
from ppaint_stats.reliability.verdict import Verdict, judge_protocols
from ppaint_stats.reliability.words import write_text
from ppaint_stats.report import Report
from ppaint_stats.seeds import describe_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import RandomSeed

SUMMARY_COLUMNS = (
    "category", "dimension", "protocol", "statistic", "estimate", "lower", "upper", "n_items", "n_raters",
    "n_judgments", "interval_kind", "n_boot", "n_undefined", "p_below_667", "p_below_800", "reason",
)  # fmt: skip

STEPS = ("match", "ratings", "preferences", "raters")
"""Parts of the work on one cell, for the progress bar."""

PATIENCE = 2.0
"""Seconds before a progress bar appears."""


def assess_reliability(
    study: Study,
    *,
    n_boot: int = 2000,
    random_seed: RandomSeed = None,
    interval_prob: float = 0.95,
    resample: Resample = "both",
    level: str = "auto",
    n_subsets: int = 3,
    progressbar: bool = True,
) -> Report:
    r"""Assess how reliable ratings, preferences and single raters are, and compare the two protocols.

    Parameters
    ----------
    study : Study
        Ratings, preferences or both, any number of categories and dimensions.
    n_boot : int
        Bootstrap replicates; 0 gives no intervals.
    random_seed : int or numpy.random.SeedSequence or None
        Seed; None draws one, which ``settings`` tells.
    interval_prob : float
        Probability of the intervals.
    resample : {"both", "items"}
        Resample items and raters, for raters like these; or items alone, for these raters.
    level : {"auto", "ordinal", "nominal", "interval", "ratio"}
        Metric of Krippendorff's alpha. ``"auto"``: ordinal, with nominal and interval beside it, on scales with steps;
        interval, with ordinal beside it, on continuous ones.
    n_subsets : int
        Random subsets of the comparisons at each cost of the cost curves; 0 leaves the curves out.
    progressbar : bool
        Whether work of more than two seconds shows a bar, where standard error is a terminal.

    Returns
    -------
    Report
        Tables (each documented at the function that makes it):

        - ``summary``: ``category, dimension, protocol, statistic, estimate, lower, upper, n_items, n_raters,
          n_judgments, interval_kind, n_boot, n_undefined, p_below_667, p_below_800, reason``. ``protocol`` is
          ``"ratings"``, ``"preferences"`` or ``"difference"`` (preferences - ratings, paired, on the items that both
          judged). ``n_undefined`` resamples had no value and are left out of the interval (``reason`` says so
          above 1 %). The two probabilities
          are given for alphas. A missing value or interval has its ``reason``;
        - ``verdicts``: which protocol orders the items of a cell more reliably;
        - ``raters``, ``items`` (most disputed ones);
        - ``matched``, ``curves``: the matched comparisons, and reliability against cost;
        - ``design``: numbers, missing ratings, ties; ``checklist``: GRRAS.

        ``text`` says it in words, ``settings`` holds arguments and versions.

    Raises
    ------
    ArgumentError
        If an argument has a value that is not allowed.
    DataError
        If ratings do not fit the level.

    Notes
    -----
    Statistics of protocol ``"ratings"``: Krippendorff's alpha; six intraclass correlations; raters needed for a mean
    rating of reliability 0.8; ``mean_leave_one_out`` and ``split_half`` in the units of ratings. Of
    ``"preferences"``: ``kendall_u`` with its test (``kendall_u_p``), ``separation_reliability``, means over raters of
    zeta and transitivity. Of both, on one footing: ``kendall_w``, ``rank_correlation``, ``rank_leave_one_out`` and
    ``rank_split_half`` of the raters' orders, and the statistics of comparisons, for ratings those of the comparisons
    that they imply (`match_protocols`).

    Where a rater rated an item again (``trial``), the first rating counts between raters; the repeats give the rater's
    self-consistency.

    Examples
    --------
    >>> from ppaint_stats import PPaintDesign, simulate_study
    >>> design = PPaintDesign(n_categories=1, n_items=12, n_pairs=40, dimensions=("mood",))
    >>> report = assess_reliability(simulate_study(design, random_seed=1).study, n_boot=100, random_seed=1)
    >>> summary = report.tables["summary"].set_index(["protocol", "statistic"])
    >>> sorted(set(summary.index.get_level_values("protocol")))
    ['difference', 'preferences', 'ratings']
    >>> bool(summary.loc[("preferences", "alpha_sym"), "estimate"] > 0)
    True
    """
    check_bootstrap(n_boot, random_seed, interval_prob, resample)
    check_count("n_subsets", n_subsets, 0)
    require_study(study, "assess_reliability")
    if random_seed is None:
        random_seed = int(np.random.SeedSequence().generate_state(1)[0])
    options = Options(n_boot, interval_prob, resample, choose_levels(study, level), n_subsets)
    cells = list(split_study(study, random_seed))
    rater_rows: list[dict[str, object]] = []
    item_rows: list[dict[str, object]] = []
    steps = [(cell, step) for cell in cells for step in STEPS]
    for cell, step in track(
        steps, total=len(steps), description="Reliability", progressbar=progressbar, patience=PATIENCE
    ):
        if step == "match":
            match_cell(cell, options)
        elif step == "ratings":
            measure_ratings(cell, options)
        elif step == "preferences":
            measure_preferences(cell, options)
        else:
            rater_rows += tabulate_raters(cell, options)
            item_rows += tabulate_items(cell)
    return _report(study, cells, collect_raters(rater_rows), collect_items(item_rows), options, random_seed)


def choose_levels(study: Study, level: str) -> tuple[Level, ...]:
    """Metrics of Krippendorff's alpha that fit the scale, the main one first."""
    if level == "auto":
        stepped = study.scale is not None and study.scale.step is not None
        return ("ordinal", "interval", "nominal") if stepped else ("interval", "ordinal")
    if level not in LEVELS:
        allowed = ", ".join(map(repr, ("auto", *LEVELS)))
        raise ArgumentError(f"level={level!r} is not allowed: one of {allowed} is")
    return (cast("Level", level),)


def tabulate_summary(cells: list[StudyCell], options: Options) -> pd.DataFrame:
    """Put the estimates of all cells into one tidy table."""
    rows = [
        cell.key | {"protocol": protocol} | tabulate_estimate(protocol, name, estimate, options)
        for cell in cells
        for protocol in (RATINGS, PREFERENCES, DIFFERENCE)
        for name, estimate in cell.estimates.get(protocol, {}).items()
    ]
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def tabulate_estimate(protocol: str, name: str, estimate: Estimate, options: Options) -> dict[str, object]:
    """One row: what is missing has a reason."""
    row = estimate.to_row() | {"n_undefined": estimate.n_undefined}
    reason = estimate.reason
    open_ended = np.isnan(estimate.lower) or np.isnan(estimate.upper)
    if estimate.defined and open_ended and "interval" not in reason:
        why = "no interval: n_boot=0" if not options.n_boot else "no interval is known for it"
        reason = f"{reason}; {why}" if reason else why
    below = {"p_below_667": np.nan, "p_below_800": np.nan}
    if "alpha" in name and protocol != DIFFERENCE and estimate.draws is not None and estimate.defined:
        below = {"p_below_667": estimate.probability_below(0.667), "p_below_800": estimate.probability_below(0.8)}
    return row | below | {"statistic": name, "reason": reason}


def judge_cells(cells: list[StudyCell], options: Options) -> list[Verdict]:
    """Which protocol orders the items more reliably, for each cell with both; no verdict without intervals."""
    if not options.n_boot:
        return []
    return [judge_protocols(cell.match) for cell in cells if cell.match is not None]


def _report(
    study: Study,
    cells: list[StudyCell],
    raters: pd.DataFrame,
    items: pd.DataFrame,
    options: Options,
    random_seed: RandomSeed,
) -> Report:
    summary, design = tabulate_summary(cells, options), tabulate_design(study, cells)
    verdicts = judge_cells(cells, options)
    settings: dict[str, object] = {
        "n_boot": options.n_boot,
        "random_seed": describe_seed(random_seed),
        "interval_prob": options.interval_prob,
        "resample": options.resample,
        "level": options.levels[0],
        "n_subsets": options.n_subsets,
        "scale": "none" if study.scale is None else str(study.scale),
        "python": platform.python_version(),
    }
    settings |= {name: _find_version(name) for name in ("ppaint", "numpy", "pandas", "scipy")}
    tables = {
        "summary": summary,
        "verdicts": _tabulate_verdicts(verdicts),
        "raters": raters,
        "items": items,
        "matched": _stack(cells, "table"),
        "curves": _stack(cells, "curves"),
        "design": design,
        "checklist": fill_checklist(study, design, settings, len(summary), int(summary["estimate"].isna().sum())),
    }
    text = write_text(summary, raters, items, design, verdicts, options)
    return Report(title="Reliability of the study", tables=tables, text=text, settings=settings)


def _tabulate_verdicts(verdicts: list[Verdict]) -> pd.DataFrame:
    names = ("category", "dimension", "choice", "statistic", "difference", "lower", "upper", "raters_needed", "text")
    return pd.DataFrame([[getattr(v, name) for name in names] for v in verdicts], columns=list(names))


def _stack(cells: list[StudyCell], name: str) -> pd.DataFrame:
    """Tables of the matched comparisons of all cells, one below the other."""
    found = [(cell.key, getattr(cell.match, name)) for cell in cells if cell.match is not None]
    parts = [table.assign(**key)[[CATEGORY, DIMENSION, *table.columns]] for key, table in found if len(table)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[CATEGORY, DIMENSION])


def _find_version(name: str) -> str:
    from ppaint_stats import __version__

    if name == "ppaint":
        return __version__
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
