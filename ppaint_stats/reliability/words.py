"""The text of the report on reliability, written from the numbers of its tables."""

from collections import Counter

import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION
from ppaint_stats.reliability.phrases import first_reason, pick_rows, say_p_value, say_value
from ppaint_stats.reliability.remarks import (
    SURE,
    add_caution,
    remark_gaps,
    remark_items,
    remark_raters,
    remark_width,
)
from ppaint_stats.reliability.study_cells import DIFFERENCE, PREFERENCES, RATINGS, Options
from ppaint_stats.reliability.verdict import Verdict

TENTATIVE, FIRM = 0.667, 0.8
"""Krippendorff's least alpha for tentative and for firm conclusions."""


def write_text(
    summary: pd.DataFrame,
    raters: pd.DataFrame,
    items: pd.DataFrame,
    design: pd.DataFrame,
    verdicts: list[Verdict],
    options: Options,
) -> str:
    """Say what the tables show: numbers, intervals, thresholds.

    Parameters
    ----------
    summary, raters, items, design
        Tables of the report.
    verdicts
        One for each matched cell.
    options
        Arguments.

    Returns
    -------
    str
        Paragraphs.
    """
    paragraphs = [
        _introduce(design, options),
        _describe_ratings(summary, options),
        _describe_preferences(summary),
        " ".join(filter(None, [_describe_difference(summary, verdicts), add_caution(design)])),
        remark_width(summary, options),
        remark_raters(raters, design),
        remark_items(items, design),
        remark_gaps(summary),
    ]
    return "\n\n".join(part for part in paragraphs if part)


def _introduce(design: pd.DataFrame, options: Options) -> str:
    n_categories, n_dimensions = design[CATEGORY].nunique(), design[DIMENSION].nunique()
    where = "One category and dimension"
    if len(design) > 1:
        names = (("category", "categories"), ("dimension", "dimensions"))
        parts = [
            f"{n} {one if n == 1 else many}" for n, (one, many) in zip((n_categories, n_dimensions), names, strict=True)
        ]
        where = f"{len(design)} cells ({' x '.join(parts)})"
    many = " Numbers are medians over cells, with the range over cells in parentheses." if len(design) > 1 else ""
    if not options.n_boot:
        return f"{where}.{many} No resampling was asked for (n_boot=0), so that most values have no interval."
    drawn = "items and raters" if options.resample == "both" else "items, these raters taken as the only ones"
    place = "Summary holds" if many else "Brackets hold"
    return (
        f"{where}.{many} {place} {options.interval_prob:.0%} intervals, mostly by {options.n_boot:,} resamples of "
        f"{drawn}; interval_kind names the kind of each."
    )


def _describe_ratings(summary: pd.DataFrame, options: Options) -> str:
    level = options.levels[0]
    name = f"krippendorff_alpha_{level}"
    alpha = say_value(summary, RATINGS, name)
    if not alpha:
        rows = pick_rows(summary, RATINGS, name)
        return "" if rows.empty else f"Ratings have no value of Krippendorff's alpha: {first_reason(rows)}."
    sentences = [
        f"Ratings: Krippendorff's alpha ({level}) is {alpha}. {_judge_alpha(pick_rows(summary, RATINGS, name))}"
    ]
    one, panel = (say_value(summary, RATINGS, f"ICC(A,{k})") for k in "1k")
    if one and panel:
        sentences.append(
            f"The reliability of one rating is {one} (ICC(A,1)), that of the mean of all raters {panel} (ICC(A,k))."
        )
    if needed := say_value(summary, RATINGS, "raters_needed_relative"):
        sentences.append(f"Raters needed for mean ratings that order items with a reliability of 0.8: {needed}.")
    return " ".join([*sentences, _describe_orders(summary, RATINGS)]).strip()


def _describe_orders(summary: pd.DataFrame, protocol: str) -> str:
    rho, half = (say_value(summary, protocol, name) for name in ("rank_correlation", "rank_split_half"))
    if not rho:
        rows = pick_rows(summary, protocol, "rank_correlation")
        return f"The orders of raters cannot be compared: {first_reason(rows)}." if len(rows) else ""
    text = f"Two raters' orders correlate at {rho}"
    return f"{text}; the panel's mean order has a split-half reliability of {half}." if half else f"{text}."


