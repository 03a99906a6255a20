"""The headline table: what a reader asks first, as rows of labelled quantiles."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import xarray as xr
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from sim.axes import DERIVED, OUTPUTS
from sim.model.constants import A100_TFLOPS, H100_TFLOPS

__all__ = ["QUANTILES", "chances", "exceedances", "figure", "rows", "table"]

QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
A100_PER_H100 = H100_TFLOPS / A100_TFLOPS

LEAD = "nvidia"
"""Supplier whose shipments are shown beside the total, where the world has it."""
OF = ("supplier", "buyer", "tier", "constraint")
"""What a row may be of."""
SMALL = 0.02
"""Share of revenue [1] below which a supplier is not shown on a terminal."""
HUGE, TINY = 1e6, 1e-9
"""From here on figures are written with a power of ten; below this they are rounding of 0."""
DATE = 1900
"""Years from here on are dates."""


def rows(tree: xr.DataTree) -> list[dict[str, Any]]:
    """Rows by calendar year, from the year before the forecast on, and by fiscal year.

    Each has output, ``supplier``, ``buyer``, ``tier`` or ``constraint``, period, unit, p05 p25 p50 p75 p95 and mean.
    The mean of ``binding`` is the probability of the constraint, weighted by shipments. A100e are H100e times 989/312.
    """
    year = tree["prior_predictive/year"].to_dataset()
    first = str(int(str(tree.attrs["as_of"])[:4]) - 1)
    shown = year.sel(year=[label for label in year["year"].values if str(label) >= first])
    return [*_of_suppliers(shown, tree, first), *_of_market(shown, first)]


def exceedances(tree: xr.DataTree) -> list[dict[str, Any]]:
    """Thresholds counted, those asked for first; the probability of passing each, and its Monte Carlo error."""
    if "exceedance" not in tree["prior_predictive"].children:
        return []
    found = tree["prior_predictive/exceedance"].to_dataset()
    columns = zip(found["threshold"].values, found["probability"].values, found["error"].values, strict=True)
    return [
        {"output": "exceedance", "threshold": str(text), "probability": float(share), "error": float(error)}
        for text, share, error in columns
    ]


def _of_suppliers(year: xr.Dataset, tree: xr.DataTree, first: str) -> Iterator[dict[str, Any]]:
    """What suppliers ship and earn."""
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


def _of_market(year: xr.Dataset, first: str) -> Iterator[dict[str, Any]]:
    """What buyers pay, need and are held back by, and what the value chain earns."""
    for buyer in ("reported", "total"):
        yield from _output(year, "capex", "capex_buyer", buyer, "year")
    ahead = year.sel(year=[label for label in year["year"].values if str(label) > first])
    for output in ("need", "shortfall", "coverage"):
        yield from _output(ahead, output, "buyer", "total", "year")
    for output in ("binding", "bound_buyers"):
        for constraint in ahead["constraint"].values:
            yield from _output(ahead, output, "constraint", str(constraint), "year")
    for tier in ahead["tier"].values:
        yield from _output(ahead, "tier_revenue", "tier", str(tier), "year")


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
    quantiles = chosen.sel(quantile=list(QUANTILES.values())).transpose(period, "quantile").values
    for at, levels, mean in zip(data[period].values, quantiles, means.values, strict=True):
        figures = zip((*QUANTILES, "mean"), (*levels, mean), strict=True)
        yield {
            "output": output,
            dim.removeprefix("fiscal_").removeprefix("capex_"): label,
            "period": str(at),
            "unit": unit,
            **{key: _number(float(value) * factor) for key, value in figures},
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
    "need": "H100 equivalents wanted in service at the end of the year",
    "shortfall": "need beyond what is in service",
    "coverage": "raw need over the installed base",
}
ACROSS = {
    "binding": ("what holds buyers back", "probability weighted by shipments", "mean"),
    "bound_buyers": ("what holds buyers back", "probability, each buyer alike", "mean"),
    "tier_revenue": ("value chain", "median revenue, bn USD; tiers overlap", "p50"),
}
"""Outputs shown with years across: title, what is shown of them, and the figure."""


def table(rows: list[dict[str, Any]], as_of: str) -> Group:
    """The rows for a terminal: a block for each output and supplier or buyer, a line for each period.

    Suppliers that stay below two per cent of all revenue in the median are left to the JSON and the summary.
    """
    small = {
        row["supplier"]
        for row in rows
        if row["output"] == "revenue_share" and all(r["p50"] < SMALL for r in rows if _block(r) == _block(row))
    }
    parts: list[Any] = []
    for (output, label), lines in _blocks(row for row in rows if row["output"] not in ACROSS).items():
        if label not in small:
            parts += [
                "",
                f"[bold]{escape(label)}[/bold], {TITLES[output]} [dim]{escape(_unit(lines[0]))}[/dim]",
                _lines(lines),
            ]
    for output, (title, shown, key) in ACROSS.items():
        if own := [row for row in rows if row["output"] == output]:
            parts += ["", f"[bold]{title}[/bold] [dim]{shown}[/dim]", _across(own, key)]
    return Group(*parts, "", f"[dim]As of {as_of}. Percentiles of joint draws; years are sums of quarters.[/dim]")


def chances(exceedances: list[dict[str, Any]]) -> Group:
    """Thresholds and how likely they are passed, for a terminal."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("", no_wrap=True)
    for name in ("probability", "error"):
        shown.add_column(name, justify="right", header_style="dim")
    for row in exceedances:
        unit = (OUTPUTS | DERIVED)[row["threshold"].partition("[")[0].strip()].unit
        text = row["threshold"] if unit == "1" else f"{row['threshold']} {unit}"
        shown.add_row(escape(text), *(f"{100 * row[key]:.1f} %" for key in ("probability", "error")))
    return Group("", "[bold]thresholds[/bold] [dim]probability of passing, Monte Carlo error[/dim]", shown)


def _blocks(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Rows by output and whom it is of."""
    blocks: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        blocks.setdefault(_block(row), []).append(row)
    return blocks


def _block(row: dict[str, Any]) -> tuple[str, str]:
    return row["output"], next(str(row[key]) for key in OF if key in row)


def _across(rows: list[dict[str, Any]], key: str) -> Table:
    """One figure of each row, years across."""
    blocks = _blocks(rows)
    shown = Table(box=None, pad_edge=False)
    shown.add_column("", width=14)
    for row in next(iter(blocks.values())):
        shown.add_column(row["period"], justify="right", width=8, header_style="dim")
    for (_, label), lines in blocks.items():
        shown.add_row(label, *(_shown(row[key], row["unit"] == "1") for row in lines))
    return shown


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


def figure(value: float, unit: str) -> str:
    """Three significant digits, dates to a hundredth of a year."""
    if abs(value) < TINY:
        return "0"
    if unit == "year" and value > DATE:
        return f"{value:.2f}"
    if abs(value) >= HUGE:
        return f"{value:.3g}"
    return f"{value:,.{min(max(0, 2 - math.floor(math.log10(abs(value)))), 4)}f}"
