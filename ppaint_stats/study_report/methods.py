"""Section: methods and settings in words, to be pasted into a paper, with the works that were used."""

from collections.abc import Sequence

import pandas as pd

from ppaint_stats.fusion import Fusion
from ppaint_stats.report import Report
from ppaint_stats.report.cells import format_cell
from ppaint_stats.study import Study
from ppaint_stats.study_report.references import REFERENCES
from ppaint_stats.study_report.scores import name_fusions
from ppaint_stats.study_report.section import Section, count

INTERVALS = {
    "jackknife": ("intervals leave out one rater at a time (Efron & Stein, 1981)", ("efron",)),
    "bootstrap": ("intervals are quantiles over resamples of raters and items", ("owen",)),
    "hessian": ("intervals rest on the curvature of the likelihood, for these raters", ()),
    "posterior": ("intervals are quantiles of the posterior", ()),
    "none": ("no intervals were computed", ()),
}


def describe_methods(
    study: Study,
    fusions: Sequence[Fusion],
    reliability: Report,
    comparison: Report | None,
    validation: Report | None,
) -> Section:
    """Write the methods that were used, their settings, and their sources."""
    from ppaint_stats import __version__

    used: list[str] = []
    paragraphs = [_tell_data(study), _tell_reliability(study, reliability, used)]
    paragraphs += [
        _tell_fusion(fusion, name, study, used) for fusion, name in zip(fusions, name_fusions(fusions), strict=True)
    ]
    if comparison is not None:
        paragraphs.append(_tell_comparison(comparison))
    if validation is not None:
        paragraphs.append(_tell_validation(validation))
    paragraphs.append(f"All analyses were made with ppaint {__version__}; settings and seeds are in the table.")
    tables = {"settings": _collect_settings(fusions, reliability, comparison, validation)}
    sources = pd.DataFrame({"source": [REFERENCES[key] for key in sorted(set(used))]})
    tables["references"] = sources
    captions = {"settings": "What each analysis was run with.", "references": "Works that the methods above rest on."}
    return Section(
        "Methods and settings", tables, "\n\n".join(paragraphs), {"ppaint": __version__}, captions=captions,
        anchor="methods", folded=frozenset({"settings"}),
    )  # fmt: skip


def _tell_data(study: Study) -> str:
    parts = []
    if study.n_ratings:
        parts.append(f"rated items on {study.scale} ({count(study.n_ratings, 'rating')})")
    if study.n_preferences:
        ties = float((study.preferences["outcome"] == "TIE").mean()) if study.preferences is not None else 0.0
        allowed = ", ties allowed" if ties else ""
        parts.append(f"compared items in pairs{allowed} ({count(study.n_preferences, 'comparison')})")
    who = count(len(study.raters), "rater") if study.raters else "Raters whose names are not known"
    return (
        f"{who} {' and '.join(parts)}: {count(len(study.items()), 'item')} of "
        f"{count(len(study.categories), 'category')} on {count(len(study.dimensions), 'dimension')}."
    )


def _tell_reliability(study: Study, report: Report, used: list[str]) -> str:
    s = report.settings
    lines = []
    if study.n_ratings:
        used += ["krippendorff", "mcgraw", "brennan"]
        lines.append(
            f"Reliability of ratings was measured by Krippendorff's alpha ({s.get('level')}; Krippendorff, 2011) and "
            "intraclass correlations (McGraw & Wong, 1996); raters needed follow from generalizability theory "
            "(Brennan, 2001)."
        )
    if study.n_preferences:
        used.append("kendall")
        lines.append(
            "Agreement on comparisons was corrected for chance symmetrically in the two items (alpha_sym; without "
            "ties it is Kendall's u, Kendall & Babington Smith, 1940)."
        )
    if study.n_ratings and study.n_preferences:
        lines.append("Protocols were compared on the same items by the rank correlation of two raters' orders.")
    if s.get("n_boot"):
        used += ["owen"]
        what = "items and raters" if s.get("resample") == "both" else "items"
        lines.append(
            f"Intervals of {float(str(s.get('interval_prob', 0.95))):.0%} are from {format_cell(s['n_boot'])} "
            f"resamples of {what} (Owen, 2007), seed {s.get('random_seed')}."
        )
    if len(report.tables.get("checklist", ())):
        used.append("kottner")
        lines.append("The report follows GRRAS (Kottner et al., 2011).")
    return " ".join(lines)


