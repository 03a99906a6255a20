"""The chain behind each output, derived from the program: the model is traced, and its values are followed back.

Nothing here names a prior, a function or an equation of the model. A new one is found because it runs, and its number
and equation are read from its docstring.
"""

import functools
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.extend.core import Literal

import sim.model
from sim import cells, simulate
from sim.axes import OUTPUTS
from sim.model import structure
from sim.model.constants import QUARTERS
from sim.model.state import Flows
from sim.world import World

__all__ = ["ASSEMBLY", "Chain", "Equation", "outputs_behind", "trace"]

MODEL = str(Path(sim.model.__file__).parent)
HELPERS = structure.__file__
"""Sums and picks along an axis: part of the equation that calls them."""
ASSEMBLY = "quarter."
"""Functions that put together what others made."""
STEP = "quarter.move"
"""Calls most others, so that its equation number says nothing of theirs."""
NUMBERS = re.compile(r"\s+\((?:equations? )?(\d+(?:(?:, | and | to )\d+)*)(?:[;,] [^)]*| of the model)?\)")
"""Equation numbers as a docstring states them: ``(equations 3, 10 to 12)``, ``(equation 6; HT24:T56)``, ``(11)``."""
FORMULA = re.compile(r".* = |\s*\w+: ")
"""First line of a docstring's equation."""
GAP = re.compile(r"(?<=[^\s,])\s{3,}(?=[^\s=])")
"""Between two equations on one line."""


class Equation(NamedTuple):
    """A function of the model as its docstring tells it."""

    function: str
    """Module and name, such as ``buyers.orders``."""
    numbers: tuple[int, ...]
    """Its equation numbers; where it states none those of its callers, and where they do not, of its module."""
    says: str
    formula: str
    """Lines of the equation, or nothing."""


class Chain(NamedTuple):
    """Which functions and priors stand behind each output."""

    equations: dict[str, Equation]
    """Every function of the model that computes something, in the order of the quarter."""
    reads: dict[str, frozenset[str]]
    """Priors that enter the arithmetic of each function."""
    feeds: frozenset[tuple[str, str]]
    """Pairs of functions of which the first hands values to the second within a quarter, assembly left out."""
    path: dict[str, frozenset[str]]
    """Functions whose values each output may depend on, in any quarter; rows of one axis are not told apart."""
    makers: dict[str, frozenset[str]]
    """Functions whose values each output is put together from."""
    priors: dict[str, frozenset[str]]
    """Priors that each output may depend on."""


class Values(NamedTuple):
    """The traced program as a graph of its values, the scan over time unrolled into a loop of the graph."""

    sources: dict[Any, tuple[Any, ...]]
    """Values that each value is computed from."""
    by: dict[Any, str]
    """The function of the model that computes a value."""
    callers: dict[str, set[str]]
    """Functions of the model in which each function was called."""
    carried: dict[Any, Any]
    """Of a value that a quarter begins with, its value at the end of the quarter before."""
    choices: dict[Any, tuple[Any, Any, Any]]
    """Of a value chosen between two: the condition, the value if it holds, and the value if not."""


def trace(world: World, ahead: bool = True) -> Chain:
    """The chain of every output in a forecast quarter, or in one of the record; nothing is compiled or run."""
    shapes = {name: jax.ShapeDtypeStruct((*shape, 1), jnp.float32) for name, shape in sorted(world.shapes.items())}
    forcing = simulate.forcing_of(world, jnp.float32)
    program = jax.make_jaxpr(functools.partial(simulate.trajectory, world.structure, over=_one_by_one))(
        shapes, forcing
    ).jaxpr
    values = Values({}, {}, {}, {}, {})
    _follow(program, values)
    named = dict(zip(program.invars, shapes, strict=False))
    told = dict(zip(program.invars[len(shapes) :], jax.tree.leaves(forcing), strict=True))
    is_ahead = next(value for value, array in told.items() if array is forcing.known.ahead)
    made = dict(zip(OUTPUTS, program.outvars, strict=True))
    reads, feeds = _handed(values, named)
    behind = {name: _behind(values, value, is_ahead, ahead) for name, value in made.items()}
    return Chain(
        equations={function: _equation(function, called) for function, called in values.callers.items()},
        reads=reads,
        feeds=feeds,
        path={name: frozenset(values.by[v] for v in found if v in values.by) for name, found in behind.items()},
        makers={name: frozenset(_makers(values, [value])) for name, value in made.items()},
        priors={name: frozenset(named[v] for v in found if v in named) for name, found in behind.items()},
    )


