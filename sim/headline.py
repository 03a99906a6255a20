"""The headline table: what a reader asks first, as rows of labelled quantiles."""

import math
from collections.abc import Iterator
from typing import Any

import xarray as xr
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from sim.model.constants import A100_TFLOPS, H100_TFLOPS

__all__ = ["QUANTILES", "rows", "table"]

QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
A100_PER_H100 = H100_TFLOPS / A100_TFLOPS

LEAD = "nvidia"
"""Supplier whose shipments are shown beside the total, where the world has it."""
SMALL = 0.02
"""Share of revenue [1] below which a supplier is not shown on a terminal."""


def rows(tree: xr.DataTree) -> list[dict[str, Any]]:
    """Rows by calendar year, from the year before the forecast on, and by fiscal year.

    Each has output, ``supplier`` or ``buyer``, period, unit, p05 p25 p50 p75 p95 and mean.
    A100e are H100e times 989/312.
    """
    return list(_rows(tree))


def _rows(tree: xr.DataTree) -> Iterator[dict[str, Any]]:
    year = tree["prior_predictive/year"].to_dataset()
    first = str(int(str(tree.attrs["as_of"])[:4]) - 1)
    year = year.sel(year=[label for label in year["year"].values if str(label) >= first])
    suppliers = [str(label) for label in year["supplier"].values]
    shown = [label for label in (LEAD, "total") if label in suppliers]
    for supplier in shown:
        yield from _output(year, "h100e", "supplier", supplier, "year")
    for supplier in shown:
        yield from _output(year, "h100e", "supplier", supplier, "year", ("a100e", A100_PER_H100, "M A100e"))
    for supplier in suppliers:
        yield from _output(year, "revenue", "supplier", supplier, "year")
    if "fiscal_year" in tree["prior_predictive"].children:
        fiscal = tree["prior_predictive/fiscal_year"].to_dataset()
        fiscal = fiscal.sel(fiscal_year=[label for label in fiscal["fiscal_year"].values if str(label)[2:] > first])
        for supplier in fiscal["fiscal_supplier"].values:
            yield from _output(fiscal, "fiscal_revenue", "fiscal_supplier", str(supplier), "fiscal_year")
    for supplier in suppliers[:-1]:
        yield from _output(year, "revenue_share", "supplier", supplier, "year")
    for output in ("h100e_growth", "revenue_growth"):
        for supplier in shown:
            yield from _output(year, output, "supplier", supplier, "year")
    for buyer in ("reported", "total"):
        yield from _output(year, "capex", "capex_buyer", buyer, "year")


def _output(
    data: xr.Dataset,
    name: str,
    dim: str,
    label: str,
    period: str,
    as_unit: tuple[str, float, str] | None = None,
) -> Iterator[dict[str, Any]]:
    output, factor, unit = as_unit or (name, 1.0, str(data[name].attrs["units"]))
    chosen, means = data[name].sel({dim: label}), data[f"{name}_mean"].sel({dim: label})
    for at in data[period].values:
        values = {
            key: float(chosen.sel({period: at}, drop=True).sel(quantile=q)) * factor for key, q in QUANTILES.items()
        }
        yield {
            "output": output,
            dim.removeprefix("fiscal_").removeprefix("capex_"): label,
            "period": str(at),
            "unit": unit,
            **{
                key: _number(value)
                for key, value in (*values.items(), ("mean", float(means.sel({period: at})) * factor))
            },
        }


def _number(value: float) -> float | None:
    """A figure, or nothing where there was nothing to compare with (growth from zero)."""
    return value if math.isfinite(value) else None


TITLES = {
    "h100e": "shipments, H100 equivalents (dense 16-bit)",
    "a100e": "shipments, A100 equivalents",
    "revenue": "supplier revenue by calendar year",
    "fiscal_revenue": "revenue by the supplier's fiscal year",
    "revenue_share": "market share by revenue",
    "h100e_growth": "growth of shipments in H100e",
    "revenue_growth": "growth of revenue",
    "capex": "capital expenditure",
}


def table(rows: list[dict[str, Any]], as_of: str) -> Group:
    """The rows for a terminal: a block for each output and supplier or buyer, a line for each period.

    Suppliers that stay below two per cent of all revenue in the median are left to the JSON and the summary.
    """
    small = {
        row["supplier"]
        for row in rows
        if row["output"] == "revenue_share" and all(r["p50"] < SMALL for r in rows if _block(r) == _block(row))
    }
    blocks: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        blocks.setdefault(_block(row), []).append(row)
    parts: list[Any] = []
    for (output, label), lines in blocks.items():
        if label not in small:
            parts += [
                "",
                f"[bold]{escape(label)}[/bold], {TITLES[output]} [dim]{escape(_unit(lines[0]))}[/dim]",
                _lines(lines),
            ]
    return Group(*parts, "", f"[dim]As of {as_of}. Percentiles of joint draws; years are sums of quarters.[/dim]")


def _block(row: dict[str, Any]) -> tuple[str, str]:
    return row["output"], row.get("supplier") or row["buyer"]


def _unit(row: dict[str, Any]) -> str:
    return "%" if row["unit"] == "1" else str(row["unit"])


def _lines(rows: list[dict[str, Any]]) -> Table:
    shown = Table(box=None, pad_edge=False)
    shown.add_column("", width=8)
    for name in (*(key.upper() for key in QUANTILES), "mean"):
        shown.add_column(name, justify="right", width=8, header_style="dim")
    for row in rows:
        percent = row["unit"] == "1"
        shown.add_row(row["period"], *(_shown(row[key], percent) for key in (*QUANTILES, "mean")))
    return shown


def _shown(value: float | None, percent: bool) -> str:
    """Three significant digits; a share as a percentage."""
    if value is None:
        return "-"
    value = value * 100 if percent else value
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{min(digits, 3)}f}"
