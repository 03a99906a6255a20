"""Summaries as single files for other tools: Parquet (one long table) and netCDF (the whole tree)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

from sim.errors import Place, RefusedError
from sim.store import io
from sim.store.groups import DRAW, by_name
from sim.store.long import long_table

__all__ = ["FORMATS", "to_netcdf", "to_parquet"]

REMEDY = 'pip install "chipcast[tables]", or in the repository EXTRA=test,tables ./go chipcast export'


def to_parquet(tree: xr.DataTree, path: Path) -> Path:
    """Write every output of a run as one table, a row for each label and period; the file written.

    The file's metadata holds the run's attributes (run, commit, seed and so on) and ``units`` by output.
    RefusedError: pyarrow is missing, or ``path`` has another suffix.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise missing("pyarrow", "Parquet") from error
    frame = long_table(tree)
    columns = {name: frame[name].to_numpy() for name in frame}
    units = dict(zip(frame["output"], frame["unit"], strict=True))
    told = {**{str(key): str(value) for key, value in tree.attrs.items()}, "units": json.dumps(units)}
    file = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns, metadata=told), file, compression="zstd")
    return written(path, ".parquet", memoryview(file.getvalue()))


def to_netcdf(tree: xr.DataTree, path: Path) -> Path:
    """Write the whole tree but its draws as netCDF 4, as ``xarray.open_datatree`` reads it; the file written.

    RefusedError: h5netcdf is missing, or ``path`` has another suffix.
    """
    try:
        import h5netcdf  # type: ignore[import-untyped]  # noqa: F401
    except ImportError as error:
        raise missing("h5netcdf", "netCDF") from error
    kept = tree.map_over_datasets(without_draws)
    return written(path, ".nc", kept.to_netcdf(engine="h5netcdf"))


FORMATS: dict[str, tuple[str, Callable[[xr.DataTree, Path], Path]]] = {
    "parquet": ("summary.parquet", to_parquet),
    "netcdf": ("summary.nc", to_netcdf),
}
"""Usual name of a file, and what writes it, by format."""


def without_draws(data: xr.Dataset) -> xr.Dataset:
    """A group without its kept draws and its own store's encoding, in the order of names: draws are read in none."""
    return by_name(data.drop_dims(DRAW, errors="ignore").drop_encoding())


def missing(package: str, format: str) -> RefusedError:
    """Make the refusal that says what to install."""
    return RefusedError("store-no-tables", f"{format} needs {package}, which is not installed", remedy=REMEDY)


def written(path: Path, suffix: str, data: Any) -> Path:
    """Put a file in its place, whole; one that is there is replaced if its name ends as it should."""
    path = Path(path)
    if path.suffix != suffix:
        place = Place(str(path))
        raise RefusedError("store-bad-name", f"its name does not end in {suffix}", place=place, remedy=f"add {suffix}")
    io.make_lasting(path.absolute().parent)
    io.replace(path, data)
    return path
