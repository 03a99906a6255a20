"""No draw is other than finite: what is said of one that is, so that the prior behind it can be found."""

import numpy as np

from sim import cells
from sim.axes import OUTPUTS
from sim.engine import Engine
from sim.errors import IntegrityError
from sim.tally import Sums
from sim.world import World

__all__ = ["check_finite"]


def check_finite(engine: Engine, sums: Sums, first: int, last: int) -> None:
    """IntegrityError naming output, place, quarter and draw of the first number of draws ``first`` to ``last`` - 1 that
    is not finite, if ``sums`` has any.
    """
    told = cells.defined(engine.world)
    if not sums.missing[: len(told)][told].any():
        return
    axes = engine.world.book.axes
    for block in engine.blocks(first, last):
        for name, flow in block.flows.items():
            if np.isfinite(flow).all():
                continue
            time, row, draw = (int(index[0]) for index in np.nonzero(~np.isfinite(flow)))
            place = f"{name}[{axes[OUTPUTS[name].dims[0]][row]}, {axes['time'][time]}]"
            furthest = _most_extreme(engine.world, block.values[:, draw])
            drawn = ", ".join(f"{stream} = {value:.6g}" for stream, value in furthest)
            problem = f"{place} of draw {block.first + draw} is {flow[time, row, draw]}; furthest out in it: {drawn}"
            raise IntegrityError("run-not-finite", problem, remedy="narrow these priors; nothing was published")
    raise IntegrityError("run-not-finite", "a sum of draws is not finite", remedy="narrow the widest priors")


def _most_extreme(world: World, values: np.ndarray, count: int = 5) -> list[tuple[str, float]]:
    """Streams and values of a draw that lie furthest from their median, in widths of their middle nine tenths."""
    far = []
    for entry, value in zip(world.entries, values, strict=True):
        low, middle, high = (entry.distribution.quantile(p) for p in (0.05, 0.5, 0.95))
        if high > low:
            far.append((abs(float(value) - middle) / (high - low), entry.stream, float(value)))
    return [(stream, value) for _, stream, value in sorted(far, reverse=True)[:count]]
