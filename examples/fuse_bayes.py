"""Do ratings and comparisons by the same people measure one thing? Thirteen listeners judged fifteen voices both ways.

Each listener rated every voice (0 to 100) and compared all 105 pairs. The joint model gives each listener one utility
per voice; here ratings and preferences may also follow utilities of their own, and the model says how far they agree.

The files voicelik_ratings.csv and voicelik_pairs.csv were made from the repository
laufergall/Subjective_Speaker_Characteristics (ratings: rater, item, rating; pairs: rater, item_a, item_b, winner A or
B, margin 1 to 100).

    python examples/fuse_bayes.py --data FOLDER --out fusion.nc
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
    """Read, fit the joint model, look at the sampler's gate, and report what the two protocols share."""
    parser = argparse.ArgumentParser(description="Joint Bayesian fusion of ratings and comparisons of 15 voices.")
    parser.add_argument(
        "--data", default=os.environ.get("PPAINT_DATA"), help="folder of the files (default: $PPAINT_DATA)"
    )
    parser.add_argument("--draws", type=int, default=2000, help="draws per chain (default: 2000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help=".nc file for the whole fusion")
    args = parser.parse_args()
    data = find_data(args.data)

    study = ps.read_study(
        ratings=data / FILES[0],
        preferences=data / FILES[1],
        scale=(0, 100),  # no step: continuous
        columns={"winner": "outcome"},
        missing="drop",  # one rating is missing; a warning counts what is left out
    )
    print(study)
    fusion = ps.fuse_bayes(study, draws=args.draws, protocol_discrepancy=True, random_seed=args.seed)
    print(fusion, ps.diagnose(fusion).text, sep="\n\n")

    found = fusion.protocols.iloc[0]
    print(
        f"\nCorrelation of what ratings and preferences measure: {found['protocol_correlation']:.2f} "
        f"[{found['protocol_correlation_lower']:.2f}, {found['protocol_correlation_upper']:.2f}]"
    )
    print(f"Spread of the voices {found['item_sd']:.2f}, of a listener's own taste {found['taste_sd']:.2f} (utility)")
    ceiling = ps.noise_ceiling(fusion).iloc[0]
    print(
        f"Best rank correlation that any model can expect with these scores: {ceiling['estimate']:.2f} "
        f"[{ceiling['lower']:.2f}, {ceiling['upper']:.2f}]\n"
    )
    shown = fusion.select()[["rank", "item", "score", "sd", "lower", "upper", "rank_lower", "rank_upper"]]
    print(shown.to_string(index=False, float_format="{:.1f}".format))
    raters = fusion.raters.sort_values("sharpness")[
        ["rater", "sharpness", "sharpness_lower", "sharpness_upper", "discrimination", "severity", "noise"]
    ]
    print("\nListeners, the least sharp in comparing first:")
    print(raters.to_string(index=False, float_format="{:.2f}".format))
    if args.out is not None:
        print(f"Written: {fusion.save(args.out)}")


if __name__ == "__main__":
    main()
