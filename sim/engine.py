"""Draws streamed through compiled programs and folded into running sums: nothing of the size of a run is kept.

Three programs: beliefs are drawn, the world is simulated into cells, cells are counted. Each is compiled once, at one
block shape, and runs side by side on all devices; book values, keys and the record are run-time arrays, so that new
numbers never recompile. Another layout of families compiles the first again, another structure the second.
"""

import contextlib
import functools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Float, Float32, Int32

from sim import cells, devices, draws, simulate, sobol, tally
from sim.devices import Shape
from sim.errors import DeviceError
from sim.model.state import Beliefs
from sim.model.structure import Structure
from sim.tally import Gauge, Sums, Tally, Thresholds
from sim.world import World

__all__ = ["PILOT", "STREAM_VERSION", "Block", "Engine", "blocks", "named", "within_memory"]

STREAM_VERSION = 3
"""Raised whenever the same seed would give other numbers."""

PILOT = 256
"""First draws of a run, from which each cell's centre and spread are taken."""

IN_FLIGHT = 2
"""Calls that are under way at a time."""

OUT_OF_MEMORY = "RESOURCE_EXHAUSTED"
"""How JAX says that a device has too little memory."""

NO_THRESHOLDS = Thresholds.of((), (), ())

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
Progress = Callable[[int], None]
Done = TypeVar("Done")


class Block(NamedTuple):
    """One block of draws: outputs by quarter, and the drawn values of every entry."""

    first: int
    flows: dict[str, Float32[np.ndarray, "time axis draw"]]
    values: Float32[np.ndarray, "entry draw"]


