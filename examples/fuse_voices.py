"""Fuse real ratings and comparisons of voices: the same 13 listeners rated 15 voices and compared all 105 pairs.

Ratings are continuous, 0 to 100, and one is missing. Comparisons have a winner and a margin of 1 to 100; there was no
way to call a tie, so small margins are cut to ties.

The files voicelik_ratings.csv and voicelik_pairs.csv were made from the repository
laufergall/Subjective_Speaker_Characteristics
(ratings: rater, item, rating; pairs: rater, item_a, item_b, winner A or B, margin).

    python examples/fuse_voices.py --data FOLDER --tie-margin 10 --out scores.csv
"""

import argparse
import os
import sys
from pathlib import Path

import ppaint_stats as ps

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


def main() -> None:
    """Read, check, fuse three ways, compare, and show the scores."""
    parser = argparse.ArgumentParser(description="Fuse real ratings and comparisons of 15 voices.")
    parser.add_argument(
        "--data", default=os.environ.get("PPAINT_DATA"), help="folder of the files (default: $PPAINT_DATA)"
    )
    parser.add_argument("--tie-margin", type=float, default=10, help="margins up to this are ties (default: 10)")
    parser.add_argument("--out", type=Path, help="CSV file for the scores")
    args = parser.parse_args()
    data = find_data(args.data)

    study = ps.read_study(
        ratings=data / FILES[0],
        preferences=data / FILES[1],
        scale=(0, 100),  # no step: continuous
        columns={"winner": "outcome"},
        tie_margin=args.tie_margin,
        missing="drop",  # one rating is missing; a warning counts what is left out
    )
    print(study)
    ties = (study.preferences["outcome"] == "TIE").mean()
    print(f"Margins up to {args.tie_margin:g} became ties: {ties:.1%} of the comparisons.\n")
    for note in ps.check_study(study).tables["notes"].itertuples():
        print(f"{note.level}: {note.where}: {note.finding}")

    davidson = ps.fuse_davidson(study)
    fusions = (davidson, ps.fuse_elo(study, random_seed=1), ps.fuse_thurstone(study))
    print("", *fusions, sep="\n")
    print("\n" + ps.compare_fusions(*fusions).text)

    share = davidson.parameters["rating_share"].item()
    print(f"\nOf what is known about a voice, the ratings bring {share:.0%} and the comparisons the rest.\n")
    shown = davidson.select()[["rank", "item", "score", "lower", "upper", "rank_lower", "rank_upper"]]
    print(shown.to_string(index=False, float_format="{:.1f}".format))
    best, second = shown["item"].iloc[:2]
    chance = davidson.probability_better(best, second)
    print(f"\nProbability that {best} is liked better than {second} by listeners like these: {chance:.2f}")
    if args.out is not None:
        print(f"Written: {davidson.to_csv(args.out)}")


if __name__ == "__main__":
    main()
