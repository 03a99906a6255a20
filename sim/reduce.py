"""From draws to a summary: years and totals are made inside the draw, quantiles only afterwards.

All cells of a run are kept in memory until they are sorted, so the quantiles are exact; ``fits`` says beforehand
whether they will.
"""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from sim.axes import DERIVED, OUTPUTS, QUARTERLY
from sim.errors import RefusedError
from sim.simulate import Block
from sim.world import World

__all__ = ["LEVELS", "Cells", "Statistics", "Table", "block_cells", "cells_per_draw", "fits", "statistics", "tables"]

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Probabilities of the quantiles in a summary."""

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


def tables(world: World) -> dict[tuple[str, str], Table]:
    """Every table of a summary, by period and output."""
    quarters, years = world.book.axes["time"], whole_years(world)
    listed = [Table("quarter", name, OUTPUTS[name].dims[0], labels(world, name), quarters) for name in QUARTERLY]
    listed += [Table("year", name, output.dims[0], labels(world, name), years) for name, output in OUTPUTS.items()]
    for name in ("revenue_share", "h100e_growth", "revenue_growth"):
        listed.append(Table("year", name, "supplier", labels(world, name), years))
    for fiscal in world.record.fiscal:
        dim = DERIVED["fiscal_revenue"].dims[0]
        listed.append(Table("fiscal_year", "fiscal_revenue", dim, (fiscal.supplier,), fiscal.years))
    return {(table.period, table.output): table for table in listed}


def labels(world: World, name: str) -> tuple[str, ...]:
    """Labels of an output's axis with the totals made in the draw: all, and buyers with reported capex."""
    dim = (OUTPUTS | DERIVED)[name].dims[0]
    own = world.book.axes[dim]
    if dim == "capex_buyer":
        return (*own, "reported", "total")
    return (*own, "total") if dim in ("supplier", "buyer") else own


def whole_years(world: World) -> tuple[str, ...]:
    """Years with all four quarters on the axis."""
    quarters = set(world.book.axes["time"])
    return tuple(year for year in world.book.axes["year"] if all(f"{year}Q{n}" in quarters for n in (1, 2, 3, 4)))


def fits(world: World, draws: int, copies: int = 1) -> None:
    """RefusedError if the cells of so many draws do not fit into memory, with the largest number that does.

    ``copies`` is 2 where draws are kept beside those that are sorted.
    """
    cells = copies * sum(len(table.labels) * len(table.periods) for table in tables(world).values())
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
    flows = {name: _with_totals(world, name, flow) for name, flow in block.flows.items()}
    cells: Cells = {("quarter", name): np.swapaxes(flows[name], 0, 1) for name in QUARTERLY}
    yearly = {name: _by_year(world, flow, OUTPUTS[name].annual) for name, flow in flows.items()}
    cells |= {("year", name): flow for name, flow in yearly.items()}
    revenue = yearly["revenue"]
    cells["year", "revenue_share"] = revenue / revenue[-1:]
    cells["year", "h100e_growth"] = _growth(yearly["h100e"])
    cells["year", "revenue_growth"] = _growth(revenue)
    for fiscal in world.record.fiscal:
        at = world.book.axes["supplier"].index(fiscal.supplier)
        reported = world.record.line[:, world.book.axes["reported_supplier"].index(fiscal.supplier), None]
        share = block.values[_entry(world, f"reported_share[{fiscal.supplier}]")]
        unreported = block.flows["revenue"][:, at] - reported * share
        cells["fiscal_year", "fiscal_revenue"] = (fiscal.known[:, None] * share + fiscal.weights @ unreported)[None]
    return cells


def _entry(world: World, stream: str) -> int:
    return next(i for i, entry in enumerate(world.entries) if entry.stream == stream)


def _with_totals(world: World, name: str, flow: np.ndarray) -> np.ndarray:
    """A flow [time, axis, draw] with the totals that ``labels`` names behind its own rows."""
    extra = labels(world, name)[flow.shape[1] :]
    buyers = world.book.axes["capex_buyer"]
    reported = [buyers.index(buyer) for buyer in world.book.axes["reported_buyer"]]
    rows = [flow[:, reported] if label == "reported" else flow for label in extra]
    return np.concatenate([flow, *(row.sum(axis=1, keepdims=True) for row in rows)], axis=1)


def _by_year(world: World, flow: np.ndarray, how: str) -> np.ndarray:
    """A flow [time, axis, draw] by whole years [axis, year, draw]: the sum of its quarters, or the last of them."""
    first = [world.book.axes["time"].index(f"{year}Q1") for year in whole_years(world)]
    if how == "last":
        return np.stack([flow[t + 3] for t in first], axis=1)
    return np.stack([flow[t : t + 4].sum(axis=0) for t in first], axis=1)


def _growth(yearly: np.ndarray) -> np.ndarray:
    """Growth on the year before; not a number in the first year and where there was nothing before."""
    growth = np.full_like(yearly, np.nan)
    before = yearly[:, :-1]
    np.divide(yearly[:, 1:], before, out=growth[:, 1:], where=before > 0)
    return growth - 1


def statistics(cells: Iterable[Cells], draws: int) -> Iterator[tuple[tuple[str, str], Statistics]]:
    """Statistics of each table over all draws, in any grouping of them; the store of cells is freed as it goes."""
    kept: dict[tuple[str, str], np.ndarray] = {}
    done = 0
    for block in cells:
        for key, values in block.items():
            if key not in kept:
                kept[key] = np.empty((*values.shape[:-1], draws), np.float32)
            kept[key][..., done : done + values.shape[-1]] = values
        done += values.shape[-1]
    for key in list(kept):
        yield key, _statistics(kept.pop(key))


def _statistics(values: Float32[np.ndarray, "axis period draw"]) -> Statistics:
    """Exact quantiles by sorting in place; their errors from the order statistics one binomial sd to either side."""
    n = values.shape[-1]
    mean = values.mean(axis=-1, dtype=np.float64)
    sd = values.std(axis=-1, dtype=np.float64)
    values.sort(axis=-1)
    levels = np.array(LEVELS)
    spread = np.sqrt(levels * (1 - levels) / n)
    quantiles = _at_rank(values, levels)
    width = _at_rank(values, np.clip(levels + spread, 0, 1)) - _at_rank(values, np.clip(levels - spread, 0, 1))
    quantiles[:, np.isnan(mean)] = np.nan  # where some draw has no value there is no distribution
    width[:, np.isnan(mean)] = np.nan
    return Statistics(
        quantiles=quantiles,
        quantile_error=width / 2,
        mean=mean.astype(np.float32),
        mean_error=(sd / np.sqrt(n)).astype(np.float32),
        sd=sd.astype(np.float32),
    )


def _at_rank(ordered: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Linear interpolation between order statistics [quantile, axis, period], as numpy.quantile does by default."""
    rank = levels * (ordered.shape[-1] - 1)
    low = np.floor(rank).astype(np.int64)
    high = np.minimum(low + 1, ordered.shape[-1] - 1)
    part = (rank - low).astype(np.float32)
    between = ordered[..., low] + (ordered[..., high] - ordered[..., low]) * part
    return np.moveaxis(between, -1, 0)
