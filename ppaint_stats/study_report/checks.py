"""Sections: whether a sampler converged, and how well fusions predict what was held out."""

from collections.abc import Sequence

import pandas as pd

from ppaint_stats.convergence import diagnose
from ppaint_stats.fusion import Fusion
from ppaint_stats.report import Report
from ppaint_stats.study_report.scores import name_fusions
from ppaint_stats.study_report.section import Finding, Section, Status

HOW_TO_SAMPLE = (
    "No fusion here was sampled. The joint model does it: ppaint fuse STUDY --method bayes --out joint.nc, then "
    "ppaint report STUDY --fusion joint.nc."
)
HOW_TO_VALIDATE = (
    "Nothing was held out. ppaint validate STUDY --out validation.json leaves each rater out; then ppaint report STUDY "
    "--validation validation.json."
)
VERDICTS: dict[str, Status] = {"not worse": "good", "worse": "bad", "not decided": "open"}


def describe_convergence(fusions: Sequence[Fusion]) -> Section:
    """Put the sampler's gate into words, for each fusion that has one."""
    tables: dict[str, pd.DataFrame] = {}
    texts, findings = [], []
    names = name_fusions(fusions)
    for fusion, name in zip(fusions, names, strict=True):
        if not len(fusion.convergence):
            continue
        report = diagnose(fusion)
        tables[f"checks of {name}"] = report.tables["checks"]
        texts.append(f"{name}: {report.text}")
        failed = report.tables["checks"][~report.tables["checks"]["passed"]]
        number = len(failed)
        if report.passed:
            text = f"Sampling of {name} passed all {len(report.tables['checks'])} checks of convergence."
            findings.append(Finding("good", "convergence", text, value=0.0, threshold=0.0))
        else:
            advice = "; ".join(dict.fromkeys(failed["advice"]))
            listed = ", ".join(f"{row['check']} {row['value']:.3g} (threshold {row['threshold']:g})"
                               for row in failed.to_dict("records"))  # fmt: skip
            text = f"Sampling of {name} failed {number} of {len(report.tables['checks'])} checks: {listed}."
            action = f"Do not use its scores yet: {advice}."
            findings.append(Finding("bad", "convergence", text, action, value=float(number), threshold=0.0))
    captions = dict.fromkeys(tables, "Checks of convergence, each with its threshold and where it is worst.")
    return Section(
        "Convergence of the sampler", tables, "\n\n".join(texts), captions=captions, anchor="convergence",
        findings=tuple(findings), missing=() if tables else (HOW_TO_SAMPLE,),
    )  # fmt: skip


def describe_prediction(validation: Report | None) -> Section:
    """Put the prediction of held-out judgments into a section."""
    if validation is None:
        return Section("Held-out prediction", {}, "", anchor="prediction", missing=(HOW_TO_VALIDATE,))
    findings = []
    for row in validation.tables.get("verdict", pd.DataFrame()).to_dict("records"):
        what = "all judgments" if row["protocol"] == "all" else row["protocol"]
        text = (
            f"Predicting {what} of people who were left out, {row['method']} is {row['verdict']} than the best single "
            f"protocol ({row['best_single']}): difference {row['difference']:+.4f} [{row['lower']:+.4f}, "
            f"{row['upper']:+.4f}] nats a judgment; down to {-row['margin']:g} is allowed."
        )
        if row["verdict"] == "not decided":
            text = text.replace("is not decided than", "may or may not be worse than")
        action = "" if row["verdict"] == "not worse" else "Use the single protocol, or add raters and try again."
        findings.append(Finding(VERDICTS.get(row["verdict"], "open"), "prediction", text, action, str(row["protocol"]),
                                row["difference"], row["lower"], row["upper"], -row["margin"]))  # fmt: skip
    captions = {
        "scores": "Log score in nats a judgment (higher is better), its gain over predictions without any score, rank "
        "correlation, accuracy and calibration, by method and protocol.",
        "verdict": "Joint fusions against the best single protocol.",
        "differences": "Differences of log scores with intervals over raters.",
        "raters": "How well each rater was predicted.",
    }
    tables = {name: table for name, table in validation.tables.items() if len(table)}
    return Section(
        "Held-out prediction", tables, validation.text, validation.settings, captions=captions, anchor="prediction",
        folded=frozenset(tables) - {"scores", "verdict"}, findings=tuple(findings),
    )  # fmt: skip
