"""Davidson's model on 1,000 items and 200,000 comparisons with ties, beside evalica's and choix's fastest fits.

`fit_davidson` is timed end to end: from a frame with string ids to strengths with standard errors. Newman's algorithm
(evalica) fits the same model, without standard errors; it takes lists, so its call alone is timed, and the call with
the conversion of the frame. ILSR (choix) fits Bradley-Terry, which knows no ties: it gets the decided comparisons.
"""

import numpy as np
import pandas as pd
from common import best_time, read_arguments, simulate_davidson, write_results
from threadpoolctl import threadpool_limits

import ppaint_stats as ps


def main() -> None:
    args = read_arguments(__doc__)
    n_items, n_comparisons, repeats = (100, 5_000, 1) if args.quick else (1_000, 200_000, 5)
    truth, frame = simulate_davidson(n_items, n_comparisons, nu=0.8, seed=1)
    with threadpool_limits(1):  # evalica and choix use one thread as well
        table, fit = time_fits(frame, n_items, repeats)
    slope = np.polyfit(truth.reindex(fit.strengths.index), fit.strengths, 1)[0]
    ties = (frame["outcome"] == "TIE").mean()
    note = (
        f"{n_items:,} items, {n_comparisons:,} comparisons, {ties:.1%} ties, string ids; best of {repeats} warm runs "
        f"in one process, on one thread. fit_davidson: {fit.iterations} Newton steps, slope on the true strengths "
        f"{slope:.3f}."
    )
    write_results(args.out, "davidson_speed", {"times": table}, note=note, digits=4)


def time_fits(frame: pd.DataFrame, n_items: int, repeats: int) -> tuple[pd.DataFrame, ps.DavidsonFit]:
    fit = ps.fit_davidson(frame)
    ours = best_time(lambda: ps.fit_davidson(frame), repeats=repeats)
    rows = [
        {"fit": "fit_davidson, from the frame", "standard errors": "yes", "ties": "modelled", "seconds": ours},
        {
            "fit": "fit_davidson, from the frame",
            "standard errors": "no",
            "ties": "modelled",
            "seconds": best_time(lambda: ps.fit_davidson(frame, standard_errors=False), repeats=repeats),
        },
    ]
    rows += time_evalica(frame, fit.strengths, repeats) + time_choix(frame, n_items, repeats)
    table = pd.DataFrame(rows)
    table["times ours"] = table["seconds"] / ours
    return table, fit


def time_evalica(frame: pd.DataFrame, strengths: pd.Series, repeats: int) -> list[dict[str, object]]:
    import evalica

    winner = {"A": evalica.Winner.X, "TIE": evalica.Winner.Draw, "B": evalica.Winner.Y}

    def convert() -> tuple[list[str], list[str], list[evalica.Winner]]:
        return frame["item_a"].tolist(), frame["item_b"].tolist(), [winner[o] for o in frame["outcome"]]

    lists = convert()
    rows = []
    for name, options in (("default tolerance", {}), ("tolerance 1e-9", {"tolerance": 1e-9, "limit": 10_000})):
        found = evalica.newman(*lists, **options)
        logs = np.log(found.scores).reindex(strengths.index)
        gap = float(np.abs(logs - logs.mean() - strengths).max())
        head = {"standard errors": "no", "ties": "modelled", "iterations": found.iterations, "largest gap to ours": gap}
        alone = best_time(lambda options=options: evalica.newman(*lists, **options), repeats=repeats)
        whole = best_time(lambda options=options: evalica.newman(*convert(), **options), repeats=repeats)
        rows.append({"fit": f"evalica newman, {name}, from lists", **head, "seconds": alone})
        rows.append({"fit": f"evalica newman, {name}, from the frame", **head, "seconds": whole})
    return rows


def time_choix(frame: pd.DataFrame, n_items: int, repeats: int) -> list[dict[str, object]]:
    try:
        import choix
    except ImportError:  # no dependency of this project
        return []
    decided = frame[frame["outcome"] != "TIE"]
    first, second = (decided[c].str.removeprefix("item").astype(int).to_numpy() for c in ("item_a", "item_b"))
    won = (decided["outcome"] == "A").to_numpy()
    pairs = list(zip(np.where(won, first, second).tolist(), np.where(won, second, first).tolist(), strict=True))
    seconds = best_time(lambda: choix.ilsr_pairwise(n_items, pairs), repeats=min(repeats, 2))
    return [{"fit": "choix ilsr_pairwise, from lists", "standard errors": "no", "ties": "left out", "seconds": seconds}]


if __name__ == "__main__":
    main()
