"""What this machine could reach on W at most: unit costs measured in the engine's own primitives, and W's counts."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.extend.core import jaxprs_in_params
from jax.sharding import Mesh, NamedSharding

from benchmarks.contest import Contender, Result, contest, result
from benchmarks.w import engine, job, spec
from sim import devices, draws

__all__ = ["W", "measure"]

W, TRIAD = "W, simulation only", "triad"
WORDS, NORMALS, EXPONENTIALS = "random words (threefry2x32-20)", "normal quantiles", "exponentials"
KEPT = 16
"""Blocks of [6, draws] whose results are kept at a time."""
TURNS = {"cpu": 512, "gpu": 4}
"""How often in one call."""
TRIAD_SIZE = 1 << 25
"""Numbers of each array: far more than any cache."""
NOTES = (
    "The bound is 1 / (336 words + 336 quantiles + the exponentials), each at its measured rate on all cores.",
    "It leaves out W's additions, multiplications and divisions, every trip of a value to a cache and back, "
    "calls, and the statistics; and it is the bound of these primitives as XLA compiles them: one written by hand "
    "that uses both words of each threefry call would stand higher.",
)


def measure(*, quick: bool, device: str = "cpu") -> Result:
    turns, size, paths = (2, 1 << 12, 4_096) if quick else (TURNS[device], TRIAD_SIZE, 1_000_000)
    on = devices.mesh(device)
    contenders = [
        *(_unit(name, work, turns, on) for name, work in _units().items()),
        _triad(size, on),
        Contender(W, lambda: job.simulation(paths, device=device), paths),
    ]
    found = contest(contenders, baseline=W, rounds=1 if quick else 7, unit="units")
    rate = {name: each["rate"] for name, each in found["contenders"].items()}
    variates, exponentials = sum(map(int, map(np.prod, spec.VARIATES.values()))), exponentials_per_draw()
    bound = 1 / (variates / rate[WORDS] + variates / rate[NORMALS] + exponentials / rate[EXPONENTIALS])
    facts = {
        "random words, G/s": rate[WORDS] / 1e9,
        "normal quantiles, G/s": rate[NORMALS] / 1e9,
        "exponentials, G/s": rate[EXPONENTIALS] / 1e9,
        "memory, GB/s": rate[TRIAD] / 1e9,
        "variates of a draw": variates,
        "exponentials of a draw": exponentials,
        "bound, draws/s": bound,
        "W's simulation, draws/s": rate[W],
        "fraction of the bound": rate[W] / bound,
        "bound by writing the outputs to memory, draws/s": rate[TRIAD] / (3 * 4 * len(spec.OUTPUTS)),
    }
    return result(f"Roofline of W on the {device}, all devices.", facts=facts, notes=list(NOTES), **found)


def _units() -> dict[str, Callable[[Array], Array]]:
    """What is evaluated once for each 32-bit word of a block, and added up."""
    key, rows = jnp.asarray([[1, 2]], jnp.uint32), jnp.arange(engine.GROUP, dtype=jnp.uint32)
    return {
        WORDS: lambda words: draws.bits(key, rows, words[0, 0], words.shape[1]),
        NORMALS: draws.scores,
        EXPONENTIALS: lambda words: jnp.exp(words.astype(jnp.float32) * 2.0**-32),
    }


def _unit(name: str, work: Callable[[Array], Array], turns: int, on: Mesh) -> Contender:
    """Repeat something on every device, results of a few blocks kept in a cache as W keeps its random numbers."""
    shape = engine.GROUP, devices.shape(on).block

    def repeat(words: Array) -> Array:
        def once(turn: Array, total: Array) -> Array:
            first = (turn.astype(jnp.uint32) * jnp.uint32(KEPT) + jnp.arange(KEPT, dtype=jnp.uint32)) * jnp.uint32(
                shape[1]
            )
            return total + lax.map(lambda each: work(words + each), first)[0]

        return lax.fori_loop(0, turns, once, jnp.zeros_like(jax.eval_shape(work, words)))

    program = devices.on_all(repeat, on, (job.SPLIT,))
    words = np.random.default_rng(0).integers(0, 1 << 32, (on.size * shape[0], shape[1]), dtype=np.uint32)
    words = jax.device_put(words, NamedSharding(on, job.SPLIT))
    return Contender(name, lambda: program(words).block_until_ready(), float(turns * KEPT * words.size))


def _triad(size: int, on: Mesh) -> Contender:
    """An array plus twice another, on every device, in place: 12 bytes of traffic a number."""
    program = devices.on_all(lambda a, b: a + 2 * b, on, (job.SPLIT, job.SPLIT), donate_argnums=0)
    arrays = [jax.device_put(np.ones(size, np.float32), NamedSharding(on, job.SPLIT)) for _ in range(2)]

    def once() -> None:
        arrays[0] = program(*arrays).block_until_ready()

    return Contender(TRIAD, once, 12.0 * size)


def exponentials_per_draw() -> float:
    """Exponentials of one draw of W, counted in its program."""
    n = 8
    program = jax.make_jaxpr(lambda key, first: engine.simulate(key, first, n))(jnp.zeros(2, jnp.uint32), jnp.uint32(0))
    found = (
        times * each.outvars[0].aval.size for times, each in _equations(program.jaxpr) if each.primitive.name == "exp"
    )
    return sum(found) / n


def _equations(program: Any, times: int = 1) -> Iterator[tuple[int, Any]]:
    """Every equation of a program, inner ones too, and how often it is evaluated."""
    for equation in program.eqns:
        yield times, equation
        for inner in jaxprs_in_params(equation.params):
            yield from _equations(inner, times * equation.params.get("length", 1))
