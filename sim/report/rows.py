"""A run's figures by year as a report shows them: quantiles and mean, each with its Monte Carlo error."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from sim import headline

__all__ = ["QUANTILES", "Row", "rows"]

QUANTILES = {"p05": 0.05, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95}
MEAN = "mean"
WHOSE = ("supplier", "buyer", "tier", "constraint")

Table = dict[tuple[str, str], dict[str, float]]
"""Figures of a cell by label and period."""


@dataclass(frozen=True)
class Row:
    """One cell of a run: its quantiles and mean, and the Monte Carlo standard error of each; None where undefined."""

    output: str
    label: str
    period: str
    unit: str
    figures: dict[str, float | None]
    errors: dict[str, float | None]

    @property
    def cell(self) -> str:
        """How the cell is written."""
        return f"{self.output}[{self.label},{self.period}]"


def rows(tree: xr.DataTree) -> tuple[Row, ...]:
    """The rows of the headline, with more quantiles and with errors."""
    return tuple(_rows(tree))


def _rows(tree: xr.DataTree) -> Iterator[Row]:
    groups = {name: node.to_dataset() for name, node in tree["prior_predictive"].children.items()}
    tables: dict[str, Table] = {}
    for told in headline.rows(tree):
        output, label = told["output"], next(str(told[key]) for key in WHOSE if key in told)
        name, factor = ("h100e", headline.A100_PER_H100) if output == "a100e" else (output, 1.0)
        group = groups["fiscal_year" if output == "fiscal_revenue" else "year"]
        found = []
        for table in (name, f"{name}_error"):
            if table not in tables:
                tables[table] = _table(group, name, table.removeprefix(name))
            found.append(_times(tables[table][label, told["period"]], factor))
        yield Row(output, label, told["period"], told["unit"], *found)


def _table(group: xr.Dataset, name: str, suffix: str) -> Table:
    """Every cell of an output: its figures, or their errors."""
    quantiles, mean = group[name + suffix].sel(quantile=list(QUANTILES.values())), group[f"{name}_mean{suffix}"]
    dim, period = mean.dims
    values = np.concatenate([quantiles.transpose("quantile", dim, period).values, mean.values[None]])
    return {
        (str(label), str(at)): dict(zip((*QUANTILES, MEAN), values[:, row, column].tolist(), strict=True))
        for row, label in enumerate(mean[dim].values)
        for column, at in enumerate(mean[period].values)
    }


def _times(figures: dict[str, float], factor: float) -> dict[str, float | None]:
    return {key: value * factor if math.isfinite(value) else None for key, value in figures.items()}
