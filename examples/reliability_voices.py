"""Which protocol orders more reliably? The same 13 listeners rated 15 voices and compared all 105 pairs of them.

A listener's two ratings imply which of two voices that listener prefers, so that both protocols can be described by the
same statistics. One draw of voices and listeners serves both: their difference has an interval of its own.

The files voicelik_ratings.csv and voicelik_pairs.csv were made from the repository
laufergall/Subjective_Speaker_Characteristics
(ratings: rater, item, rating; pairs: rater, item_a, item_b, winner A or B).

    python examples/reliability_voices.py --data FOLDER
"""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

import ppaint_stats as ps
from ppaint_stats import reliability as rel

FILES = ("voicelik_ratings.csv", "voicelik_pairs.csv")


def find_data(folder: str | None) -> Path:
    """Return the folder that holds the files, or say where they come from."""
    if folder is None or not all((Path(folder) / name).is_file() for name in FILES):
        sys.exit(
            f"needs a folder with {' and '.join(FILES)}, named by --data or by $PPAINT_DATA; the "
            "voices are those of github.com/laufergall/Subjective_Speaker_Characteristics, "
            "and the columns stand at the top of this file"
        )
    return Path(folder)


def read_aloud(match: rel.ProtocolMatch) -> str:
    """Say in words what the numbers show, and what they leave open."""
    alpha, cheap, full = match.estimates["alpha_sym"], match.curves.iloc[0], match.curves.iloc[-1]
    gap, higher = alpha["difference"], "preferences" if alpha["difference"].estimate > 0 else "ratings"
    decided = gap.lower > 0 or gap.upper < 0
    return (
        f"- Two listeners agree more by {higher}: {alpha['preferences'].estimate:.3f} by preferences, "
        f"{alpha['ratings'].estimate:.3f} by ratings, where 0 is chance. For voices and listeners like these, the "
        f"difference may be anything from {gap.lower:+.2f} to {gap.upper:+.2f}: "
        f"{'it is decided' if decided else 'it is not decided'}.\n"
        f"- Each listener gave {full['comparisons_per_rater']:.0f} comparisons, but one rating per voice. With only "
        f"{cheap['comparisons_per_rater']:.0f} comparisons, as many as ratings, the order by all listeners would have "
        f"a reliability of {cheap['preferences_estimate']:.2f}, against {cheap['ratings_estimate']:.2f} by ratings.\n"
        f"- For the price of all comparisons, ratings by {full['rating_raters']:.0f} listeners would have "
        f"{full['ratings_estimate']:.2f}, and the comparisons have {full['preferences_estimate']:.2f}."
    )


def main() -> None:
    """Read, match the protocols, and show statistics, cost curve, circular triads, and what they say."""
    parser = argparse.ArgumentParser(description="Compare the reliability of ratings and comparisons of 15 voices.")
    folder = os.environ.get("PPAINT_DATA")
    parser.add_argument("--data", default=folder, help="folder of the files (default: $PPAINT_DATA)")
    parser.add_argument("--n-boot", type=int, default=2000, help="bootstrap replicates (default: 2000)")
    args = parser.parse_args()
    data, console = find_data(args.data), Console(width=None if sys.stdout.isatty() else 120)

    columns = {"winner": "outcome"}  # one rating is missing: a warning counts what is left out
    files = {"ratings": data / FILES[0], "preferences": data / FILES[1]}
    study = ps.read_study(**files, scale=(0, 100), columns=columns, missing="drop")
    match = rel.match_protocols(study, n_boot=args.n_boot, random_seed=1)

    table = Table("statistic", "ratings", "preferences", "difference", "interval", title="Same voices, same listeners")
    for row in match.table.itertuples():
        values = (row.ratings_estimate, row.preferences_estimate, row.difference)
        interval = f"{row.difference_lower:+.3f} to {row.difference_upper:+.3f}"
        table.add_row(row.statistic, *(f"{value:.6f}" for value in values), interval)
    console.print(table)

    table = Table("judgments per voice", "comparisons per listener", title="Reliability of the panel's order, by cost")
    for column in ("listeners who rate", "ratings", "preferences", "difference", "interval"):
        table.add_column(column)
    for row in match.curves.itertuples():
        sizes = (row.judgments_per_item, row.comparisons_per_rater, row.rating_raters)
        values = (row.ratings_estimate, row.preferences_estimate, row.difference)
        interval = f"{row.difference_lower:+.2f} to {row.difference_upper:+.2f}"
        table.add_row(*(f"{size:.0f}" for size in sizes), *(f"{value:.3f}" for value in values), interval)
    console.print(table)

    table = Table("listener", "circular triads", "by coin tosses", "zeta", title="Who contradicts themself?")
    for row in rel.circular_triads(study.preferences).sort_values("triads").itertuples():
        shares = f"{row.triads} of {row.decided_triads}", f"{row.expected_triads:.0f}"
        table.add_row(row.rater, *shares, f"{row.zeta:.3f}")
    console.print(table)
    print(read_aloud(match))


if __name__ == "__main__":
    main()
