"""Reproduce published reliability tables, then print the same kind of table for a study of ratings and preferences.

Sources: Krippendorff (2011), Computing Krippendorff's alpha-reliability, data A and C; Hayes and Krippendorff (2007),
Communication Methods and Measures 1, 77-89; Shrout and Fleiss (1979), Psychological Bulletin 86, 420-428; Kendall and
Babington Smith (1940), Biometrika 31, 324-345. Their data are the small tables in tests/data.

    python examples/reliability_tables.py --n-boot 1000
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

import ppaint_stats as ps
from ppaint_stats import reliability as rel

DATA = Path(__file__).parents[1] / "tests" / "data"
ALPHAS = (  # source, file, level, published (where it was), exact fraction (where there is one)
    ("Krippendorff 2011, A", "krippendorff_2011_two_raters", "nominal", ".095", "2/21"),
    ("Krippendorff 2011, C", "krippendorff_2011_missing", "nominal", ".743", "113/152"),
    ("Krippendorff 2011, C", "krippendorff_2011_missing", "ordinal", ".815", "108577/133160"),
    ("Krippendorff 2011, C", "krippendorff_2011_missing", "interval", ".849", "951/1120"),
    ("Krippendorff 2011, C", "krippendorff_2011_missing", "ratio", ".797", ""),
    ("Hayes & Krippendorff 2007", "hayes_krippendorff_2007", "nominal", "", "6400/13431"),
    ("Hayes & Krippendorff 2007", "hayes_krippendorff_2007", "ordinal", ".7598", "441835031/581492574"),
    ("Hayes & Krippendorff 2007", "hayes_krippendorff_2007", "interval", "", "10111/13350"),
)
COEFFICIENTS = (".17", ".29", ".71", ".44", ".62", ".91")  # of Shrout & Fleiss, in the order of `icc`
LEFT_OUT = ([3, 1, 0], [0, 5, 3])  # raters and items of three cells to leave out


def reproduce_published(console: Console) -> None:
    """Print what was published beside what is computed here."""
    table = Table("data", "level", "published", "exact", "here", title="Krippendorff's alpha")
    for source, name, level, published, fraction in ALPHAS:
        found = rel.krippendorff_alpha(np.genfromtxt(DATA / f"{name}.csv", delimiter=","), level=level)
        table.add_row(source, level, published, fraction, f"{found.estimate:.12f}")
    console.print(table)

    ratings = np.genfromtxt(DATA / "shrout_fleiss_1979.csv", delimiter=",")  # a row per rater, a column per item
    full = rel.icc(ratings)
    ratings[LEFT_OUT] = np.nan
    full["fewer"] = rel.icc(ratings)["estimate"]
    title = "Shrout & Fleiss 1979: intraclass correlations"
    table = Table("", "published", "here", "95% F interval", "3 cells missing: REML", title=title)
    for (name, row), published in zip(full.iterrows(), COEFFICIENTS, strict=True):
        interval = f"{row['lower']:.6f} to {row['upper']:.6f}"
        table.add_row(str(name), published, f"{row['estimate']:.9f}", interval, f"{row['fewer']:.6f}")
    console.print(table)

    dog = rel.circular_triads(pd.read_csv(DATA / "kendall_babington_smith_1940.csv")).iloc[0]
    table = Table("", "published", "here", title="Kendall & Babington Smith 1940: a dog chooses among 6 foods")
    table.add_row("circular triads", "5", str(dog["triads"]))
    table.add_row("coefficient of consistence, zeta", ".375", f"{dog['zeta']:.9f}")
    console.print(table)


def assess_simulated(console: Console, n_boot: int) -> None:
    """Print alpha, W and leave-one-out correlation of each protocol, for a simulated study of the size of PPaint."""
    study = ps.simulate_study(ps.PPaintDesign(), random_seed=1).study
    title = f"Simulated study: {study.n_preferences:,} preferences, {study.n_ratings:,} ratings; 95% intervals"
    table = Table("category", "dimension", "protocol", "alpha", "W", "leave-one-out SRCC", title=title)
    options = {"n_boot": n_boot, "random_seed": 1}
    for category, dimension in study.cells:
        cell = study.select(categories=[category], dimensions=[dimension])
        statistics = (rel.krippendorff_alpha, rel.kendall_w, rel.mean_leave_one_out)
        rows = {"ratings": [statistic(cell.ratings, **options) for statistic in statistics]}
        orders = rel.order_agreement(cell.preferences, **options)
        alpha = rel.alpha_sym(cell.preferences, **options)
        rows["preferences"] = [alpha, orders["kendall_w"], orders["rank_leave_one_out"]]
        for protocol, row in rows.items():
            shown = [f"{x.estimate:.2f} \\[{x.lower:.2f}, {x.upper:.2f}]" if x.defined else x.reason for x in row]
            table.add_row(category, dimension, protocol, *shown, end_section=protocol == "preferences")
    console.print(table)
    print(
        "Alpha of ratings is Krippendorff's, ordinal; alpha of preferences is alpha_sym. They do not measure the same:"
    )
    print("examples/reliability_voices.py compares protocols in the same terms.")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description="Published reliability tables, and that of a simulated study.")
    parser.add_argument("--n-boot", type=int, default=300, help="bootstrap replicates (default: 300)")
    args = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)  # a file or a pipe has no width of its own
    reproduce_published(console)
    assess_simulated(console, args.n_boot)


if __name__ == "__main__":
    main()
