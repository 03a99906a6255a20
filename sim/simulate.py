"""The one compiled program: beliefs drawn, the world stepped through its quarters, a block of draws at a time.

Time, draws and jit live here; the model knows one quarter. Book values, keys and the record are run-time arrays, so
new numbers never recompile; only another structure or family layout does.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int

from sim import draws
from sim.axes import INPUTS
from sim.model import capex, chips, market, quarter
from sim.model.constants import OUTLOOK_END, QUARTERS
from sim.model.structure import Structure
from sim.world import World

__all__ = ["BLOCK", "STREAM_VERSION", "Block", "blocks"]

BLOCK = 1024
"""Draws of one call; a part of the stream version, because floats depend on the compiled shape."""

STREAM_VERSION = 1
"""Raised whenever the same seed would give other numbers."""

TIMED = {
    name: wanted.dims[-1]
    for name, wanted in INPUTS.items()
    if wanted.dims and wanted.dims[-1] in ("time", "year", "season")
}
"""Inputs that are cut to the quarter at hand, and the axis along which."""


class Block(NamedTuple):
    """One block of draws: outputs by quarter, and the drawn values of every entry."""

    first: int
    flows: dict[str, Float[np.ndarray, "time axis draw"]]
    values: Float[np.ndarray, "entry draw"]


class Forcing(NamedTuple):
    """Run-time arrays of the record, and which year and season each quarter is in."""

    known: quarter.Known  # each with a leading time axis
    year: Int[Array, " time"]  # index on the year axis
    season: Int[Array, " time"]  # index within the year
    target: Float[Array, " reported_buyer"]  # guidance of the year after the hand-over, bn USD
    reported: Float[Array, " reported_buyer"]  # what of that year is reported, bn USD
    open_quarters: Bool[Array, "4 reported_buyer"]
    handover: Int[Array, ""]


def blocks(world: World, seed: int, first: int, last: int, dtype: Any = np.float32) -> Iterator[Block]:
    """Blocks of draws ``first`` to ``last`` - 1, simulated one after another; ``first`` is a multiple of ``BLOCK``.

    The last block is cut to ``last``. Draw i is the same for every ``first`` and ``last`` that include it.
    """
    streams, correlation = world.book.correlation
    plan = draws.plan(world.entries, streams, correlation)
    forcing = _forcing(world, dtype)
    program = _program(world.structure, plan.layout, tuple(world.shapes.items()), np.dtype(dtype).name)
    keys = functools.lru_cache(maxsize=1)(functools.partial(draws.keys, plan.streams, seed))
    waiting = None
    for start in range(first, last, BLOCK):
        high, low = draws.words(start, BLOCK)
        begun = program(keys(high), plan.numbers, forcing, low)
        if waiting is not None:
            yield _fetched(*waiting, last)
        waiting = start, begun
    if waiting is not None:
        yield _fetched(*waiting, last)


def _fetched(start: int, begun: tuple[quarter.Flows, Array], last: int) -> Block:
    """A block on the host, cut to the draws before ``last``; the next one is already being simulated."""
    flows, values = jax.device_get(begun)
    size = min(BLOCK, last - start)
    return Block(start, {name: flow[..., :size] for name, flow in flows._asdict().items()}, values[:, :size])


def _forcing(world: World, dtype: Any) -> Forcing:
    """The record as arrays of one precision."""
    record, guidance = world.record, world.record.guidance
    ahead = np.arange(len(record.year)) - record.handover
    outlook = OUTLOOK_END - record.year[record.handover] - 1 / (2 * QUARTERS)
    known = quarter.Known(
        year=_array(record.year, dtype),
        ahead=_array(ahead > 0, bool),
        quarters_ahead=_array(ahead, dtype),
        horizon=_array(np.full(len(ahead), max(QUARTERS * outlook, 1)), dtype),
        progress=_array(np.clip(np.arange(len(ahead)) / record.handover, 0, 1), dtype),
        capex=_array(record.capex, dtype),
        capex_growth=_array(record.capex_growth, dtype),
        guided=_array(guidance.guided, bool),
        line=_array(record.line, dtype),
        attach=_array(record.attach, dtype),
        cover=_array(record.cover, dtype),
    )
    return Forcing(
        known=known,
        year=_array(world.year_index, np.int32),
        season=_array(world.season_index, np.int32),
        target=_array(guidance.target, dtype),
        reported=_array(guidance.reported, dtype),
        open_quarters=_array(guidance.open_quarters, bool),
        handover=_array(np.asarray(record.handover), np.int32),
    )


def _array(values: np.ndarray, dtype: Any) -> Array:
    """An array for the device."""
    return jnp.asarray(values, dtype=dtype)


@functools.lru_cache(maxsize=8)
def _program(
    structure: Structure, layout: draws.Layout, shapes: tuple[tuple[str, tuple[int, ...]], ...], dtype: str
) -> Any:
    """The compiled simulation of one block for a structure."""

    def simulate(keys: Array, numbers: draws.Numbers, forcing: Forcing, low: Array) -> tuple[quarter.Flows, Array]:
        z = draws.normals(keys, jnp.asarray(numbers.elements), low, BLOCK, dtype)
        values = draws.values(layout, numbers, z)
        return trajectory(structure, _named(values, shapes), forcing), values

    return jax.jit(simulate)


def _named(values: Float[Array, "entry draw"], shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> quarter.Beliefs:
    """Each input's values in its own shape, draws last."""
    beliefs, start = {}, 0
    for name, shape in shapes:
        size = int(np.prod(shape))
        beliefs[name] = values[start : start + size].reshape(*shape, values.shape[1])
        start += size
    return beliefs


