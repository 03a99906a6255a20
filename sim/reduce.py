"""From draws to a summary: years and totals are made inside the draw, quantiles only afterwards.

All cells of a run are kept in memory until they are sorted, so the quantiles are exact; ``fits`` says beforehand
whether they will.
"""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from sim.axes import DERIVED, OUTPUTS, QUARTERLY
from sim.errors import RefusedError
from sim.model.constants import QUARTERS
from sim.simulate import Block
from sim.world import Fiscal, World

__all__ = ["LEVELS", "Cells", "Statistics", "Table", "block_cells", "cells_per_draw", "fits", "statistics", "tables"]

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Probabilities of the quantiles in a summary."""

FISCAL = "fiscal_revenue"

MEMORY_PART = 0.5
"""Part of the machine's memory that a run's cells may take."""

Cells = dict[tuple[str, str], Float[np.ndarray, "axis period draw"]]
"""By period (``quarter``, ``year``, ``fiscal_year``) and output: the values of a block."""


class Table(NamedTuple):
    """One output by one kind of period: its labels and those of its periods."""

    period: str
    output: str
    dim: str
    labels: tuple[str, ...]
    periods: tuple[str, ...]


class Statistics(NamedTuple):
    """What the draws of one table say, and the Monte Carlo standard error of each figure."""

    quantiles: Float32[np.ndarray, "quantile axis period"]
    quantile_error: Float32[np.ndarray, "quantile axis period"]
    mean: Float32[np.ndarray, "axis period"]
    mean_error: Float32[np.ndarray, "axis period"]
    sd: Float32[np.ndarray, "axis period"]
    zero: Float32[np.ndarray, "axis period"]  # share of draws that are exactly 0


def tables(world: World) -> dict[tuple[str, str], Table]:
    """Every table of a summary, by period and output."""
    quarters, years = world.book.axes["time"], whole_years(world)
    series = tuple(labels(world, "revenue")[row] for row in _quarterly_rows(world))
    listed = [Table("quarter", name, OUTPUTS[name].dims[0], series, quarters) for name in QUARTERLY]
    listed += [Table("year", name, output.dims[0], labels(world, name), years) for name, output in OUTPUTS.items()]
    listed += [
        Table("year", name, output.dims[0], labels(world, name), years)
        for name, output in DERIVED.items()
        if name != FISCAL
    ]
    if world.record.fiscal:
        suppliers = tuple(fiscal.supplier for fiscal in world.record.fiscal)
        listed.append(Table("fiscal_year", FISCAL, DERIVED[FISCAL].dims[0], suppliers, _fiscal_years(world)))
    return {(table.period, table.output): table for table in listed}


def labels(world: World, name: str) -> tuple[str, ...]:
    """Labels of an output's axis with the totals made in the draw: all, and buyers with reported capex."""
    dim = (OUTPUTS | DERIVED)[name].dims[0]
    own = world.book.axes[dim]
    if dim == "capex_buyer":
        return (*own, "reported", "total")
    return (*own, "total") if dim in ("supplier", "buyer") else own


def _quarterly_rows(world: World) -> list[int]:
    """Rows of the suppliers with a quarterly record of some kind, and of the total."""
    carried_back = world.book.axes["backcast_supplier"]
    return [row for row, label in enumerate(labels(world, "revenue")) if label not in carried_back]


def whole_years(world: World) -> tuple[str, ...]:
    """Years with all four quarters on the axis."""
    quarters = set(world.book.axes["time"])
    return tuple(year for year in world.book.axes["year"] if all(f"{year}Q{n}" in quarters for n in (1, 2, 3, 4)))


def fits(world: World, draws: int) -> None:
    """RefusedError if the cells of so many draws do not fit into memory, with the largest number that does."""
    cells = cells_per_draw(world)
    room = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_PART)
    most = room // (4 * cells)
    if draws > most:
        problem = f"{draws:,} draws of {cells:,} cells need {draws * cells * 4 / 1e9:.1f} GB of memory"
        raise RefusedError("run-memory", problem, remedy=f"ask for at most {most:,} draws on this machine")


def cells_per_draw(world: World) -> int:
    """Numbers that one draw leaves in a summary's tables."""
    return sum(len(table.labels) * len(table.periods) for table in tables(world).values())


