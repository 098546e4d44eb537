"""What the tests of plots share: studies with plain and with strange names, and looking things up in axes."""

import numpy as np

import ppaint_stats as ps
from tests.bayes_helpers import remake

SCRIPT, FORMULA, LONG = "<script>alert(1)</script>", "cost $x_1$ and $y$", "very " * 30 + "long"
STRANGE = (SCRIPT, FORMULA, LONG, "two\nlines", "لوحة", "a \\$ & \"b\" 'c'", "$", "tab\tbell\a", "]]>", "{0}%s")
DESIGN = {"n_categories": 1, "n_items": 10, "n_pairs": 30, "n_raters": 4}


def simulate(*dimensions, **changes):
    design = ps.PPaintDesign(**(DESIGN | {"dimensions": dimensions} | changes))
    return ps.simulate_study(design, random_seed=1)


def make_strange(study):
    """The same study with names that are markup, formulas, more than one line, or right to left."""
    items = dict(zip(study.items(), STRANGE, strict=True))
    raters = dict(zip(study.raters, (SCRIPT, FORMULA, LONG, "\u202eread"), strict=True))
    tables = []
    for table in (study.ratings, study.preferences):
        named = table.assign(category=SCRIPT, rater=table["rater"].map(raters))
        named["dimension"] = named["dimension"].map({"mood": FORMULA, "overall": "over\nall"})
        for column in {"item", "item_a", "item_b"} & set(named):
            named[column] = named[column].map(items)
        tables.append(named)
    return remake(study, ratings=tables[0], preferences=tables[1])


def drawn(ax, label):
    """The line whose label starts so."""
    return next(line for line in ax.get_lines() if str(line.get_label()).startswith(label))


def segments(ax):
    """Ends of all lines that were drawn as intervals, by hlines."""
    return np.concatenate([collection.get_segments() for collection in ax.collections])


def rows(ax):
    return [text.get_text() for text in ax.get_yticklabels()]