@dataclass(frozen=True)
class Engine:
    """A world, a seed and the devices that make its draws; draw i is the same on any number of them."""

    world: World
    seed: int
    on: Mesh
    sampler: str = "mc"
    thresholds: Thresholds = NO_THRESHOLDS

    @functools.cached_property
    def shape(self) -> Shape:
        """Draws of a block and blocks of a call."""
        return devices.shape(self.on)

    @functools.cached_property
    def plan(self) -> draws.Plan:
        """How the entries are drawn."""
        return draws.plan(self.world.entries, *self.world.book.correlation)

    @functools.cached_property
    def gauge(self) -> Gauge:
        """Centre and spread of every cell, from the first draws."""
        _, found = next(self.cells_of(range(1), PILOT))
        return tally.gauge(found)

    def nothing(self) -> Sums:
        """No draws counted yet."""
        return Sums.of_nothing(len(self.gauge.centre))

    def blocks_of(self, first: int, last: int) -> range:
        """Numbers of the blocks that hold draws ``first`` to ``last`` - 1. ValueError: a block would be torn."""
        if first % self.shape.block:
            raise ValueError(f"draw {first} does not begin a block of {self.shape.block}")
        return range(first // self.shape.block, -(-last // self.shape.block))

    def sums(self, first: int, last: int, progress: Progress | None = None, onto: Sums | None = None) -> Sums:
        """All that is counted of draws ``first`` to ``last`` - 1, as ``sums_of`` counts."""
        return self.sums_of(self.blocks_of(first, last), last, progress, onto)

    def sums_of(
        self, blocks: Sequence[int], last: int, progress: Progress | None = None, onto: Sums | None = None
    ) -> Sums:
        """All that is counted of some blocks, in any order, of draws before ``last``; added to ``onto`` where given.

        ``progress`` is called with the number of all draws counted.
        DeviceError: the device has too little memory for one call.
        """
        found = self.nothing() if onto is None else onto
        for stretch in self._stretches(blocks):
            within_memory(functools.partial(self._add, found, stretch, last, progress))
        return found

    def _add(self, found: Sums, stretch: Sequence[int], last: int, progress: Progress | None, in_flight: int) -> None:
        """Add a stretch of blocks, all of it or, where memory is too small, nothing."""
        counted = _counters(len(self.gauge.centre), self.shape.counter, self.on)()
        under_way: deque[tuple[Array, int]] = deque()
        settled: list[tuple[np.ndarray, int]] = []
        done = found.draws

        def settle() -> None:
            nonlocal done
            moments, size = under_way.popleft()
            settled.append((np.asarray(moments), size))
            done += size
            if progress is not None:
                progress(done)

        for made, sizes in self.made(stretch, last):
            counted, moments = _folder(self.on)(counted, made, sizes, self.gauge, self.thresholds)
            under_way.append((moments, int(sizes.sum())))
            del made  # or it would be held while the next call is simulated
            if len(under_way) == in_flight:
                settle()
        while under_way:
            settle()
        found.add_tally(counted)
        for moments, size in settled:
            found.add_moments(moments, size)

    def made(
        self, blocks: Sequence[int], last: int
    ) -> Iterator[tuple[Float[Array, "device block cell draw"], Int32[np.ndarray, "device block"]]]:
        """Cells of some blocks on the devices, a call at a time, and how many draws of each block are wanted.

        DeviceError: the device has too little memory for one call.
        """
        for group, sizes in self._groups(blocks, last):
            yield self._cells(group), sizes

    def stretches(self, draws: int) -> Iterator[Sequence[int]]:
        """Blocks of the first draws, as many at a time as can be counted without an overflow."""
        return self._stretches(self.blocks_of(0, draws))

    def _stretches(self, blocks: Sequence[int]) -> Iterator[Sequence[int]]:
        calls = np.iinfo(self.shape.counter).max // (self.shape.block * self.shape.blocks)
        most = calls * self.on.size * self.shape.blocks
        return (blocks[start : start + most] for start in range(0, len(blocks), most))

    def cells_of(self, blocks: Sequence[int], last: int) -> Iterator[tuple[int, Float32[np.ndarray, "cell draw"]]]:
        """The first draw and the cells of some blocks, in their order, of draws before ``last``.

        DeviceError: the device has too little memory for one call.
        """
        for group, sizes in self._groups(blocks, last):
            for number, size, each in self._told(group, sizes, self._cells):
                yield number * self.shape.block, each[:, :size]

    def values_of(self, blocks: Sequence[int], last: int) -> Iterator[Float32[np.ndarray, "entry draw"]]:
        """The drawn values of every entry in some blocks, in their order, of draws before ``last``."""
        for group, sizes in self._groups(blocks, last):
            for _, size, each in self._told(group, sizes, self._sampled):
                yield each[:, :size]

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """Draws ``first`` to ``last`` - 1 with all their flows, a block at a time.

        DeviceError: the device has too little memory for one call.
        """
        flows_of = _flows(self.world.structure, self._shapes)
        for group, sizes in self._groups(self.blocks_of(first, last), last):
            for number, size, drawn in self._told(group, sizes, self._sampled):
                with enough_memory():
                    flows = jax.device_get(flows_of(drawn, self._forcing))._asdict()
                cut = {name: flow[..., :size] for name, flow in flows.items()}
                yield Block(number * self.shape.block, cut, drawn[:, :size])

    def _groups(self, blocks: Sequence[int], last: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of one call [device, block] and how many draws of each are wanted; the last call is filled up."""
        shape = self.on.size, self.shape.blocks
        for start in range(0, len(blocks), math.prod(shape)):
            some = np.array(blocks[start : start + math.prod(shape)], dtype=np.int64)
            group = np.full(math.prod(shape), some[0])
            group[: len(some)] = some
            sizes = np.clip(last - group * self.shape.block, 0, self.shape.block)
            sizes[len(some) :] = 0
            yield group.reshape(shape), sizes.astype(np.int32).reshape(shape)

    @staticmethod
    def _told(
        group: np.ndarray, sizes: np.ndarray, make: Callable[[np.ndarray], Array]
    ) -> Iterator[tuple[int, int, np.ndarray]]:
        """Number, size and contents of each block of a call that is wanted."""
        with enough_memory():
            made = np.asarray(make(group))
        flat = made.reshape(-1, *made.shape[2:])
        for number, size, each in zip(group.flat, sizes.flat, flat, strict=True):
            if size:
                yield int(number), int(size), each

    def _sampled(self, group: np.ndarray) -> Float[Array, "device block entry draw"]:
        if self.sampler == "sobol":
            units = (group * (self.shape.block // sobol.UNIT)).astype(np.uint32)
            return _sobol_sampler(self.plan.layout, self.on)(units, self.plan.numbers, *self._scrambles)
        words = [draws.words(int(number) * self.shape.block, self.shape.block) for number in group.flat]
        keys = np.stack([self._keys(high) for high, _ in words])
        low = np.array([low for _, low in words], dtype=np.uint32)
        program = _sampler(self.plan.layout, self.on)
        return program(keys.reshape(*group.shape, *keys.shape[1:]), self.plan.numbers, low.reshape(group.shape))

    def _cells(self, group: np.ndarray) -> Float[Array, "device block cell draw"]:
        with enough_memory():
            return self.simulated(self._sampled(group))

    def simulated(self, values: Float[Array, "device block entry draw"]) -> Float[Array, "device block cell draw"]:
        """Cells of drawn values, of as many blocks as one call takes."""
        program = _path(self.world.structure, self._shapes, cells.plan(self.world), self.on)
        return program(values, self._forcing, self._fiscal)

    def latent(self, first: int, last: int) -> Float32[np.ndarray, "random draw"]:
        """Correlated normal scores of the numbers that are random, in the order of work, of independent draws."""
        program, found = _latent(self.plan.layout, self.on), []
        for number in self.blocks_of(first, last):
            high, low = draws.words(number * self.shape.block, self.shape.block)
            found.append(np.asarray(program(self._keys(high), self.plan.numbers, low)))
        return np.concatenate(found, axis=1)[:, : last - first]

    def evaluated(
        self, given: Float32[np.ndarray, "entry draw"], places: Sequence[int], *, scores: bool = False
    ) -> Float32[np.ndarray, "place draw"]:
        """Some cells of given values of every entry, or with ``scores`` of the latent scores behind them.

        DeviceError: the device has too little memory for one call.
        """
        shape = self.on.size, self.shape.blocks, self.shape.block
        found = np.empty((len(places), given.shape[1]), np.float32)
        under_way: deque[tuple[int, Array]] = deque()
        side_by_side = NamedSharding(self.on, P("device"))

        def settle() -> None:
            start, made = under_way.popleft()
            told = np.moveaxis(np.asarray(made)[:, :, list(places)], 2, 0).reshape(len(places), -1)
            found[:, start : start + math.prod(shape)] = told[:, : given.shape[1] - start]

        with enough_memory():
            for start in range(0, given.shape[1], math.prod(shape)):
                call = given[:, start : start + math.prod(shape)]
                filled = np.pad(call, ((0, 0), (0, math.prod(shape) - call.shape[1])), mode="edge")
                # placed as the sampler's own values are, or the same program would be traced again
                values: Any = jax.device_put(np.moveaxis(filled.reshape(-1, *shape), 0, 2), side_by_side)
                if scores:
                    values = _valuer(self.plan.layout, self.on)(values, self.plan.numbers)
                under_way.append((start, self.simulated(values)))
                if len(under_way) == IN_FLIGHT:
                    settle()
            while under_way:
                settle()
        return found

    @functools.cached_property
    def _keys(self) -> Callable[[int], np.ndarray]:
        return functools.lru_cache(maxsize=2)(functools.partial(draws.keys, self.plan.streams, self.seed))

    @functools.cached_property
    def _scrambles(self) -> tuple[np.ndarray, np.ndarray]:
        """Keys of each randomisation and variate, and the direction numbers of each variate."""
        names = self.plan.streams, self.plan.numbers.elements.tolist()
        return sobol.keys(*names, self.seed), sobol.directions(sobol.dimensions(*names))

    @functools.cached_property
    def _forcing(self) -> simulate.Forcing:
        return simulate.forcing_of(self.world, np.float32)

    @functools.cached_property
    def _fiscal(self) -> cells.FiscalYears:
        return cells.fiscal_years(self.world, np.float32)

    @property
    def _shapes(self) -> Shapes:
        return tuple(self.world.shapes.items())


def blocks(world: World, seed: int, first: int, last: int) -> Iterator[Block]:
    """Draws of a world with all their flows, a block at a time, on whatever devices there are."""
    return Engine(world, seed, devices.mesh()).blocks(first, last)


def within_memory(work: Callable[[int], Done]) -> Done:
    """What ``work`` gives, told how many calls may be under way: one where there is too little memory for more.

    DeviceError: the device has too little memory for one call.
    """
    for in_flight in range(IN_FLIGHT, 1, -1):
        with contextlib.suppress(DeviceError), enough_memory():
            return work(in_flight)
    with enough_memory():
        return work(1)


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """DeviceError: what is done meanwhile takes more memory than the device has."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if OUT_OF_MEMORY not in str(error):
            raise
        problem, remedy = "the device has too little memory for one call", "free some, or use --device cpu"
        raise DeviceError("device-memory", problem, remedy=remedy) from error


@functools.lru_cache(maxsize=32)
def _sampler(layout: draws.Layout, on: Mesh) -> Any:
    """The compiled drawing of values: (keys and low word of each block, numbers) -> [device, block, entry, draw]."""
    size = devices.shape(on).block

    def sample(keys: Array, numbers: draws.Numbers, low: Array) -> Array:
        def one(block: tuple[Array, Array]) -> Array:
            z = draws.normals(block[0], jnp.asarray(numbers.elements), block[1], size, jnp.float32)
            return draws.values(layout, numbers, z)

        return lax.map(one, (keys[0], low[0]))[None]

    return devices.on_all(sample, on, (P("device"), P(), P("device")))


@functools.lru_cache(maxsize=32)
def _sobol_sampler(layout: draws.Layout, on: Mesh) -> Any:
    """The same of Sobol points: (unit of each block, numbers, keys, directions) -> [device, block, entry, draw]."""
    size = devices.shape(on).block

    def sample(units: Array, numbers: draws.Numbers, keys: Array, directions: Array) -> Array:
        def one(unit: Array) -> Array:
            bits = sobol.bits(keys, directions, unit, size)
            return draws.values(layout, numbers, draws.scores(bits, jnp.float32))

        return lax.map(one, units[0])[None]

    return devices.on_all(sample, on, (P("device"), P(), P(), P()))


@functools.lru_cache(maxsize=32)
def _latent(layout: draws.Layout, on: Mesh) -> Any:
    """The compiled drawing of correlated scores: (keys, numbers, low word) of one block -> [random, draw]."""
    size = devices.shape(on).block

    def sample(keys: Array, numbers: draws.Numbers, low: Array) -> Array:
        return draws.correlated(layout, numbers, draws.normals(keys, jnp.asarray(numbers.elements), low, size))

    return jax.jit(sample)


@functools.lru_cache(maxsize=32)
def _valuer(layout: draws.Layout, on: Mesh) -> Any:
    """The compiled values of correlated scores: (scores by device and block, numbers) -> values by device and block."""

    def valued(scores: Array, numbers: draws.Numbers) -> Array:
        return lax.map(functools.partial(draws.valued, layout, numbers), scores[0])[None]

    return devices.on_all(valued, on, (P("device"), P()))


@functools.lru_cache(maxsize=8)
def _path(structure: Structure, shapes: Shapes, plan: cells.Plan, on: Mesh) -> Any:
    """The compiled simulation: (values by device, forcing, fiscal years) -> cells [block, cell, draw]."""

    def simulated(values: Array, forcing: simulate.Forcing, fiscal: cells.FiscalYears) -> Array:
        def one(values: Array) -> Array:
            beliefs = named(values, shapes)
            years = simulate.years(structure, beliefs, forcing, functools.partial(cells.of_year, plan))
            found = cells.cells(plan, fiscal, beliefs, years)
            rows = [each.reshape(-1, values.shape[-1]) for each in found.values()]
            count = sum(map(len, rows))
            filling = jnp.zeros((tally.padded(count) - count, values.shape[-1]), values.dtype)
            return jnp.concatenate([*rows, filling])

        return lax.map(one, values[0])[None]

    return devices.on_all(simulated, on, (P("device"), P(), P()))


@functools.lru_cache(maxsize=8)
def _flows(structure: Structure, shapes: Shapes) -> Any:
    """The compiled simulation of one block with every flow: (values, forcing) -> flows."""
    return jax.jit(lambda values, forcing: simulate.trajectory(structure, named(values, shapes), forcing))


@functools.lru_cache(maxsize=8)
def _folder(on: Mesh) -> Any:
    """The compiled counting: (tally, cells, sizes of blocks, gauge, thresholds) -> tally and the blocks' moments."""

    def fold(counted: Tally, made: Array, sizes: Array, gauge: Gauge, thresholds: Thresholds) -> tuple[Tally, Array]:
        mine = jax.tree.map(lambda each: each[0], counted)
        after, moments = tally.fold(mine, made[0], sizes[0], gauge, thresholds)
        return jax.tree.map(lambda each: each[None], (after, moments))

    return devices.on_all(fold, on, (P("device"), P("device"), P("device"), P(), P()), donate_argnums=0)


@functools.lru_cache(maxsize=8)
def _counters(size: int, counter: str, on: Mesh) -> Any:
    """Makes empty counters on every device."""
    return devices.on_all(lambda: jax.tree.map(lambda each: each[None], tally.empty(size, counter)), on, ())


def named(values: Float[Array, "entry draw"], shapes: Shapes) -> Beliefs:
    """Each input's values in its own shape, draws last."""
    beliefs, start = {}, 0
    for name, shape in shapes:
        size = math.prod(shape)
        beliefs[name] = values[start : start + size].reshape(*shape, values.shape[1])
        start += size
    return beliefs
