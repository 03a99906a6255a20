"""Draws of a world as tests look at them: flows and beliefs by name, and the cells that our own equations make of them.

Only the flows' program is compiled for them, once for all worlds of a structure; ``tests.cells`` has the same cells in
plain NumPy.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from sim import cells, engine
from sim.model.constants import QUARTERS
from sim.model.state import Flows


def path(world, seed, first, last):
    """Flows by name [time, axis, draw] and values [entry, draw] of draws ``first`` to ``last`` - 1."""
    found = list(engine.blocks(world, seed, first, last))
    flows = {name: np.concatenate([block.flows[name] for block in found], axis=-1) for name in Flows._fields}
    return flows, np.concatenate([block.values for block in found], axis=1)


def beliefs(world, values):
    """Each input's values in its own shape [labels..., draw]."""
    return engine.named(values, tuple(world.shapes.items()))


def our_cells(world, flows, values):
    """Cells [axis, period, draw] by (period, output) as ``sim.cells`` makes them, in the precision of the flows."""
    return cells.by_table(world, flat_cells(world, flows, values))


def flat_cells(world, flows, values):
    """The same one after another [cell, draw], as the engine lays them out."""
    years = Flows(*(flows[name].reshape(-1, QUARTERS, *flows[name].shape[1:]) for name in Flows._fields))
    fiscal = cells.fiscal_years(world, years.revenue.dtype)
    share = {"reported_share": beliefs(world, values)["reported_share"]}
    return np.asarray(_traced(cells.plan(world), fiscal, share, years))


@functools.partial(jax.jit, static_argnums=0)
def _traced(plan, fiscal, share, years):
    made = cells.cells(plan, fiscal, share, jax.vmap(functools.partial(cells.of_year, plan))(years))
    return jnp.concatenate([each.reshape(-1, each.shape[-1]) for each in made.values()])
