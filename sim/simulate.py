"""The two compiled programs: beliefs drawn, and the world stepped through its quarters, a block of draws at a time.

Time, draws and jit live here; the model knows one quarter. Book values, keys and the record are run-time arrays, so
new numbers never recompile. Another layout of families compiles the sampler again, which is short, another structure
the path, which is long: so a scenario costs seconds.
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
from sim.model import capex, chips, quarter, workloads
from sim.model.constants import OUTLOOK_END, QUARTERS
from sim.model.state import Beliefs, Fixed, Flows, Known, State
from sim.model.stock import Stock
from sim.model.structure import Structure, place
from sim.world import World

__all__ = ["BLOCK", "STREAM_VERSION", "Block", "blocks", "forcing_of", "trajectory"]

BLOCK = 1024
"""Draws of one call; a part of the stream version, because floats depend on the compiled shape."""

STREAM_VERSION = 2
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

    known: Known  # each with a leading time axis
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
    forcing = forcing_of(world, dtype)
    sample = _sampler(plan.layout, np.dtype(dtype).name)
    path = _path(world.structure, tuple(world.shapes.items()))
    keys = functools.lru_cache(maxsize=1)(functools.partial(draws.keys, plan.streams, seed))
    waiting = None
    for start in range(first, last, BLOCK):
        high, low = draws.words(start, BLOCK)
        values = sample(keys(high), plan.numbers, low)
        begun = path(values, forcing), values
        if waiting is not None:
            yield _fetched(*waiting, last)
        waiting = start, begun
    if waiting is not None:
        yield _fetched(*waiting, last)


def _fetched(start: int, begun: tuple[Flows, Array], last: int) -> Block:
    """A block on the host, cut to the draws before ``last``; the next one is already being simulated."""
    flows, values = jax.device_get(begun)
    size = min(BLOCK, last - start)
    return Block(start, {name: flow[..., :size] for name, flow in flows._asdict().items()}, values[:, :size])


def forcing_of(world: World, dtype: Any) -> Forcing:
    """The record as arrays of one precision."""
    record, guidance = world.record, world.record.guidance
    ahead = np.arange(len(record.year)) - record.handover
    outlook = OUTLOOK_END - record.year[record.handover] - 1 / (2 * QUARTERS)
    known = Known(
        year=_array(record.year, dtype),
        ahead=_array(ahead > 0, bool),
        quarters_ahead=_array(ahead, dtype),
        horizon=_array(np.full(len(ahead), max(QUARTERS * outlook, 1)), dtype),
        progress=_array(np.clip(np.arange(len(ahead)) / record.handover, 0, 1), dtype),
        capex=_array(record.capex, dtype),
        capex_growth=_array(record.capex_growth, dtype),
        guided=_array(guidance.guided, bool),
        reach=_array(guidance.reach, dtype),
        line=_array(record.line, dtype),
        outlook=_array(record.outlook, dtype),
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


@functools.lru_cache(maxsize=32)
def _sampler(layout: draws.Layout, dtype: str) -> Any:
    """The compiled sampling of one block for a layout of families."""

    def sample(keys: Array, numbers: draws.Numbers, low: Array) -> Array:
        z = draws.normals(keys, jnp.asarray(numbers.elements), low, BLOCK, dtype)
        return draws.values(layout, numbers, z)

    return jax.jit(sample)


@functools.lru_cache(maxsize=8)
def _path(structure: Structure, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> Any:
    """The compiled simulation of one block for a structure, whatever its distributions."""

    def path(values: Array, forcing: Forcing) -> Flows:
        return trajectory(structure, _named(values, shapes), forcing)

    return jax.jit(path)


def _named(values: Float[Array, "entry draw"], shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> Beliefs:
    """Each input's values in its own shape, draws last."""
    beliefs, start = {}, 0
    for name, shape in shapes:
        size = int(np.prod(shape))
        beliefs[name] = values[start : start + size].reshape(*shape, values.shape[1])
        start += size
    return beliefs


def _at(beliefs: Beliefs, index: dict[str, Array]) -> Beliefs:
    """Beliefs of one quarter: time-like axes cut to it."""
    timed = {
        name: lax.dynamic_index_in_dim(beliefs[name], index[axis], axis=len(INPUTS[name].dims) - 1, keepdims=False)
        for name, axis in TIMED.items()
    }
    return beliefs | timed


def trajectory(structure: Structure, beliefs: Beliefs, forcing: Forcing) -> Flows:
    """Flows of every quarter [time, axis, draw] in one scan over time."""
    fixed = _fixed(structure, beliefs, forcing)

    def advance(state: State, xs: tuple[Known, Array, Array, Array]) -> tuple[State, Flows]:
        known, time, year, season = xs
        now = _at(beliefs, {"time": time, "year": year, "season": season})
        return quarter.step(structure, now, fixed, state, known)

    time = jnp.arange(len(forcing.year), dtype=forcing.year.dtype)
    start = _start(structure, beliefs, forcing)
    _, flows = lax.scan(advance, start, (forcing.known, time, forcing.year, forcing.season))
    return flows


def _fixed(structure: Structure, beliefs: Beliefs, forcing: Forcing) -> Fixed:
    """What does not change within a draw: chips, workloads at the hand-over, growth of the guided year."""
    target = forcing.target[:, None] * beliefs["guidance_bridge"] * jnp.exp(beliefs["guidance_beat"])
    last, year = (
        lax.dynamic_index_in_dim(values, forcing.handover, axis=0, keepdims=False)
        for values in (forcing.known.capex, forcing.known.year)
    )
    guided = capex.guided_growth(
        jnp.broadcast_to(last[:, None], target.shape),
        target - forcing.reported[:, None],
        forcing.open_quarters[..., None],
    )
    loads = workloads.at_handover(beliefs)
    return Fixed(
        line_up=chips.generations(structure, beliefs),
        workloads=loads,
        raw_start=workloads.raw_need(beliefs, loads, year, jnp.zeros_like(year)),
        guided=guided,
    )


def _start(structure: Structure, beliefs: Beliefs, forcing: Forcing) -> State:
    """Before the first quarter: spending as in it, nothing shipped, nothing installed."""
    shape = beliefs["capex_drift"].shape
    dtype = beliefs["capex_drift"].dtype

    def nothing(*axes: int) -> Array:
        return jnp.zeros((*axes, *shape), dtype)

    spending = place(
        nothing(),
        (structure.reported_buyers, forcing.known.capex[0].reshape(-1, *(1,) * len(shape))),
        (
            structure.elicited_buyers,
            beliefs["spending_run_rate"]
            * jnp.exp(beliefs["spending_past_growth"] * forcing.known.quarters_ahead[0] / QUARTERS),
        ),
        (structure.direct_buyers, nothing(len(structure.direct_buyers))),
    )
    return State(
        intended=spending,
        spending=spending,
        spending_before=spending,
        cash=nothing(structure.buyers),
        share_start=nothing(len(structure.capex_buyers)),
        share_change=nothing(len(structure.capex_buyers)),
        weight=nothing(len(structure.pair_buyer)),
        revenue=nothing(structure.suppliers),
        capacity=nothing(2, structure.suppliers),
        pressure=nothing(structure.suppliers),
        backlog=nothing(len(structure.pair_buyer)),
        installed_start=nothing(structure.buyers),
        stock=Stock(moving=nothing(2, structure.buyers), stages=nothing(4, 2, structure.buyers)),
    )