def _at(beliefs: quarter.Beliefs, index: dict[str, Array]) -> quarter.Beliefs:
    """Beliefs of one quarter: time-like axes cut to it."""
    timed = {
        name: lax.dynamic_index_in_dim(beliefs[name], index[axis], axis=len(INPUTS[name].dims) - 1, keepdims=False)
        for name, axis in TIMED.items()
    }
    return beliefs | timed


def trajectory(structure: Structure, beliefs: quarter.Beliefs, forcing: Forcing) -> quarter.Flows:
    """Flows of every quarter [time, axis, draw] in one scan over time."""
    line_up = chips.generations(structure, beliefs)
    target = forcing.target[:, None] * beliefs["guidance_bridge"] * jnp.exp(beliefs["guidance_beat"])
    last = lax.dynamic_index_in_dim(forcing.known.capex, forcing.handover, axis=0, keepdims=False)
    guided = capex.guided_growth(
        jnp.broadcast_to(last[:, None], target.shape),
        target - forcing.reported[:, None],
        forcing.open_quarters[..., None],
    )

    def advance(
        state: quarter.State, xs: tuple[quarter.Known, Array, Array, Array]
    ) -> tuple[quarter.State, quarter.Flows]:
        known, time, year, season = xs
        now = _at(beliefs, {"time": time, "year": year, "season": season})
        return quarter.step(structure, now, line_up, guided, state, known)

    time = jnp.arange(len(forcing.year), dtype=forcing.year.dtype)
    start = _start(structure, beliefs, forcing)
    _, flows = lax.scan(advance, start, (forcing.known, time, forcing.year, forcing.season))
    return flows


def _start(structure: Structure, beliefs: quarter.Beliefs, forcing: Forcing) -> quarter.State:
    """Before the first quarter: spending as in it, nothing shipped, nothing installed."""
    shape = beliefs["capex_drift"].shape
    dtype = beliefs["capex_drift"].dtype

    def nothing(*axes: int) -> Array:
        return jnp.zeros((*axes, *shape), dtype)

    spending = quarter.place(
        nothing(),
        (structure.reported_buyers, forcing.known.capex[0].reshape(-1, *(1,) * len(shape))),
        (
            structure.elicited_buyers,
            beliefs["spending_run_rate"]
            * jnp.exp(beliefs["spending_past_growth"] * forcing.known.quarters_ahead[0] / quarter.QUARTERS),
        ),
        (structure.direct_buyers, nothing(len(structure.direct_buyers))),
    )
    return quarter.State(
        spending=spending,
        spending_before=spending,
        share_start=nothing(len(structure.capex_buyers)),
        share_change=nothing(len(structure.capex_buyers)),
        weight=nothing(len(structure.pair_buyer)),
        revenue=nothing(structure.suppliers),
        capacity=nothing(structure.suppliers),
        stock=market.Stock(moving=nothing(2, structure.buyers), stages=nothing(4, 2, structure.buyers)),
    )
