"""What a sweep leaves: the yearly tables of all its runs side by side along ``scenario``, and who differs how much."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["GROUPS", "QUANTILES", "extract", "joined", "rows"]

SCENARIO = "scenario"
GROUPS = ("prior_predictive/year", "prior_predictive/fiscal_year", "prior_predictive/exceedance")
SORTED = ("year", "fiscal_year", "quantile")
QUANTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95}
LEAD = "nvidia"
AHEAD = 1
"""Years after the books' dates of the first year that is compared; the last is the last that all have."""

Extract = Mapping[str, xr.Dataset]
"""What a sweep keeps of one run, by group."""


def extract(tree: xr.DataTree) -> Extract:
    """The tables of a run that a sweep keeps, in memory; under an empty name its attributes."""
    found = {
        name: tree[name].to_dataset().load()
        for name in GROUPS
        if name.split("/")[1] in tree["prior_predictive"].children
    }
    return {"": xr.Dataset(attrs=tree.attrs), **found}


def joined(
    runs: Mapping[str, Extract], values: Mapping[str, Mapping[str, Any]], attrs: Mapping[str, Any]
) -> xr.DataTree:
    """All runs as one tree, by label: each table with ``scenario`` in front, run and commit beside each label.

    Labels that some runs lack are not a number there. ``variants`` says how each run was asked for.
    """
    about = [run[""].attrs for run in runs.values()]
    along = {
        SCENARIO: (SCENARIO, list(runs)),
        "run": (SCENARIO, [str(each["run"]) for each in about]),
        "commit": (SCENARIO, [str(each["commit"]) for each in about]),
    }
    groups = {"/": xr.Dataset(attrs=dict(attrs)), "/variants": _variants(runs, values).assign_coords(along)}
    for name in GROUPS:
        if any(name in run for run in runs.values()):
            groups[f"/{name}"] = _stacked([run.get(name, xr.Dataset()) for run in runs.values()]).assign_coords(along)
    return xr.DataTree.from_dict(groups)


def _variants(runs: Mapping[str, Extract], values: Mapping[str, Mapping[str, Any]]) -> xr.Dataset:
    """How each run was asked for: book, date, seed, draws, and the values set by path."""
    about = [run[""].attrs for run in runs.values()]
    paths = list(dict.fromkeys(path for label in runs for path in values[label]))
    named = {"book": "scenario", "as_of": "as_of", "seed": "seed"}
    told: dict[str, Any] = {name: (SCENARIO, [str(each[key]) for each in about]) for name, key in named.items()}
    told["draws"] = SCENARIO, np.array([int(each["draws"]) for each in about])
    if paths:
        set_ = [[values[label].get(path) for path in paths] for label in runs]
        numbers = [[_as_number(each) for each in row] for row in set_]
        written = [["" if each is None else json.dumps(each) for each in row] for row in set_]
        told["value"] = (SCENARIO, "path"), numbers, {"missing_ok": 1, "long_name": "value set, where it is a number"}
        told["written"] = (SCENARIO, "path"), written, {"long_name": "value set, as JSON"}
    return xr.Dataset(told, {"path": paths} if paths else {})


def _as_number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan


def _stacked(tables: Sequence[xr.Dataset]) -> xr.Dataset:
    """Tables along a new leading axis; a label that any has is on the axis, and what one lacks is not a number."""
    coords = {dim: _union(dim, [each[dim].values for each in tables if dim in each]) for dim in _dims(tables)}
    index = {dim: {label: i for i, label in enumerate(labels.tolist())} for dim, labels in coords.items()}
    places = [
        {dim: [at[label] for label in each[dim].values.tolist()] for dim, at in index.items() if dim in each}
        for each in tables
    ]
    alike = {name: variable for each in reversed(tables) for name, variable in each.data_vars.items()}
    variables = {}
    for name, like in alike.items():
        values = np.full((len(tables), *(len(coords[str(dim)]) for dim in like.dims)), np.nan, like.dtype)
        for own, each, at in zip(values, tables, places, strict=True):
            if name in each:
                own[np.ix_(*(at[str(dim)] for dim in like.dims))] = each[name].values
        missing = {"missing_ok": 1} if np.isnan(values).any() else {}
        variables[name] = (SCENARIO, *like.dims), values, like.attrs | missing
    return xr.Dataset(variables, coords)


def _dims(tables: Iterable[xr.Dataset]) -> list[str]:
    return list(dict.fromkeys(str(dim) for each in tables for dim in each.dims))


def _union(dim: str, labels: Sequence[np.ndarray]) -> np.ndarray:
    """All labels of an axis: years and quantiles in their order, others as they come first."""
    found = np.array(list(dict.fromkeys(label for each in labels for label in each.tolist())))
    return np.sort(found) if dim in SORTED else found


def rows(tree: xr.DataTree) -> list[dict[str, Any]]:
    """Shipments of all suppliers and the leader's revenue, by variant: P5, P50, P95, and P50 less that of the first.

    Of the year after the newest book's date, and of the last year that all variants have.
    """
    year = tree["prior_predictive/year"].to_dataset()
    found = []
    for output, supplier in (("h100e", "total"), ("revenue", LEAD if LEAD in year["supplier"] else "total")):
        table = year[output].sel(supplier=supplier, quantile=list(QUANTILES.values()))
        for period in _compared(tree, table):
            figures = table.sel(year=period).transpose(SCENARIO, "quantile").values
            for label, run, levels in zip(year[SCENARIO].values, year["run"].values, figures, strict=True):
                found.append(
                    {
                        "variant": str(label),
                        "run": str(run),
                        "output": output,
                        "supplier": supplier,
                        "period": period,
                        "unit": str(table.attrs["units"]),
                        **{name: _number(value) for name, value in zip(QUANTILES, levels, strict=True)},
                        "difference": _number(levels[1] - figures[0][1]),
                    }
                )
    return found


def _compared(tree: xr.DataTree, table: xr.DataArray) -> list[str]:
    """The years that are compared."""
    told = np.isfinite(table.transpose("year", ...).values).all(axis=(1, 2))
    years = [str(label) for label, all_have in zip(table["year"].values, told, strict=True) if all_have]
    newest = max(str(each) for each in tree["variants"].to_dataset()["as_of"].values)
    first = str(int(newest[:4]) + AHEAD)
    return list(dict.fromkeys([first, years[-1]])) if first in years else years[-1:]


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
