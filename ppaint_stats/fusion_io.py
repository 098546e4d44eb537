"""Fusions on disk: NetCDF for everything, CSV for scores, Parquet for the targets of training. Whole files or none."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.fusion import Fusion
from ppaint_stats.scale import RatingScale
from ppaint_stats.spread import Spread

if TYPE_CHECKING:
    import xarray as xr

FORMAT = "ppaint fusion 1"
TABLES = ("parameters", "calibration", "raters", "dimensions", "protocols", "convergence")
TEXT_COLUMNS = (CATEGORY, DIMENSION, ITEM)


def save_fusion(fusion: Fusion, path: str | Path) -> Path:
    """Write a fusion as NetCDF, readable by :func:`load_fusion` and by any NetCDF reader.

    Parameters
    ----------
    fusion
        The fusion.
    path
        File to write; an existing one is replaced at the end, in one step.

    Returns
    -------
    Path
        The file.
    """
    import xarray as xr

    data = {str(name): ("row", _plain(column)) for name, column in fusion.scores.items()}
    arrays: dict[str, object] = dict(data)
    if fusion.spread.deviations is not None:
        arrays["jackknife_deviation"] = (("replicate", "row"), fusion.spread.deviations)
        arrays["jackknife_dof"] = ("row", np.asarray(fusion.spread.dof))
    if fusion.spread.draws is not None:
        arrays["score_draw"] = (("joint_draw", "row"), fusion.spread.draws)
    scale = None if fusion.scale is None else [fusion.scale.low, fusion.scale.high, fusion.scale.step]
    attrs = {
        "format": FORMAT,
        "method": fusion.method,
        "converged": int(fusion.converged),
        "settings": json.dumps(dict(fusion.settings)),
        "scale": json.dumps(scale),
        "columns": json.dumps([str(c) for c in fusion.scores]),
    }
    attrs |= {f"table_{name}": _to_json(getattr(fusion, name)) for name in TABLES}
    dataset = xr.Dataset(arrays, attrs=attrs)
    if fusion.posterior is None:
        return write_whole(path, lambda temporary: dataset.to_netcdf(temporary, engine="h5netcdf"))
    groups = {name: group.to_dataset() for name, group in fusion.posterior.items()}
    tree = xr.DataTree.from_dict({"/": dataset, **groups})
    return write_whole(path, lambda temporary: tree.to_netcdf(temporary, engine="h5netcdf", encoding=_pack(tree)))


def _pack(tree: "xr.DataTree") -> dict[str, dict[str, dict[str, object]]]:
    """Compress the large arrays of the posterior."""
    packed: dict[str, object] = {"zlib": True, "complevel": 1}
    return {
        group.path: {str(name): packed for name, array in group.data_vars.items() if array.dtype.kind == "f"}
        for group in tree.children.values()
    }


def load_fusion(path: str | Path) -> Fusion:
    """Read a fusion that :meth:`Fusion.save` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Fusion
        The same scores, uncertainty, settings and tables.

    Raises
    ------
    DataError
        If the file holds no fusion.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("mood", "overall"))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> import tempfile
    >>> fusion = ps.fuse_davidson(study)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = ps.load_fusion(fusion.save(f"{folder}/fusion.nc"))
    >>> again.scores.equals(fusion.scores)
    True
    """
    import xarray as xr

    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder, not a file that Fusion.save wrote") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a NetCDF file: {error}") from error
    dataset = tree.to_dataset()
    if dataset.attrs.get("format") != FORMAT:
        raise DataError(f"{path} holds no fusion: its format is {dataset.attrs.get('format')!r}, not {FORMAT!r}")
    scores = pd.DataFrame({name: dataset[name].to_numpy() for name in json.loads(dataset.attrs["columns"])})
    for name in TEXT_COLUMNS:
        scores[name] = scores[name].astype(str)
    scale = json.loads(dataset.attrs["scale"])
    spread = Spread(
        deviations=dataset["jackknife_deviation"].to_numpy() if "jackknife_deviation" in dataset else None,
        dof=dataset["jackknife_dof"].to_numpy() if "jackknife_dof" in dataset else None,
        draws=dataset["score_draw"].to_numpy() if "score_draw" in dataset else None,
    )
    tables = {name: _from_json(dataset.attrs[f"table_{name}"]) for name in TABLES if f"table_{name}" in dataset.attrs}
    groups = {name: group.to_dataset() for name, group in tree.children.items()}
    return Fusion(
        method=dataset.attrs["method"],
        scores=scores,
        spread=spread,
        scale=None if scale is None else RatingScale(*scale),
        settings=json.loads(dataset.attrs["settings"]),
        converged=bool(dataset.attrs["converged"]),
        posterior=xr.DataTree.from_dict(groups) if groups else None,
        **tables,
    )


def write_csv(fusion: Fusion, path: str | Path) -> Path:
    """Write the scores as CSV, in full precision.

    Parameters
    ----------
    fusion
        The fusion.
    path
        File to write.

    Returns
    -------
    Path
        The file.
    """
    return write_whole(path, lambda temporary: fusion.scores.to_csv(temporary, index=False))


def write_targets(fusion: Fusion, path: str | Path) -> Path:
    """Write ``category, dimension, item, score, sd`` as Parquet, for the training of a scorer.

    The file's metadata hold ``scale_low``, ``scale_high`` and ``provenance`` (method and settings, as JSON).

    Parameters
    ----------
    fusion
        A fusion whose scores are on the rating scale.
    path
        File to write.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ArgumentError
        If scores are not on the rating scale: latent for want of ratings, or relative.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if fusion.settings["target"] == "relative":
        raise ArgumentError(
            "targets need scores on the rating scale, and target='relative' gives differences from a mean"
        )
    if fusion.scale is not None and fusion.scores["calibrated"].any() and not fusion.calibrated:
        latent = fusion.scores.loc[~fusion.scores["calibrated"], [CATEGORY, DIMENSION]].drop_duplicates()
        cells = list(latent.itertuples(index=False, name=None))
        raise ArgumentError(f"targets need scores on the rating scale, and these cells have no ratings: {cells[:10]}")
    if fusion.scale is None or not fusion.calibrated:
        raise ArgumentError(
            "targets need scores on a rating scale, and this fusion has latent scores only; "
            "fuse a study that has ratings"
        )
    table = pa.Table.from_pandas(fusion.scores[[*TEXT_COLUMNS, "score", "sd"]], preserve_index=False)
    provenance = {"method": fusion.method, "converged": fusion.converged, "settings": dict(fusion.settings)}
    metadata = {
        "scale_low": repr(float(fusion.scale.low)),
        "scale_high": repr(float(fusion.scale.high)),
        "provenance": json.dumps(provenance),
    }
    if fusion.settings.get("approximate"):
        metadata["approximate"] = str(fusion.settings["approximation"])
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata})
    return write_whole(path, lambda temporary: pq.write_table(table, temporary))


def write_whole(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Write a file through a temporary one beside it, so that no half-written file ever bears the name.

    Parameters
    ----------
    path
        The file; its folder is made if it is missing.
    write
        Writes to the path that it is given.

    Returns
    -------
    Path
        The file.
    """
    path = Path(path)
    if path.is_dir():
        raise ArgumentError(f"{path} is a folder; name a file in it")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _plain(column: pd.Series) -> np.ndarray:
    return column.to_numpy(dtype=object) if column.name in TEXT_COLUMNS else column.to_numpy()


def _to_json(frame: pd.DataFrame) -> str:
    """Columns with their types; Python's JSON keeps every digit, and inf and nan."""
    columns = {str(name): {"dtype": str(column.dtype), "values": column.tolist()} for name, column in frame.items()}
    return json.dumps(columns)


def _from_json(text: str) -> pd.DataFrame:
    columns = json.loads(text)
    return pd.DataFrame({name: pd.Series(part["values"], dtype=part["dtype"]) for name, part in columns.items()})
