"""Summaries as CSV: one file per variable, one row per label and period, one column per quantile."""

import csv
import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sim.errors import RefusedError, visible
from sim.store import io
from sim.store.groups import DRAW
from sim.store.long import quantile_name

__all__ = ["to_csv"]

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
FORMULA = ("=", "+", "-", "@")
COLUMNS = {"time": "period"}


def to_csv(tree: xr.DataTree, folder: Path) -> list[Path]:
    """Write every variable of a run but its draws to ``<group>-<variable>.csv``; the files written.

    A text cell that a spreadsheet would take for a formula starts with an apostrophe. ``commit.json`` beside the
    tables names the commit they came from.
    """
    folder = Path(folder)
    io.make_lasting(folder.absolute())
    written = []
    for group, variable in tabled(tree):
        path = folder / f"{safe(group)}{safe(str(variable.name))}.csv"
        io.replace(path, text(variable).encode())
        written.append(path)
    source = {key: tree.attrs[key] for key in ("commit", "run") if key in tree.attrs}
    io.replace(folder / "commit.json", json.dumps({**source, "files": [path.name for path in written]}).encode())
    return written


def tabled(tree: xr.DataTree) -> Iterator[tuple[str, xr.DataArray]]:
    """Find the variables that make a table, each with its group's name as a prefix."""
    for node in tree.subtree:
        for variable in node.data_vars.values():
            if DRAW not in variable.dims:
                yield "".join(f"{part}-" for part in node.path.split("/") if part), variable


def safe(name: str) -> str:
    """Give the name back if it may name a file."""
    if name and not NAME.fullmatch(name):
        raise RefusedError("store-bad-name", f"{name[:80]!r} cannot name a file")
    return name


def text(variable: xr.DataArray) -> str:
    """Write a variable as a tidy table: output, its labels, unit, then quantiles or the value."""
    dims = [dim for dim in variable.dims if dim != "quantile"]
    columns, values = ["value"], variable.values[..., None]
    if "quantile" in variable.dims:
        columns = [quantile_name(level) for level in variable["quantile"].values]
        values = variable.transpose(*dims, "quantile").values
    file = StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["output", *(COLUMNS.get(str(dim), str(dim)) for dim in dims), "unit", *columns])
    labels = [variable[dim].values if dim in variable.coords else np.arange(variable.sizes[dim]) for dim in dims]
    for at in np.ndindex(values.shape[:-1]):
        keys = [cell(labels[axis][i]) for axis, i in enumerate(at)]
        table.writerow([variable.name, *keys, cell(variable.attrs.get("units", "")), *map(cell, values[at])])
    return file.getvalue()


def cell(value: Any) -> str:
    """Write a cell: numbers in their shortest exact form, missing ones empty, text visible and never a formula."""
    if isinstance(value, np.number | np.bool_ | int | float):
        return "" if np.isnan(value) else str(value)
    written = visible(str(value))
    return f"'{written}" if written.startswith(FORMULA) else written