def _judge_alpha(rows: pd.DataFrame) -> str:
    """Place alpha against the two thresholds, by the probabilities where there are resamples."""
    known = rows[rows["estimate"].notna()]
    n = len(known)
    if not known["p_below_667"].notna().all():
        n_low, n_high = int((known["estimate"] < TENTATIVE).sum()), int((known["estimate"] >= FIRM).sum())
        if n == 1:
            place = f"below {TENTATIVE}" if n_low else f"at least {FIRM}" if n_high else f"{TENTATIVE} to {FIRM}"
            return f"The value is {place}; without an interval that is no judgment."
        return f"It is below {TENTATIVE} in {n_low} and at least {FIRM} in {n_high} of {n} cells; no intervals."
    low, high = known["p_below_667"], known["p_below_800"]
    if n == 1:
        p, q = float(low.iloc[0]), float(high.iloc[0])
        if p > SURE:
            return f"It is below {TENTATIVE} {_chance(p)}: single ratings do not bear even tentative conclusions."
        if p > 1 - SURE:
            return f"It is below {TENTATIVE} {_chance(p)}: single ratings may or may not bear tentative conclusions."
        if q > 1 - SURE:
            start = f"Single ratings bear tentative conclusions ({TENTATIVE} or more)"
            return f"{start}; alpha is below {FIRM}, the least for firm ones, {_chance(q)}."
        return f"It is below {FIRM} {_chance(q)}: single ratings bear firm conclusions."
    below, above = int((low > SURE).sum()), int((high < 1 - SURE).sum())
    return (
        f"It is below {TENTATIVE}, the least for tentative conclusions, with a probability over {SURE} in {below} of "
        f"{n} cells, and at least {FIRM} as surely in {above}."
    )


def _chance(p: float) -> str:
    return f"with probability {'over 0.99' if p > 0.995 else 'below 0.01' if p < 0.005 else f'{p:.2f}'}"


def _describe_preferences(summary: pd.DataFrame) -> str:
    rows = pick_rows(summary, PREFERENCES, "alpha_sym")
    if rows.empty:
        return ""
    alpha = say_value(summary, PREFERENCES, "alpha_sym")
    if not alpha:
        sentences = [f"Preferences have no value of alpha_sym: {first_reason(rows)}."]
        if separation := say_value(summary, PREFERENCES, "separation_reliability"):
            sentences.append(
                f"The separation reliability of the consensus scores is {separation}; it takes every comparison as if "
                "it came from a new rater."
            )
    else:
        agreement, decided, ties = (
            say_value(summary, PREFERENCES, name) for name in ("percent_agreement", "agreement_decided", "tie_rate")
        )
        sentences = [f"Preferences: alpha_sym, agreement beyond chance on single comparisons, is {alpha}."]
        text = f"Two raters judge a pair alike at a rate of {agreement}"
        if decided and float(pick_rows(summary, PREFERENCES, "tie_rate")["estimate"].max()) > 0:
            text += f", where both decide at {decided}; the tie rate is {ties}"
        sentences.append(f"{text}.")
        sentences.append(_describe_orders(summary, PREFERENCES))
    if transitive := say_value(summary, PREFERENCES, "mean_transitivity"):
        sentences.append(f"Of a rater's decided triads {transitive} are transitive (coins: 0.75).")
    tests = pick_rows(summary, PREFERENCES, "kendall_u_p")
    tests = tests[tests["estimate"].notna()]
    if len(tests) == 1:
        sentences.append(f"That all comparisons are coin tosses has p {say_p_value(float(tests['estimate'].iloc[0]))}.")
    elif len(tests):
        sure = int((tests["estimate"] < 1 - SURE).sum())
        sentences.append(f"Coin tosses are refuted (p < {1 - SURE:.2f}) in {sure} of {len(tests)} cells.")
    return " ".join(filter(None, sentences))


def _describe_difference(summary: pd.DataFrame, verdicts: list[Verdict]) -> str:
    rows = pick_rows(summary, DIFFERENCE, "rank_correlation")
    if rows.empty:
        return ""
    parts = {"single judgments (alpha_sym)": say_value(summary, DIFFERENCE, "alpha_sym")}
    if len(verdicts) != 1:  # the text of a single verdict has these
        parts |= {
            "single judgments with ties made as frequent": say_value(summary, DIFFERENCE, "alpha_tie_matched"),
            "two raters' orders (rank correlation)": say_value(summary, DIFFERENCE, "rank_correlation"),
        }
    found = [f"of {name} {value}" for name, value in parts.items() if value]
    implied = say_value(summary, RATINGS, "alpha_sym")
    if not found and not verdicts:
        return f"Both protocols cannot be compared: {first_reason(rows)}."
    sentences = []
    if implied:
        sentences.append(f"The comparisons that ratings imply on the same items have an alpha_sym of {implied}.")
    if found:
        sentences.append(f"Differences, preferences minus ratings: {'; '.join(found)}.")
    if len(verdicts) == 1:
        sentences.append(verdicts[0].text)
    elif verdicts:
        count = Counter(verdict.choice for verdict in verdicts)
        sentences.append(
            f"Preferences order the items more reliably in {count['preferences']} of {len(verdicts)} cells, ratings in "
            f"{count['ratings']}; {count['undecided']} are undecided. The table of verdicts has each."
        )
    return " ".join(filter(None, sentences))