def block_cells(world: World, block: Block) -> Cells:
    """Totals, years and ratios of one block, each inside the draw."""
    yearly = {
        name: _with_totals(world, name, _by_year(world, flow, OUTPUTS[name].annual))
        for name, flow in block.flows.items()
    }
    yearly |= _ratios(yearly)
    cells: Cells = {
        ("year", name): _forecast_years(world, values) if (OUTPUTS | DERIVED)[name].forecast_only else values
        for name, values in yearly.items()
    }
    cells |= {("quarter", name): _by_quarter(world, block.flows[name]) for name in QUARTERLY}
    if world.record.fiscal:
        cells["fiscal_year", FISCAL] = np.stack([_fiscal(world, each, block) for each in world.record.fiscal])
    return cells


def _ratios(yearly: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Ratios of a draw's own yearly values, totals among them."""
    revenue, h100e = yearly["revenue"], yearly["h100e"]
    bound = yearly["bound_h100e"]
    return {
        "revenue_share": revenue / revenue[-1:],
        "h100e_growth": _growth(h100e),
        "revenue_growth": _growth(revenue),
        "binding": _over(bound, bound.sum(axis=0, keepdims=True)),
        "coverage": _over(yearly["raw_need"], yearly["installed"]),
        "depreciation_share": _over(yearly["depreciation_added"], yearly["net_income"]),
        "h100e_price": _over(revenue, h100e),
    }


def _fiscal_years(world: World) -> tuple[str, ...]:
    """Fiscal years that every supplier with a fiscal calendar has wholly on the axis."""
    common = set.intersection(*(set(fiscal.years) for fiscal in world.record.fiscal))
    return tuple(year for year in world.record.fiscal[0].years if year in common)


def _fiscal(world: World, fiscal: Fiscal, block: Block) -> np.ndarray:
    """Revenue of a supplier by fiscal year [fiscal_year, draw]: reported quarters, and the model on all other days."""
    at = world.book.axes["supplier"].index(fiscal.supplier)
    reported = world.record.line[:, world.book.axes["reported_supplier"].index(fiscal.supplier), None]
    share = block.values[_entry(world, f"reported_share[{fiscal.supplier}]")]
    unreported = block.flows["revenue"][:, at] - reported * share
    years = [fiscal.years.index(year) for year in _fiscal_years(world)]
    revenue: np.ndarray = fiscal.known[years, None] * share + fiscal.weights[years] @ unreported
    return revenue


def _entry(world: World, stream: str) -> int:
    return next(i for i, entry in enumerate(world.entries) if entry.stream == stream)


def _with_totals(world: World, name: str, values: np.ndarray) -> np.ndarray:
    """Values [axis, period, draw] with the totals that ``labels`` names behind their own rows."""
    buyers = world.book.axes["capex_buyer"]
    reported = [buyers.index(buyer) for buyer in world.book.axes["reported_buyer"]]
    extra = labels(world, name)[len(values) :]
    rows = [values[reported] if label == "reported" else values for label in extra]
    return np.concatenate([values, *(row.sum(axis=0, keepdims=True) for row in rows)]) if rows else values


def _by_quarter(world: World, flow: np.ndarray) -> np.ndarray:
    """A flow of suppliers [time, axis, draw] as quarterly series [axis, time, draw], the total of all behind them."""
    series = [row for row in _quarterly_rows(world) if row < flow.shape[1]]
    return np.stack([*(flow[:, row] for row in series), flow.sum(axis=1)])


def _by_year(world: World, flow: np.ndarray, how: str) -> np.ndarray:
    """A flow [time, axis, draw] by whole years [axis, year, draw]: the sum of its quarters, or the last of them."""
    first = [world.book.axes["time"].index(f"{year}Q1") for year in whole_years(world)]
    if how == "last":
        return np.stack([flow[t + 3] for t in first], axis=1)
    years = np.stack([flow[t : t + 4].sum(axis=0) for t in first], axis=1)
    return years / QUARTERS if how == "mean" else years


def _forecast_years(world: World, yearly: np.ndarray) -> np.ndarray:
    """Values of the years after the hand-over; nothing for those before, of which the belief says nothing."""
    known = [year <= world.book.axes["time"][world.record.handover][:4] for year in whole_years(world)]
    return np.where(np.array(known)[:, None], np.float32(np.nan), yearly)


def _growth(yearly: np.ndarray) -> np.ndarray:
    """Growth on the year before; not a number in the first year and where there was nothing before."""
    growth = np.full_like(yearly, np.nan)
    growth[:, 1:] = _over(yearly[:, 1:], yearly[:, :-1])
    return growth - 1


def _over(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The ratio of two yearly values; not a number where there is nothing to compare with."""
    ratio = np.full_like(part, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def statistics(cells: Iterable[Cells], draws: int) -> Iterator[tuple[tuple[str, str], Statistics]]:
    """Statistics of each table over all draws, in any grouping of them; ValueError if they are not as many."""
    kept: dict[tuple[str, str], list[Float32[np.ndarray, "axis period draw"]]] = {}
    for block in cells:
        for key, values in block.items():
            kept.setdefault(key, []).append(np.ascontiguousarray(values, dtype=np.float32))
    if any(sum(values.shape[-1] for values in blocks) != draws for blocks in kept.values()):
        raise ValueError(f"the blocks do not hold {draws} draws")
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        for key in list(kept):
            yield key, _statistics(kept.pop(key), workers)


def _statistics(blocks: list[Float32[np.ndarray, "axis period draw"]], workers: Executor) -> Statistics:
    """Statistics of each cell, several cells side by side."""
    shape = blocks[0].shape[:-1]
    found = workers.map(lambda cell: _of_cell(np.concatenate([block[cell] for block in blocks])), np.ndindex(shape))
    figures = np.array(list(found), dtype=np.float32).reshape(*shape, -1)
    count = len(LEVELS)
    mean, mean_error, sd, zero = (figures[..., -4 + i] for i in range(4))
    return Statistics(
        quantiles=np.moveaxis(figures[..., :count], -1, 0),
        quantile_error=np.moveaxis(figures[..., count : 2 * count], -1, 0),
        mean=mean,
        mean_error=mean_error,
        sd=sd,
        zero=zero,
    )


def _of_cell(values: Float32[np.ndarray, " draw"]) -> Float64[np.ndarray, " figure"]:
    """Exact quantiles, their errors, then mean, its error, sd and share of zeros; all NaN if any draw has no value.

    The error of a quantile is half the distance between the order statistics one binomial sd to either side of it.
    """
    n = len(values)
    mean, sd = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    levels = np.array(LEVELS)
    spread = np.sqrt(levels * (1 - levels) / n)
    wanted = np.concatenate([levels, np.clip(levels + spread, 0, 1), np.clip(levels - spread, 0, 1)])
    at, above, below = _quantiles(values, wanted).reshape(3, -1)
    zero = 1 - np.count_nonzero(values) / n
    figures = np.concatenate([at, (above - below) / 2, [mean, sd / np.sqrt(n), sd, zero]])
    return np.full_like(figures, np.nan) if np.isnan(mean) else figures


def _quantiles(values: Float32[np.ndarray, " draw"], levels: np.ndarray) -> np.ndarray:
    """Linear interpolation between order statistics, as numpy.quantile does by default."""
    rank = levels * (len(values) - 1)
    low = np.floor(rank).astype(np.int64)
    high = np.minimum(low + 1, len(values) - 1)
    below, above = order_statistics(values, np.stack([low, high])).astype(np.float64)
    interpolated: np.ndarray = below + (above - below) * (rank - low)
    return interpolated


def order_statistics(values: Float32[np.ndarray, " draw"], ranks: Int64[np.ndarray, "..."]) -> np.ndarray:
    """``np.sort(values)[ranks]``, four times as fast for a few ranks of many values.

    Values are counted by the upper half of their bits, in an order-preserving map of floats to integers; only those
    whose upper half holds a wanted rank are sorted.
    """
    bits = values.view(np.int32)
    upper = ((bits ^ ((bits >> 31) & 0x7FFFFFFF)) >> 16).astype(np.int64)
    upper -= upper.min()
    count = np.bincount(upper)
    end = count.cumsum()
    bins = np.searchsorted(end, ranks, side="right")
    chosen = np.zeros(len(count), dtype=bool)
    chosen[bins] = True
    skipped = np.where(chosen, 0, count).cumsum()
    statistics: np.ndarray = np.sort(values[chosen[upper]])[ranks - skipped[bins]]
    return statistics