def _one_by_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one quarter run for several by a scan, which keeps the quarters' values apart from each other."""
    return lambda *quarters: lax.map(lambda quarter: function(*quarter), quarters)


def _follow(jaxpr: Any, values: Values) -> None:
    """Enter every value of a program into the graph; the body of a scan is joined to what stands around it."""
    for step in jaxpr.eqns:
        given = tuple(v for v in step.invars if not isinstance(v, Literal))
        if step.primitive.name == "scan":
            _join(step, values)
            continue
        stack = _stack(step.source_info.traceback)
        for value in step.outvars:
            values.sources[value] = given
            if step.primitive.name == "select_n" or step.params.get("name") == "_where":
                values.choices[value] = _choice(step)
            if stack:
                values.by[value] = stack[0]
                values.callers.setdefault(stack[0], set()).update(stack[1:])


def _choice(step: Any) -> tuple[Any, Any, Any]:
    condition, first, second = step.invars
    return (condition, first, second) if step.params else (condition, second, first)


def _join(scan: Any, values: Values) -> None:
    body, consts, carry = scan.params["jaxpr"].jaxpr, scan.params["num_consts"], scan.params["num_carry"]
    for i, (inner, outer) in enumerate(zip(body.invars, scan.invars, strict=True)):
        values.sources[inner] = () if isinstance(outer, Literal) else (outer,)
        if consts <= i < consts + carry:
            values.carried[inner] = body.outvars[i - consts]
    _follow(body, values)
    for inner, outer in zip(body.outvars, scan.outvars, strict=True):
        values.sources[outer] = () if isinstance(inner, Literal) else (inner,)


def _stack(traceback: Any) -> list[str]:
    """Functions of the model on a stack, innermost first, as ``module.name``; helpers belong to who calls them."""
    return [
        f"{Path(frame.file_name).stem}.{frame.function_name.partition('.<locals>')[0]}"
        for frame in traceback.frames
        if frame.file_name.startswith(MODEL) and frame.file_name != HELPERS
    ]


def _behind(values: Values, value: Any, is_ahead: Any, ahead: bool) -> set[Any]:
    """A value and all that it depends on, in this quarter and those before; ``ahead`` says when it is asked for."""
    found, waiting = {(value, ahead)}, [(value, ahead)]
    while waiting:
        at, now = waiting.pop()
        before = [(source, now) for source in _sources(values, at, is_ahead, now)]
        if at in values.carried:
            before += [(values.carried[at], then) for then in {now, False}]
        new = [each for each in before if not isinstance(each[0], Literal) and each not in found]
        found.update(new)
        waiting.extend(new)
    return {value for value, _ in found}


def _sources(values: Values, value: Any, is_ahead: Any, ahead: bool) -> tuple[Any, ...]:
    """What a value is computed from; of a choice between record and forecast only what is chosen."""
    condition, held, other = values.choices.get(value, (None, None, None))
    if condition is not None and _handed_down(values, condition) is is_ahead:
        return (held if ahead else other,)
    return values.sources.get(value, ())


def _handed_down(values: Values, value: Any) -> Any:
    """Where a value comes from that no function of the model made: what the program is given, if it passed it on."""
    while value not in values.by and len(values.sources.get(value, ())) == 1:
        (value,) = values.sources[value]
    return value


