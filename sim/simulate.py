"""The world stepped through its years and quarters, for one draw or for a block of them."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int

from sim.axes import INPUTS
from sim.model import capex, chips, quarter, workloads
from sim.model.constants import OUTLOOK_END, QUARTERS
from sim.model.state import Beliefs, Course, Fixed, Flows, Known, Setting, State
from sim.model.stock import Stock
from sim.model.structure import Structure, place
from sim.world import World

__all__ = ["Forcing", "forcing_of", "trajectory", "years"]

TIMED = {
    name: wanted.dims[-1]
    for name, wanted in INPUTS.items()
    if wanted.dims and wanted.dims[-1] in ("time", "year", "season")
}
"""Inputs that are cut to the quarter at hand, and the axis along which."""


Kept = TypeVar("Kept")
Over = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Makes of a function of one quarter the same function of several, by ``jax.vmap`` or one after another."""


class Forcing(NamedTuple):
    """Run-time arrays of the record."""

    known: Known  # each with a leading time axis
    target: Float[Array, " reported_buyer"]  # guidance of the year after the hand-over, bn USD
    reported: Float[Array, " reported_buyer"]  # what of that year is reported, bn USD
    open_quarters: Bool[Array, "4 reported_buyer"]
    handover: Int[Array, ""]


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
        target=_array(guidance.target, dtype),
        reported=_array(guidance.reported, dtype),
        open_quarters=_array(guidance.open_quarters, bool),
        handover=_array(np.asarray(record.handover), np.int32),
    )


def _array(values: np.ndarray, dtype: Any) -> Array:
    """An array for the device."""
    return jnp.asarray(values, dtype=dtype)


def trajectory(structure: Structure, beliefs: Beliefs, forcing: Forcing, over: Over = jax.vmap) -> Flows:
    """Flows of every quarter [time, axis, draw]."""
    flows = years(structure, beliefs, forcing, lambda flows: flows, over)
    return jax.tree.map(lambda flow: flow.reshape(-1, *flow.shape[2:]), flows)


def years(
    structure: Structure, beliefs: Beliefs, forcing: Forcing, keep: Callable[[Flows], Kept], over: Over = jax.vmap
) -> Kept:
    """What ``keep`` takes from the flows of each year [4, axis, draw], stacked by year, in one scan over years.

    What no state touches, and what is only made of it, runs over the quarters of a year at once (``over``); what one
    quarter hands to the next is scanned.
    """
    fixed = _fixed(structure, beliefs, forcing)
    yearly, seasonal, timely = (_by(axis, beliefs) for axis in ("year", "season", "time"))
    risen = over(functools.partial(chips.risen, fixed.line_up))(forcing.known.year)

    def advance(state: State, xs: tuple[Known, Array, Beliefs, Beliefs]) -> tuple[State, Kept]:
        known, risen, yearly, timely = xs
        told = beliefs | yearly

        def set_out(known: Known, risen: Array, seasonal: Beliefs, timely: Beliefs) -> Setting:
            return quarter.setting(structure, told | seasonal | timely, fixed, risen, known)

        def advance_quarter(state: State, xs: tuple[Known, Setting]) -> tuple[State, Course]:
            known, setting = xs
            return quarter.move(structure, told, fixed, setting, state, known)

        settings = over(set_out)(known, risen, seasonal, timely)
        state, courses = lax.scan(advance_quarter, state, (known, settings))
        flows = over(functools.partial(quarter.flows, structure, told))(settings, courses, known)
        return state, keep(flows)

    start = _start(structure, beliefs, forcing)
    by_year = jax.tree.map(
        lambda each: each.reshape(len(each) // QUARTERS, QUARTERS, *each.shape[1:]), (forcing.known, risen, timely)
    )  # a belief may have no row at all, so that the number of years must be said
    known, risen, timely = by_year
    _, kept = lax.scan(advance, start, (known, risen, yearly, timely))
    return kept


def _by(axis: str, beliefs: Beliefs) -> Beliefs:
    """Beliefs that differ along a time-like axis, with that axis first."""
    return {
        name: jnp.moveaxis(beliefs[name], len(INPUTS[name].dims) - 1, 0) for name, at in TIMED.items() if at == axis
    }


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
