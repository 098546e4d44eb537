"""Tables of the accuracy benchmark from the rows of its studies."""

import pandas as pd
from common import mean_interval


def summarise(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    keys = ["n_pairs", "method", "protocols"]
    rows = rows.sort_values(["n_pairs", "seed"], kind="stable")
    error = rows[rows["measure"].str.startswith(("rmse", "srcc", "warnings"))]
    error = error.pivot_table(index=keys, columns="measure", values="value").reset_index()
    paired = []
    for (n_pairs, method, name), group in rows.groupby(["n_pairs", "method", "measure"], sort=False):
        if not name.startswith(("rmse", "srcc")):
            continue
        wide = group.pivot_table(index="seed", columns="protocols", values="value")
        for alone in ("preferences", "ratings"):
            head = {"n_pairs": n_pairs, "method": method, "measure": name, "difference": f"both - {alone}"}
            paired.append({**head, **mean_interval(wide["both"] - wide[alone])})
        if method != "davidson":
            base = rows[(rows["n_pairs"] == n_pairs) & (rows["method"] == "davidson") & (rows["measure"] == name)]
            base = base[base["protocols"] == "both"].set_index("seed")["value"]
            head = {"n_pairs": n_pairs, "method": method, "measure": name, "difference": "both - davidson's both"}
            paired.append({**head, **mean_interval(wide["both"] - base)})
    agreement = []
    for (n_pairs, name), group in rows[rows["method"] == "elo and davidson"].groupby(
        ["n_pairs", "measure"], sort=False
    ):
        head = {"n_pairs": n_pairs, "measure": name, "median": group["value"].median()}
        extremes = {"lowest": group["value"].min(), "highest": group["value"].max()}
        agreement.append({**head, **mean_interval(group["value"]), **extremes})
    differences = pd.DataFrame(paired)
    main_ones = differences["measure"] == "rmse_population"
    return {
        "error": error,
        "paired": differences[main_ones],
        "paired_other": differences[~main_ones],
        "coverage": summarise_coverage(rows),
        "agreement": pd.DataFrame(agreement),
    }


def summarise_coverage(rows: pd.DataFrame) -> pd.DataFrame:
    names = rows["measure"].str.extract(
        r"^(?:target_(?P<target>\w+?)_)?cover_(?P<truth>\w+?)(?:_fifth_(?P<fifth>\d))?$"
    )
    cover = pd.concat([rows, names.fillna({"target": "population"})], axis=1).dropna(subset="truth")
    table = []
    for (n_pairs, method, target, truth), group in cover.groupby(["n_pairs", "method", "target", "truth"], sort=False):
        whole = group[group["fifth"].isna()]["value"]
        fifths = group.dropna(subset="fifth").groupby("fifth")["value"].mean().add_prefix("fifth ").to_dict()
        head = {"n_pairs": n_pairs, "method": method, "target": target, "truth": truth}
        extremes = {"lowest study": whole.min(), "highest study": whole.max()}
        table.append({**head, **mean_interval(whole), **extremes, **fifths})
    return pd.DataFrame(table)
