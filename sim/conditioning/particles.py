"""From independent normal scores to the observed quantities, in one compiled program that knows no number of a book.

It is compiled once for a structure, a layout of families and the outputs observed; which rows and periods, how they
are weighted and all beliefs are run-time arrays.
"""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Bool, Float32, Float64, Int32

from sim import devices, draws, simulate
from sim.axes import OUTPUTS
from sim.engine import Engine, named
from sim.ensemble import LINE, Quantity, share_of
from sim.model.structure import Structure
from sim.world import World

__all__ = ["Particles", "random"]

BATCH = 8
"""Quantities come in multiples of this, so that one more does not recompile."""


class Wanted(NamedTuple):
    """The observed quantities as sums over quarters and rows of outputs."""

    weights: dict[str, Float32[np.ndarray, "quantity time axis"]]
    share: Int32[np.ndarray, " quantity"]
    """The entry that a supplier's reported line is divided by."""
    line: Bool[np.ndarray, " quantity"]


@dataclass(frozen=True)
class Particles:
    """An engine's world as a function of scores."""

    engine: Engine
    quantities: Sequence[Quantity]

    def scores(self, count: int) -> Float32[np.ndarray, "variate draw"]:
        """Scores of the engine's first draws."""
        plan = self.engine.plan
        keys = draws.keys(plan.streams, self.engine.seed, 0)
        made = jax.jit(draws.normals, static_argnums=3)(keys, plan.numbers.elements, np.uint32(0), count)
        return np.asarray(made)

    def values(self, scores: Float32[np.ndarray, "variate draw"]) -> Float32[np.ndarray, "entry draw"]:
        """The number that each score makes of every entry."""
        plan = self.engine.plan
        return np.asarray(jax.jit(draws.values, static_argnums=0)(plan.layout, plan.numbers, scores))

    def observed(self, scores: Float32[np.ndarray, "variate draw"]) -> Float64[np.ndarray, "quantity draw"]:
        """The observed quantities."""
        world, on, count = self.engine.world, self.engine.on, scores.shape[1]
        block = min(self.engine.shape.block, -(-count // on.size))
        blocks = -(-count // (block * on.size))
        filled = np.zeros((len(scores), on.size * blocks * block), np.float32)
        filled[:, :count] = scores
        given = np.moveaxis(filled.reshape(len(scores), on.size, blocks, block), 0, 2)
        program = _program(world.structure, tuple(world.shapes.items()), self.engine.plan.layout, on)
        made = np.asarray(program(given, self.engine.plan.numbers, self._forcing, self._wanted))
        told = np.moveaxis(made, 2, 0).reshape(made.shape[2], -1)
        return told[: len(self.quantities), :count].astype(np.float64)

    @functools.cached_property
    def _forcing(self) -> simulate.Forcing:
        return simulate.forcing_of(self.engine.world, np.float32)

    @functools.cached_property
    def _wanted(self) -> Wanted:
        return _wanted(self.engine.world, self.quantities)


def _wanted(world: World, quantities: Sequence[Quantity]) -> Wanted:
    count = BATCH * -(-len(quantities) // BATCH)
    axes = world.book.axes
    outputs = sorted({each.flow for each in quantities})
    weights = {
        name: np.zeros((count, len(axes["time"]), len(axes[OUTPUTS[name].dims[0]])), np.float32) for name in outputs
    }
    share, line = np.zeros(count, np.int32), np.zeros(count, bool)
    for i, each in enumerate(quantities):
        weights[each.flow][i][:, list(each.rows)] = each.weights[:, None]
        if each.output == LINE:
            share[i], line[i] = share_of(world, each.label), True
    return Wanted(weights, share, line)


@functools.lru_cache(maxsize=8)
def _program(structure: Structure, shapes: tuple[tuple[str, tuple[int, ...]], ...], layout: Any, on: Mesh) -> Any:
    """The compiled (scores by device, numbers, forcing, wanted) -> observed quantities [block, quantity, draw]."""

    def observed(scores: Array, numbers: draws.Numbers, forcing: simulate.Forcing, wanted: Wanted) -> Array:
        def one(scores: Array) -> Array:
            values = draws.values(layout, numbers, scores)
            flows = simulate.trajectory(structure, named(values, shapes), forcing)._asdict()
            told = [jnp.einsum("qta,tad->qd", weights, flows[name]) for name, weights in wanted.weights.items()]
            whole = jnp.where(wanted.line[:, None], values[wanted.share], jnp.ones_like(values[wanted.share]))
            return sum(told[1:], start=told[0]) / whole

        return lax.map(one, scores[0])[None]

    return devices.on_all(observed, on, (P("device"), P(), P(), P()))


def random(seed: int) -> np.random.Generator:
    """The random numbers of a seed's moves, apart from those of its draws."""
    return np.random.default_rng(list(hashlib.sha256(f"conditioning,{seed}".encode()).digest()))
