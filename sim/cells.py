"""The cells of a summary: totals, years and ratios, each made inside the draw and never from quantiles.

The traced half runs in the simulation's own program, on arrays [period, axis, draw]; ``tables`` labels what it gives.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from sim.axes import DERIVED, OUTPUTS, QUARTERLY
from sim.model.constants import QUARTERS
from sim.model.state import Beliefs, Flows
from sim.model.structure import pick, total
from sim.world import World

__all__ = [
    "Cells",
    "FiscalYears",
    "Plan",
    "Table",
    "Year",
    "by_table",
    "cells",
    "cells_per_draw",
    "defined",
    "fiscal_years",
    "labels",
    "of_year",
    "plan",
    "starts",
    "tables",
]

FISCAL = "fiscal_revenue"

Cells = dict[tuple[str, str], Float[Array, "period axis draw"]]
"""By period (``quarter``, ``year``, ``fiscal_year``) and output."""


class Table(NamedTuple):
    """One output by one kind of period: its labels and those of its periods."""

    period: str
    output: str
    dim: str
    labels: tuple[str, ...]
    periods: tuple[str, ...]


class Plan(NamedTuple):
    """What of a world decides which cells there are; hashable, so that a program is compiled once for it."""

    reported_buyers: tuple[int, ...]
    """Rows of the buyers with reported capex, on the axis of those with capex."""
    series: tuple[int, ...]
    """Rows of the suppliers kept by quarter."""
    record_years: int
    """Years that begin before the hand-over: of them the belief says nothing."""
    fiscal: tuple[tuple[int, int], ...]
    """Row of each supplier with fiscal years, among all suppliers and among those with a reported line."""


class FiscalYears(NamedTuple):
    """Fiscal years of those suppliers, as sums of days."""

    known: Float[Array, "supplier fiscal_year"]  # reported line, bn USD
    weights: Float[Array, "supplier fiscal_year time"]  # part of a quarter's unreported days in the fiscal year
    line: Float[Array, "time reported_supplier"]  # reported line on the days it covers, bn USD


class Year(NamedTuple):
    """One calendar year of a block of draws."""

    annual: dict[str, Float[Array, "axis draw"]]
    quarterly: dict[str, Float[Array, "4 series draw"]]
    totals: dict[str, Float[Array, "4 draw"]]  # of the same, over all suppliers
    fiscal: Float[Array, "4 supplier draw"]  # revenue of the suppliers with fiscal years, bn USD


def plan(world: World) -> Plan:
    """What decides which cells a world has."""
    axes, fiscal = world.book.axes, world.record.fiscal
    handover = axes["time"][world.record.handover][:4]
    return Plan(
        reported_buyers=tuple(axes["capex_buyer"].index(buyer) for buyer in axes["reported_buyer"]),
        series=tuple(i for i, name in enumerate(axes["supplier"]) if name not in axes["backcast_supplier"]),
        record_years=sum(year <= handover for year in axes["year"]),
        fiscal=tuple((axes["supplier"].index(f.supplier), axes["reported_supplier"].index(f.supplier)) for f in fiscal),
    )


def fiscal_years(world: World, dtype: Any) -> FiscalYears:
    """The fiscal years that every supplier with a fiscal calendar has wholly on the axis."""
    fiscal, common = world.record.fiscal, _fiscal_labels(world)
    rows = [[each.years.index(year) for year in common] for each in fiscal]
    known = np.array([each.known[row] for each, row in zip(fiscal, rows, strict=True)])
    weights = np.array([each.weights[row] for each, row in zip(fiscal, rows, strict=True)])
    return FiscalYears(*(jnp.asarray(each, dtype) for each in (known, weights, world.record.line)))


def tables(world: World) -> dict[tuple[str, str], Table]:
    """Every table of a summary, by period and output, in the order of its cells."""
    axes = world.book.axes
    series = (*(axes["supplier"][row] for row in plan(world).series), "total")
    listed = [Table("quarter", name, OUTPUTS[name].dims[0], series, axes["time"]) for name in QUARTERLY]
    listed += [
        Table("year", name, output.dims[0], labels(world, name), axes["year"])
        for name, output in (OUTPUTS | DERIVED).items()
        if name != FISCAL
    ]
    if world.record.fiscal:
        suppliers = tuple(fiscal.supplier for fiscal in world.record.fiscal)
        listed.append(Table("fiscal_year", FISCAL, DERIVED[FISCAL].dims[0], suppliers, _fiscal_labels(world)))
    return {(table.period, table.output): table for table in listed}


def labels(world: World, name: str) -> tuple[str, ...]:
    """Labels of an output's axis with the totals made in the draw: all, and buyers with reported capex."""
    dim = (OUTPUTS | DERIVED)[name].dims[0]
    own = world.book.axes[dim]
    if dim == "capex_buyer":
        return (*own, "reported", "total")
    return (*own, "total") if dim in ("supplier", "buyer") else own