def _handed(values: Values, named: dict[Any, str]) -> tuple[dict[str, frozenset[str]], frozenset[tuple[str, str]]]:
    """Priors read by each function, and which function hands values to which; a start before time does not count."""
    reads: dict[str, set[str]] = {function: set() for function in values.by.values()}
    feeds: set[tuple[str, str]] = set()
    for value, function in values.by.items():
        reads[function].update(named[source] for source in _direct(values, values.sources[value]) if source in named)
        if not function.startswith(ASSEMBLY):
            feeds.update((maker, function) for maker in _makers(values, values.sources[value]) if maker != function)
    return {function: frozenset(names) for function, names in reads.items()}, frozenset(feeds)


def _makers(values: Values, sources: Iterable[Any]) -> set[str]:
    """Functions that made what these values are put together from."""
    found = _direct(values, sources, through=ASSEMBLY)
    return {values.by[source] for source in found if source in values.by}


def _direct(values: Values, sources: Iterable[Any], through: str = "none") -> Iterator[Any]:
    """Values that reach these without passing a function of the model; none from the quarter before."""
    for source in sources:
        passed = values.by.get(source, through).startswith(through)
        if isinstance(source, Literal) or source in values.carried:
            continue
        if not passed or source not in values.sources:
            yield source
        else:
            yield from _direct(values, values.sources[source], through)


def _equation(function: str, callers: set[str]) -> Equation:
    """What the docstring of a function of the model says."""
    first, *others = _document(function).split("\n\n")
    lines = next((part.splitlines() for part in others if FORMULA.match(part.splitlines()[0])), [])
    called = dict.fromkeys(number for caller in sorted(callers - {STEP}) for number in _numbers(_document(caller)))
    return Equation(
        function=function,
        numbers=_numbers(_document(function)) or tuple(sorted(called)) or _numbers(_document(function, of_module=True)),
        says=" ".join(NUMBERS.sub("", first).removesuffix(".").split()),
        formula=", ".join(" ".join(GAP.sub(", ", line.strip(" ,.")).split()) for line in lines),
    )


def _document(function: str, of_module: bool = False) -> str:
    module, _, name = function.partition(".")
    home = importlib.import_module(f"sim.model.{module}")
    return inspect.getdoc(home if of_module else getattr(home, name)) or ""


def _numbers(document: str) -> tuple[int, ...]:
    """Equation numbers that a docstring states."""
    found: list[int] = []
    for match in NUMBERS.finditer(document):
        for part in re.split(", | and ", match[1]):
            first, _, last = part.partition(" to ")
            found.extend(range(int(first), int(last or first) + 1))
    return tuple(dict.fromkeys(found))


def outputs_behind(world: World, name: str) -> tuple[str, ...]:
    """Outputs of the model from which an output or a derived one is made, found by spoiling each in turn."""
    if name in OUTPUTS:
        return (name,)
    axes, plan = world.book.axes, cells.plan(world)
    sizes = [(len(axes["year"]), QUARTERS, len(axes[OUTPUTS[flow].dims[0]]), 1) for flow in OUTPUTS]
    ones = Flows(*(jnp.ones(size, jnp.float32) for size in sizes))
    fiscal = cells.fiscal_years(world, np.float32)
    beliefs = {"reported_share": jnp.ones((len(axes["reported_supplier"]), 1), jnp.float32)}

    @jax.jit
    def made(flows: Flows) -> dict[tuple[str, str], Array]:
        return cells.cells(plan, fiscal, beliefs, jax.vmap(functools.partial(cells.of_year, plan))(flows))

    def last(spoilt: str) -> Any:
        found = made(ones._replace(**{spoilt: jnp.full_like(getattr(ones, spoilt), jnp.nan)}))
        return next(each[-1] for (_, output), each in found.items() if output == name)

    return tuple(flow for flow in OUTPUTS if np.isnan(last(flow)).any())
