"""How should the next expert-hours be spent? From a pilot to a plan.

A pilot of 20 items by four raters is simulated and fused. Its posterior says how different the raters are and how
sharply they judge, and from that follows what a study of 50 new items would give: intervals' widths and the accuracy of
the ranking, for every number of raters, ratings and comparisons. Then the pilot's own items: is it better to ask the
same raters for more, or others?

    python examples/plan_study.py --hours 10 --out plan.html
"""

import argparse
from pathlib import Path

import ppaint_stats as ps
from ppaint_stats.planning import plan_study

COSTS = {"minutes_per_rating": 0.5, "minutes_per_comparison": 0.25, "minutes_per_rater": 15}
SHOWN = ["who", "raters", "ratings_per_item", "pairs_per_rater", "hours", "width_population", "srcc"]


def main() -> None:
    """Fuse a pilot, plan a study of new items, and plan to go on with the pilot's."""
    parser = argparse.ArgumentParser(description="Plan a study from a simulated pilot.")
    parser.add_argument("--hours", type=float, default=10.0, help="raters' time to spend (default: 10)")
    parser.add_argument("--draws", type=int, default=1000, help="draws per chain of the pilot's fit (default: 1000)")
    parser.add_argument("--worlds", type=int, default=8, help="draws of items and raters (default: 8)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help=".html file for the plan")
    args = parser.parse_args()

    design = ps.PPaintDesign(n_categories=1, n_items=20, n_raters=4, n_pairs=80, dimensions=("overall",))
    study = ps.simulate_study(design, random_seed=args.seed).study
    pilot = ps.fuse_bayes(study, draws=args.draws, random_seed=args.seed)
    print(pilot)

    options = {**COSTS, "budget_minutes": 60 * args.hours, "n_worlds": args.worlds, "random_seed": args.seed}
    plan = plan_study(pilot=pilot, n_items=50, n_raters=(3, 5, 8, 12), ratings_per_item=(1, 2), **options)
    print("\n50 new items\n", plan.text, sep="\n")
    print(plan.frontier[SHOWN].round(2).to_string(index=False))

    # The judgments of the pilot are kept: designs come on top of them.
    kept = plan_study(pilot=pilot, pilot_study=study, n_raters=(2, 4, 8), ratings_per_item=(0, 1), **options)
    print("\nThe 20 items of the pilot\n", kept.text, sep="\n")
    print(kept.frontier[SHOWN].round(2).to_string(index=False))
    if args.out is not None:
        plan.to_html(args.out)
        print(f"Written: {args.out}")


if __name__ == "__main__":
    main()