def _tell_fusion(fusion: Fusion, name: str, study: Study, used: list[str]) -> str:
    s = fusion.settings
    asked = str(s.get("protocols", "both"))
    rated = study.n_ratings > 0 and asked != "preferences"
    compared = study.n_preferences > 0 and asked != "ratings"
    if fusion.method in ("bayes", "laplace"):
        text = _tell_joint(fusion, used, rated=rated, compared=compared)
    else:
        text = _tell_anchored(fusion, used, rated=rated, compared=compared)
    words, sources = INTERVALS.get(str(s["interval_kind"]), (f"intervals: {s['interval_kind']}", ()))
    used += sources
    share = "" if s["interval_kind"] == "none" else f"{float(s['interval_prob']):.0%} "
    target = {"population": "raters like these", "panel": "these raters", "relative": "differences from the mean"}
    return (
        f"Fusion by {name}: {text}; {share}{words}; the scores are those of "
        f"{target.get(str(s.get('target')), 'these')}; seed {s.get('random_seed')}."
    )


def _tell_anchored(fusion: Fusion, used: list[str], *, rated: bool, compared: bool) -> str:
    s = fusion.settings
    if not compared:
        shrunken = ", shrunken to best linear predictions" if fusion.method == "davidson" else ""
        return f"ratings alone gave the item effects of an additive model of items and raters{shrunken}"
    if fusion.method == "davidson":
        used += ["davidson", "bradley"]
        text = (
            "comparisons were modelled by Davidson's extension of the Bradley-Terry model to ties (Davidson, 1970; "
            "Bradley & Terry, 1952)"
        )
        text += ", with rating scores as anchors of the strengths" if rated else ""
    elif fusion.method == "elo":
        used.append("elo")
        text = f"Elo ratings (Elo, 1978; K = {format_cell(s.get('k'))})"
        text += " started at the rating scores, which also anchored them, and" if rated else ""
        text += f" were averaged over {format_cell(s.get('n_orders'))} random orders of the comparisons"
    else:
        used.append("perez")
        what = "ratings and comparisons were put" if rated else "comparisons were put"
        return f"{what} on one scale by a probit model (Perez-Ortiz et al., 2019)"
    return text + (", and strengths were mapped to the rating scale by a sigmoid" if fusion.calibrated else "")


def _tell_joint(fusion: Fusion, used: list[str], *, rated: bool, compared: bool) -> str:
    s = fusion.settings
    used += [*(["davidson"] if compared else []), *(["mccullagh"] if rated else []), "hoffman"]
    sources = [
        *(["comparisons (Davidson, 1970)"] if compared else []),
        *(["ratings (McCullagh, 1980)"] if rated else []),
    ]
    text = (
        "one joint Bayesian model of all raters, categories and dimensions gave each rater a utility per item, behind "
        f"{' and '.join(sources)}"
    )
    if fusion.method == "laplace":
        return (
            f"{text}; its posterior was approximated: {s.get('run_chains')} chains of NUTS (Hoffman & Gelman, 2014), "
            f"{s.get('run_draws')} draws after {s.get('run_tune')}, and {s.get('draws')} draws from a normal "
            "approximation of utilities and consensus given these"
        )
    used.append("vehtari")
    return (
        f"{text}; it was sampled by NUTS (Hoffman & Gelman, 2014; {s.get('chains')} chains of {s.get('draws')} draws "
        f"after {s.get('tune')}), and convergence was judged by Vehtari et al. (2021)"
    )


def _tell_comparison(comparison: Report) -> str:
    s = comparison.settings
    text = "Fusions were compared by Spearman's rank correlation within each category and dimension"
    if "verdicts" in comparison.tables:
        return (
            f"{text}, and fitted again to {s.get('n_splits')} splits of the raters into halves and to permuted "
            "ratings, so that "
            "agreement about the items could be told from agreement by common input."
        )
    return f"{text}."


def _tell_validation(validation: Report) -> str:
    s = validation.settings
    what = (
        "each rater in turn was left out" if s.get("by") == "rater" else "comparisons of groups of items were left out"
    )
    return (
        f"For prediction {what} and predicted from the rest (log score in nats a judgment, {s.get('folds')} folds, "
        f"margin {s.get('margin')})."
    )


def _collect_settings(
    fusions: Sequence[Fusion], reliability: Report, comparison: Report | None, validation: Report | None
) -> pd.DataFrame:
    parts = [("reliability", reliability.settings)]
    parts += [(f"fusion by {name}", f.settings) for name, f in zip(name_fusions(fusions), fusions, strict=True)]
    parts += [
        (name, r.settings) for name, r in (("comparison", comparison), ("validation", validation)) if r is not None
    ]
    rows = [
        (part, str(key), format_cell(value)) for part, settings in parts for key, value in settings.items()
        if value is not None
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["analysis", "setting", "value"])