def _fiscal_labels(world: World) -> tuple[str, ...]:
    """Fiscal years that every supplier with a fiscal calendar has wholly on the axis."""
    common = set.intersection(*(set(fiscal.years) for fiscal in world.record.fiscal))
    return tuple(year for year in world.record.fiscal[0].years if year in common)


def cells_per_draw(world: World) -> int:
    """Numbers that one draw leaves in a summary's tables."""
    return sum(len(table.labels) * len(table.periods) for table in tables(world).values())


def starts(world: World) -> dict[tuple[str, str], int]:
    """Where each table begins among the cells of a draw."""
    listed = tables(world)
    sizes = [len(table.labels) * len(table.periods) for table in listed.values()]
    return dict(zip(listed, itertools.accumulate(sizes, initial=0), strict=False))


def defined(world: World) -> Bool[np.ndarray, " cell"]:
    """Which cells have a value in every draw: not ratios, and of forecasts only the years they are for."""
    parts = []
    for (_, name), table in tables(world).items():
        declared, before = (OUTPUTS | DERIVED)[name], plan(world).record_years
        there = np.arange(len(table.periods)) >= (before if declared.forecast_only else 0)
        parts.append(np.repeat(there & (declared.annual != "ratio"), len(table.labels)))
    return np.concatenate(parts)


def by_table(world: World, values: Shaped[np.ndarray, "cell *rest"]) -> dict[tuple[str, str], np.ndarray]:
    """Values of all cells by table, each [axis, period, ...]."""
    found, start = {}, 0
    for key, table in tables(world).items():
        shape = len(table.periods), len(table.labels)
        part = values[start : start + shape[0] * shape[1]]
        found[key] = part.reshape(*shape, *values.shape[1:]).swapaxes(0, 1)
        start += len(part)
    return found


def of_year(plan: Plan, flows: Flows) -> Year:
    """A year [axis, draw] of its quarters [4, axis, draw]: their sum, mean or last; and the series kept by quarter."""
    named = flows._asdict()
    suppliers = [supplier for supplier, _ in plan.fiscal]
    return Year(
        annual={name: _annual(flow, OUTPUTS[name].annual) for name, flow in named.items()},
        quarterly={name: _columns(named[name], plan.series) for name in QUARTERLY},
        totals={name: total(jnp.moveaxis(named[name], 1, 0)) for name in QUARTERLY},
        fiscal=_columns(flows.revenue, suppliers),
    )


def _columns(flow: Float[Array, "4 axis draw"], rows: Sequence[int]) -> Float[Array, "4 row draw"]:
    return jnp.moveaxis(pick(jnp.moveaxis(flow, 1, 0), rows), 0, 1)


def _annual(flow: Float[Array, "4 axis draw"], how: str) -> Float[Array, "axis draw"]:
    if how == "last":
        return flow[-1]
    return total(flow) / QUARTERS if how == "mean" else total(flow)


