"""A summary as one long table: a row for each output, label and period, its figures and their errors across."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sim.errors import BookError, visible

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]

__all__ = ["PERIODS", "long_table", "outputs", "period_names", "quantile_name"]

PERIODS = {"time": "quarter", "year": "year", "fiscal_year": "fiscal_year"}
"""Kinds of period by their dims."""
PREDICTIVE = "_predictive"
"""In the paths of groups of outputs by period: of a run, and of one that observations have reweighted."""
KEYS = ("group", "output", "dim", "label", "kind", "period")
FIGURES = ("mean", "sd", "zero")
"""What a summary says of each cell beside its quantiles."""
ERROR = "_error"


def long_table(data: xr.DataTree | xr.Dataset) -> "DataFrame":
    """Every output of a summary, or of one of its groups, as a table.

    Columns: group (of a tree), output, dim, label, kind and period (``2026Q1``, ``2026``, ``FY2026``), further dims by
    their names, p01 to p99, mean, sd, zero (share of draws that are exactly 0), the error of each figure that has one
    (``p50_error``), and unit. Signs that are not seen are written as their escapes.
    BookError: there are no outputs by period in it.
    """
    import pandas as pd

    if isinstance(data, xr.Dataset):
        columns = [columns_of(data, name, period) for name, period in outputs(data).items()]
    else:
        columns = [{"group": group, **each} for group, each in of_tree(data)]
    if not columns:
        raise BookError("table-empty", "no outputs by period in it", remedy="give a run's tree or a group of it")
    table = pd.concat([pd.DataFrame(each) for each in columns], ignore_index=True)
    unit = table.pop("unit")
    first = [name for name in KEYS if name in table]
    return table[[*first, *(name for name in table if name not in first)]].assign(unit=unit)


def of_tree(tree: xr.DataTree) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each group of outputs, with the columns of each output in it."""
    for node in tree.subtree:
        if PREDICTIVE in node.path:
            data = node.to_dataset()
            yield from ((node.path.split("/")[1], columns_of(data, *each)) for each in outputs(data).items())


def outputs(data: xr.Dataset) -> dict[str, str]:
    """Outputs of a group, the variables that have quantiles by period, and the dim of their periods."""
    found = {}
    for name, variable in data.data_vars.items():
        period = next((str(dim) for dim in variable.dims if dim in PERIODS), None)
        if period is not None and "quantile" in variable.dims and not str(name).endswith(ERROR):
            found[str(name)] = period
    return found


def columns_of(data: xr.Dataset, output: str, period: str) -> dict[str, Any]:
    """Columns of one output's rows: its labels, and under each its periods in their order."""
    variable = data[output]
    dims = [str(dim) for dim in variable.dims if dim not in ("quantile", period)]
    labels = [np.array([visible(str(label)) for label in variable[dim].values], dtype=object) for dim in dims]
    crossed = np.meshgrid(*labels, np.array(period_names(variable[period]), dtype=object), indexing="ij")
    names = [*dims[:-1], *("label" for _ in dims[-1:]), "period"]
    return {
        "output": output,
        "dim": dims[-1] if dims else "",
        "kind": PERIODS[period],
        **{name: each.ravel() for name, each in zip(names, crossed, strict=True)},
        **figures_of(data, output, [*dims, period]),
        "unit": visible(str(variable.attrs.get("units", ""))),
    }


def figures_of(data: xr.Dataset, output: str, order: list[str]) -> dict[str, Any]:
    """Figures of one output: its quantiles and others, then the errors of those that have one."""
    found: dict[str, Any] = {}
    for suffix in ("", ERROR):
        if (name := output + suffix) in data:
            by_level = data[name].transpose("quantile", *order).values
            for level, values in zip(data[name]["quantile"].values, by_level, strict=True):
                found[quantile_name(level) + suffix] = values.ravel()
        for figure in FIGURES:
            if (name := f"{output}_{figure}{suffix}") in data:
                found[figure + suffix] = data[name].transpose(*order).values.ravel()
    return found


def period_names(labels: xr.DataArray) -> list[str]:
    """Names of periods: quarters dated by their last day as ``2026Q1``, others as they are."""
    if np.issubdtype(labels.dtype, np.datetime64):
        months = labels.values.astype("datetime64[M]").astype(int)
        return [f"{1970 + month // 12}Q{month % 12 // 3 + 1}" for month in months]
    return [visible(str(label)) for label in labels.values]


def quantile_name(level: float) -> str:
    """``p05`` for 0.05, ``p2.5`` for 0.025."""
    percent = float(f"{100 * level:.6g}")
    return f"p{percent:02.0f}" if percent == int(percent) else f"p{percent:g}"
