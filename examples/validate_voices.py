"""Does a fused score predict a listener whom it has never met? Thirteen listeners, fifteen voices, two protocols.

Each listener in turn is left out of everything; the voices are scored by the other twelve, and what the thirteenth
said is predicted. The files are those of fuse_bayes.py, where their columns are described:
github.com/laufergall/Subjective_Speaker_Characteristics.

    python examples/validate_voices.py --data FOLDER --quick
    python examples/validate_voices.py --data FOLDER --cache folds --out validation.html
"""

import argparse
import os
import sys
from pathlib import Path

import ppaint_stats as ps
from ppaint_stats.validation.cross_validate import cross_validate

FILES = ("voicelik_ratings.csv", "voicelik_pairs.csv")
FAST = ("ratings", "preferences", "elo", "davidson", "thurstone")
SLOW = ("bayes", "bayes:ratings", "bayes:preferences")


def find_data(folder: str | None) -> Path:
    """Return the folder that holds the files, or say where they come from."""
    if folder is None or not all((Path(folder) / name).is_file() for name in FILES):
        sys.exit(
            f"needs a folder with {' and '.join(FILES)}, named by --data or by $PPAINT_DATA; the "
            "voices are those of github.com/laufergall/Subjective_Speaker_Characteristics"
        )
    return Path(folder)


def main() -> None:
    """Read, hold listeners out, and report who predicts whom."""
    parser = argparse.ArgumentParser(description="Predict held-out listeners of 15 voices from all the others.")
    parser.add_argument(
        "--data", default=os.environ.get("PPAINT_DATA"), help="folder of the files (default: $PPAINT_DATA)"
    )
    parser.add_argument("--quick", action="store_true", help="without the joint Bayesian model: seconds, not minutes")
    parser.add_argument("--cache", type=Path, help="folder that keeps each fit, so that a stopped run goes on")
    parser.add_argument("--jobs", type=int, default=1, help="fits side by side (default: 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help=".html file for the whole report")
    args = parser.parse_args()
    data = find_data(args.data)

    study = ps.read_study(
        ratings=data / FILES[0],
        preferences=data / FILES[1],
        scale=(0, 100),
        columns={"winner": "outcome"},
        missing="drop",
    )
    report = cross_validate(
        study,
        methods=FAST if args.quick else FAST + SLOW,
        options={} if args.quick else {"bayes": {"draws": 1000, "tune": 500}},
        n_jobs=args.jobs,
        cache_dir=args.cache,
        random_seed=args.seed,
        progressbar=True,
    )
    print(report.text)

    protocols = report.tables["protocols"].set_index(["predicts", "fused_on", "method"])[
        ["gain", "rank_correlation", "accuracy"]
    ]
    print("\nWhat is predicted, from what, by which method (gain in nats a judgment over predictions without scores):")
    print(protocols.sort_index(level=0, sort_remaining=False).to_string(float_format="{:.3f}".format, na_rep=""))

    raters = report.tables["raters"].query("protocol == 'all'")
    wide = raters.pivot_table(index="rater", columns="method", values="gain", sort=False).drop(columns="no scores")
    best = "bayes" if "bayes" in wide else "davidson"
    print("\nGain by listener, those who are predicted worst first:")
    print(wide.sort_values(best).to_string(float_format="{:.3f}".format))
    if args.out is not None:
        report.to_html(args.out)
        print(f"Written: {args.out}")


if __name__ == "__main__":
    main()