def cells(plan: Plan, fiscal: FiscalYears, beliefs: Beliefs, years: Year) -> Cells:
    """All cells of a block [period, label, draw] in the order of ``tables``; ``years`` has a leading year axis."""
    yearly = {name: _with_totals(plan, OUTPUTS[name].dims[0], flow) for name, flow in years.annual.items()}
    yearly |= _ratios(yearly)
    found: Cells = {
        ("quarter", name): jnp.concatenate([_by_time(years.quarterly[name]), _by_time(years.totals[name])[:, None]], 1)
        for name in QUARTERLY
    }
    for name, declared in (OUTPUTS | DERIVED).items():
        if name != FISCAL:
            found["year", name] = _ahead(plan, yearly[name]) if declared.forecast_only else yearly[name]
    if plan.fiscal:
        found["fiscal_year", FISCAL] = _fiscal(plan, fiscal, beliefs, _by_time(years.fiscal))
    return found


def _by_time(values: Float[Array, "year 4 *rest"]) -> Float[Array, "time *rest"]:
    return values.reshape(-1, *values.shape[2:])


def _with_totals(plan: Plan, dim: str, values: Float[Array, "year axis draw"]) -> Float[Array, "year label draw"]:
    """Values with the totals that ``labels`` names behind their own rows."""
    rows = jnp.moveaxis(values, 1, 0)
    extra = [total(rows)] if dim in ("supplier", "buyer", "capex_buyer") else []
    if dim == "capex_buyer":
        extra.insert(0, total(pick(rows, plan.reported_buyers)))
    return jnp.concatenate([values, *(each[:, None] for each in extra)], axis=1)


def _ratios(yearly: dict[str, Float[Array, "year label draw"]]) -> dict[str, Float[Array, "year label draw"]]:
    """Ratios of a draw's own yearly values, totals among them, in the order of ``DERIVED``."""
    revenue, h100e = yearly["revenue"], yearly["h100e"]
    bound = yearly["bound_h100e"]
    return {
        "revenue_share": revenue / revenue[:, -1:],
        "h100e_growth": _growth(h100e),
        "revenue_growth": _growth(revenue),
        "binding": _over(bound, total(jnp.moveaxis(bound, 1, 0))[:, None]),
        "coverage": _over(yearly["raw_need"], yearly["installed"]),
        "depreciation_share": _over(yearly["depreciation_added"], yearly["net_income"]),
        "h100e_price": _over(revenue, h100e),
    }


def _over(part: Float[Array, "*shape"], whole: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
    """The ratio of two yearly values; not a number where there is nothing to compare with."""
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1), jnp.nan)


def _growth(yearly: Float[Array, "year label draw"]) -> Float[Array, "year label draw"]:
    """Growth on the year before; not a number in the first year and where there was nothing before."""
    grown = _over(yearly[1:], yearly[:-1]) - 1
    return jnp.concatenate([jnp.full_like(yearly[:1], jnp.nan), grown])


def _ahead(plan: Plan, yearly: Float[Array, "year label draw"]) -> Float[Array, "year label draw"]:
    """Values of the years after the hand-over; nothing for those before, of which the belief says nothing."""
    ahead = np.arange(len(yearly)) >= plan.record_years
    return jnp.where(ahead[:, None, None], yearly, jnp.nan)


def _fiscal(
    plan: Plan, fiscal: FiscalYears, beliefs: Beliefs, revenue: Float[Array, "time supplier draw"]
) -> Float[Array, "fiscal_year supplier draw"]:
    """Revenue by fiscal year: reported quarters, and the model on all other days."""
    of_suppliers = []
    for i, (_, row) in enumerate(plan.fiscal):
        share = beliefs["reported_share"][row]
        unreported = revenue[:, i] - fiscal.line[:, row, None] * share
        days = [weights[:, None] * each for weights, each in zip(fiscal.weights[i].T, unreported, strict=True)]
        of_suppliers.append(fiscal.known[i, :, None] * share + sum(days[1:], start=days[0]))
    return jnp.stack(of_suppliers, axis=1)
