"""How far one world's figures lie from another's in the same draw: percentiles of the difference and of the ratio."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from sim import address
from sim.address import Cell
from sim.axes import CONSTRAINTS
from sim.errors import BookError
from sim.world import World

__all__ = ["Difference", "common", "difference", "headline_cells", "waterfall_cells"]

LEVELS = (0.05, 0.5, 0.95)
LEAD = "nvidia"
HEADLINE = (
    *(("revenue", LEAD), ("revenue", "total"), ("h100e", LEAD), ("h100e", "total"), ("revenue_share", LEAD)),
    *(("capex", "reported"), ("need", "total"), ("installed", "total")),
    *(("binding", constraint) for constraint in CONSTRAINTS),
)
"""Output and label of what is compared in every year."""
FALLEN = (("revenue", LEAD), ("h100e", "total"))
"""Output and label of what is taken apart by default, in the second forecast year and in the last."""

Common = tuple[Cell, Cell]
"""One cell in two worlds."""


@dataclass(frozen=True)
class Difference:
    """One cell in two worlds, in the draws in which both have it; what lies between is the second less the first."""

    first: str
    second: str
    """Names of the worlds."""
    cell: str
    output: str
    label: str
    period: str
    unit: str
    draws: int
    medians: tuple[float, float]
    mean: float
    mean_error: float
    p05: float
    p50: float
    p95: float
    ratio: tuple[float, float, float] | None
    """P5, P50 and P95 of the second over the first; none where the first is not above 0 in every draw."""
    higher: float
    equal: float
    lower: float
    """Shares of the draws [1] in which the second is higher, the very same number, or lower."""

    @property
    def same(self) -> bool:
        """Whether it is the very same number in every draw."""
        return self.equal == 1


def headline_cells(first: World, second: World) -> list[Common]:
    """The headline's cells that both worlds have, from the first year that one of them forecasts."""
    begins = min(_begins(first), _begins(second))
    years = [year for year in first.book.axes["year"] if year >= begins]
    texts = [f"{output}[{label},{year}]" for output, label in HEADLINE for year in years]
    return list(common(first, second, texts))


def _begins(world: World) -> str:
    """The year of the first quarter after the record."""
    quarters = world.book.axes["time"]
    return quarters[min(world.record.handover + 1, len(quarters) - 1)][:4]


def waterfall_cells(world: World) -> list[str]:
    """What is taken apart where nothing is asked: those of a few that the world has."""
    ahead = [year for year in world.book.axes["year"] if year >= _begins(world)]
    texts = [
        f"{output}[{label},{year}]" for output, label in FALLEN for year in dict.fromkeys([*ahead[1:2], *ahead[-1:]])
    ]
    return [str(cell) for cell, _ in common(world, world, texts)]


def common(first: World, second: World, texts: Sequence[str]) -> Iterator[Common]:
    """Those of some cells that both worlds have."""
    for text in texts:
        with suppress(BookError):
            yield address.parse(first, text), address.parse(second, text)


def difference(
    names: tuple[str, str], cell: Cell, old: Float32[np.ndarray, " draw"], new: Float32[np.ndarray, " draw"]
) -> Difference | None:
    """The difference of one cell; None where no draw has it in both worlds."""
    there = np.isfinite(old) & np.isfinite(new)
    if not there.any():
        return None
    a, b = old[there].astype(np.float64), new[there].astype(np.float64)
    moved: Float64[np.ndarray, " draw"] = b - a
    p05, p50, p95 = np.quantile(moved, LEVELS).tolist()
    return Difference(
        first=names[0],
        second=names[1],
        cell=str(cell),
        output=cell.output,
        label=cell.label,
        period=cell.period,
        unit=cell.declared.unit,
        draws=len(a),
        medians=(float(np.median(a)), float(np.median(b))),
        mean=float(moved.mean()),
        mean_error=float(moved.std() / np.sqrt(len(a))),
        p05=p05,
        p50=p50,
        p95=p95,
        ratio=tuple(np.quantile(b / a, LEVELS).tolist()) if (a > 0).all() else None,
        higher=float(np.mean(moved > 0)),
        equal=float(np.mean(moved == 0)),
        lower=float(np.mean(moved < 0)),
    )
