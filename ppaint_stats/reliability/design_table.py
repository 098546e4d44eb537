"""What each cell rests on: numbers of items, raters and judgments, what is missing, ties, repeats."""

import pandas as pd

from ppaint_stats.check_tables import tabulate_cells
from ppaint_stats.columns import ITEM, RATER
from ppaint_stats.reliability.study_cells import StudyCell
from ppaint_stats.study import Study


def tabulate_design(study: Study, cells: list[StudyCell]) -> pd.DataFrame:
    """Count what every cell holds.

    Parameters
    ----------
    study
        The study.
    cells
        Its cells, in the same order.

    Returns
    -------
    DataFrame
        One row per cell: the columns of ``check_study``'s table of cells, and ``rating_raters, preference_raters,
        shared_raters`` (by name), ``repeated_ratings`` (beyond the first of an item by a rater), ``pairs`` (different
        item pairs compared), ``pairs_by_one_rater``, ``repeated_comparisons`` and ``comparisons_per_item`` (mean
        number of comparisons that an item is in).
    """
    table = tabulate_cells(study)
    more = []
    for cell in cells:
        rated = set() if cell.matrix is None else set(cell.matrix.raters)
        compared = set() if cell.compared is None else set(cell.compared.raters)
        n_cells = len(cell.repeats.drop_duplicates([RATER, ITEM])) if len(cell.repeats) else 0
        row: dict[str, object] = {
            "rating_raters": len(rated),
            "preference_raters": len(compared),
            "shared_raters": len(rated & compared),
            "repeated_ratings": len(cell.repeats) - n_cells,
            "pairs": 0,
            "pairs_by_one_rater": 0,
            "repeated_comparisons": 0,
            "comparisons_per_item": float("nan"),
        }
        if cell.compared is not None:
            n_items = len(cell.compared.items)
            row["comparisons_per_item"] = 2 * cell.compared.n_judgments / n_items
            signs = cell.compared.signs
            if signs is None:
                low_high = {frozenset(pair) for pair in zip(cell.compared.a, cell.compared.b, strict=True)}
                row["pairs"] = len(low_high)
            else:
                row["pairs"] = signs.n_pairs
                row["pairs_by_one_rater"] = int((signs.judged.sum(axis=0) == 1).sum())
                row["repeated_comparisons"] = int(cell.compared.n_judgments - signs.judged.sum())
        more.append(row)
    return pd.concat([table, pd.DataFrame(more)], axis=1)
