"""The GRRAS checklist for reports on reliability and agreement, filled from the study as far as it can be."""

from collections.abc import Mapping

import pandas as pd

from ppaint_stats.study import Study

COLUMNS = ("number", "section", "asks_for", "status", "from_the_study", "author_adds")
AUTHOR, PART, DONE = "author", "in part", "filled"


def fill_checklist(
    study: Study, design: pd.DataFrame, settings: Mapping[str, object], n_values: int, n_undefined: int
) -> pd.DataFrame:
    """Fill the Guidelines for Reporting Reliability and Agreement Studies.

    Parameters
    ----------
    study
        The study.
    design
        Its table of cells.
    settings
        Arguments and versions.
    n_values, n_undefined
        How many statistics were asked for, and how many have no value.

    Returns
    -------
    DataFrame
        The fifteen items: ``number, section, asks_for, status`` (``"filled"``, ``"in part"``, or ``"author"``: nothing
        of it is in the data), ``from_the_study``, ``author_adds``.

    Notes
    -----
    Kottner, Audigé, Brorson, Donner, Gajewski, Hróbjartsson, Roberts, Shoukri & Streiner (2011), Journal of Clinical
    Epidemiology 64, 96-106; items in the words of this package.
    """
    judged = _count_judgments(study)
    low, high = (int(f(design["raters"])) for f in (min, max))
    raters = f"{low}" if low == high else f"{low} to {high}"
    repeats = int(design["repeated_ratings"].sum() + design["repeated_comparisons"].sum())
    repeated = f"{repeats:,} repeated judgments" if repeats else "no repeated judgments"
    scale = "" if study.scale is None else f"ratings on {study.scale}"
    pairs = "" if study.preferences is None else "comparisons of two items"
    ties = "" if study.preferences is None else _describe_ties(design)
    device = " and ".join(filter(None, (scale, pairs)))
    names = ", ".join(study.dimensions[:10]) + (" ..." if len(study.dimensions) > 10 else "")
    many = f" in {len(study.cells)} cells" if len(study.cells) > 1 else ""
    size = (
        f"{len(study.items()):,} items, {len(study.raters):,} raters ({raters} in a cell), {judged}{many}; {repeated}"
    )
    n_boot = settings["n_boot"]
    interval = f"{settings['interval_prob']:.0%} intervals"
    drawn = "items and raters" if settings["resample"] == "both" else "items"
    analysis = f"{interval} by {n_boot:,} resamples of {drawn}, seed {settings['random_seed']}" if n_boot else "none"
    undefined = f"; {n_undefined:,} of them undefined, each with its reason" if n_undefined else ""
    rows = [
        ("title", "title or abstract say that reliability or agreement was studied", AUTHOR, "", "the words"),
        ("introduction", "the instrument, named and described", PART, f"{device}; dimensions: {names}",
         "wording of the questions, labels of the scale, the screen"),
        ("introduction", "the population of items", PART, f"categories: {', '.join(study.categories[:10])}",
         "what kind of items, and which they stand for"),
        ("introduction", "the population of raters", AUTHOR, "", "who they are and whom they stand for"),
        ("introduction", "what is known already, and why the study was made", AUTHOR, "", "earlier studies, rationale"),
        ("methods", "how the sample size was chosen", PART, size, "the plan, and its reason"),
        ("methods", "how items and raters were sampled", AUTHOR, "", "sampling of items, recruiting of raters"),
        ("methods", "how measurements were made", PART, f"{repeated}{'; ' + ties if ties else ''}",
         "order of items and protocols, time between them, time limits, blinding"),
        ("methods", "whether raters judged independently", AUTHOR, "", "whether raters could see or discuss judgments"),
        ("methods", "the statistical analysis", DONE, f"{analysis}; versions: see settings", "what was planned before"),
        ("results", "raters, items and judgments that are in the analysis", DONE, f"{size}; see design",
         "what was excluded before these data, and why"),
        ("results", "characteristics of items and raters", PART, "rater habits: see raters",
         "training, experience, demography"),
        ("results", "estimates with their uncertainty", DONE, f"{n_values:,} statistics in summary{undefined}", ""),
        ("discussion", "what the results mean in practice", PART,
         "see text: thresholds, raters needed, difference of protocols", "whether this is enough for the use at hand"),
        ("supplement", "detailed results", DONE, "this report as JSON, and its tables", "where it can be had"),
    ]  # fmt: skip
    return pd.DataFrame([(i, *row) for i, row in enumerate(rows, 1)], columns=list(COLUMNS))


def _count_judgments(study: Study) -> str:
    parts = []
    if study.n_ratings:
        parts.append(f"{study.n_ratings:,} ratings")
    if study.n_preferences:
        parts.append(f"{study.n_preferences:,} comparisons")
    return " and ".join(parts)


def _describe_ties(design: pd.DataFrame) -> str:
    rate = design["ties"].dropna()
    low, high = rate.min(), rate.max()
    return f"{low:.1%} ties" if high - low < 5e-4 else f"{low:.1%} to {high:.1%} ties"
