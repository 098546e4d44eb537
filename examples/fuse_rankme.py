"""Fuse real judgments whose comparisons fall apart: 300 texts, compared only within 100 triples.

For each of 100 inputs three systems wrote a text. People rated the texts (1 to 6) and compared the three of one input,
on three dimensions. No comparison joins two inputs, so preferences alone cannot rank the texts; ratings put them on one
scale.

The files rankme_ratings.csv and rankme_pairs.csv were made from the repository jeknov/RankME, CC BY-SA 4.0
(ratings: dimension, rater, item, rating; pairs: dimension, rater, item_a, item_b, winner A, B or tie, margin).

    python examples/fuse_rankme.py --data FOLDER --out scores.csv
"""

import argparse
import os
import sys
from pathlib import Path

import pandas as pd

import ppaint_stats as ps
from ppaint_stats.errors import DisconnectedGraphError

FILES = ("rankme_ratings.csv", "rankme_pairs.csv")


def find_data(folder: str | None) -> Path:
    """Return the folder that holds the files, or say where they come from."""
    if folder is None or not all((Path(folder) / name).is_file() for name in FILES):
        sys.exit(
            f"needs a folder with {' and '.join(FILES)}, named by --data or by $PPAINT_DATA; "
            "the texts are those of github.com/jeknov/RankME, and the columns stand at the top of this file"
        )
    return Path(folder)


def compare_systems(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the scores of each system's texts; an item is named input|system."""
    system = scores["item"].str.split("|").str[1].rename("system")
    return (
        scores.groupby([system, "dimension"], sort=False)["score"]
        .mean()
        .reset_index()
        .pivot_table("score", "system", "dimension")
    )


def main() -> None:
    """Read, check, see preferences alone refused, fuse, and show what the ratings brought."""
    parser = argparse.ArgumentParser(description="Fuse real ratings and comparisons of 300 texts in 100 triples.")
    parser.add_argument(
        "--data", default=os.environ.get("PPAINT_DATA"), help="folder of the files (default: $PPAINT_DATA)"
    )
    parser.add_argument(
        "--interval", default="jackknife", choices=["jackknife", "hessian", "none"], help="kind of interval"
    )
    parser.add_argument("--out", type=Path, help="CSV file for the scores")
    args = parser.parse_args()
    data = find_data(args.data)

    columns = {"winner": "outcome"}
    study = ps.read_study(ratings=data / FILES[0], preferences=data / FILES[1], scale=(1, 6, 1), columns=columns)
    print(study, "\n")
    cells = ps.check_study(study).tables["cells"]
    print(
        cells[["dimension", "items", "comparisons", "ties", "comparison_parts", "joint_parts"]].to_string(index=False)
    )

    print("\nPreferences alone:")
    try:
        ps.fuse_davidson(study, protocols="preferences")
    except DisconnectedGraphError as refusal:
        print(f"  refused: {refusal}")

    fusion = ps.fuse_davidson(study, interval=args.interval)
    print(f"\nBoth protocols:\n  {fusion}")
    shown = ["dimension", "slope", "rating_sd", "rating_share", "design_effect", "loglik_preferences", "loglik_ratings"]
    print(fusion.parameters[shown].to_string(index=False, float_format="{:.4g}".format))
    n_scored = int(fusion.scores["score"].notna().sum())
    low, high = fusion.parameters["rating_share"].min(), fusion.parameters["rating_share"].max()
    print(
        f"\nEvery text has a score ({n_scored} of {len(fusion.scores)}); "
        f"the ratings bring {low:.0%} to {high:.0%} of what is known."
    )
    print(fusion.summary().drop(columns="category").to_string(index=False, float_format="{:.3f}".format))
    print("\nMean score of the systems:")
    print(compare_systems(fusion.scores).to_string(float_format="{:.2f}".format))
    if args.out is not None:
        print(f"Written: {fusion.to_csv(args.out)}")


if __name__ == "__main__":
    main()
