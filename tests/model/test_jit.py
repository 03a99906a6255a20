"""Every function of the model: jitted on draws it gives what it gives on each draw alone, without a warning."""

import functools
import importlib
import inspect
import pkgutil
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sim.model
from sim.model import quarter, structure
from tests.model import tiny

MODULES = [importlib.import_module(f"sim.model.{info.name}") for info in pkgutil.iter_modules(sim.model.__path__)]
FUNCTIONS = {
    f"{module.__name__.split('.')[-1]}.{name}": function
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__ and not name.startswith("_")
}
STATIC = {"structure": tiny.STRUCTURE, "index": (2, 0, 0), "groups": (0, 2, 0, 2), "size": 3}
"""Arguments that are known when a program is compiled."""
UNSPECIFIED = {
    **{"guided": "reported_buyer", "spent": "buyer", "led": "buyer", "share": "capex_buyer", "ordered": "pair"},
    "like": "",
}
"""Axes of arguments annotated as bare arrays."""
DRAWS = 2


def array_of(axes):
    from jaxtyping import Array, Float

    return Float[Array, f"{axes} *draw"]


def arguments(function, draws):
    """One argument of each kind that the annotations ask for: the same numbers for any function of the same names."""
    hints = typing.get_type_hints(function)
    rng = np.random.default_rng(3)
    given = {}
    for name in inspect.signature(function).parameters:
        if name in STATIC:
            given[name] = STATIC[name]
        elif hints[name] == quarter.Beliefs:
            given[name] = tiny.beliefs(draws, rng)
        else:
            annotation = array_of(UNSPECIFIED[name]) if hints[name] is jax.Array else hints[name]
            given[name] = tiny.value(name, annotation, draws, rng)
    return given


def one_draw(value, draw, like):
    """A draw of an argument; what has no draw axis (as ``like`` without draws shows) is passed on."""
    return jax.tree.map(lambda whole, single: whole[..., draw] if whole.ndim > single.ndim else whole, value, like)


def split(given):
    fixed = {name: value for name, value in given.items() if name in STATIC}
    return fixed, {name: value for name, value in given.items() if name not in STATIC}


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"quarter.place"}))
def test_every_function__runs_jitted_on_draws_as_it_does_on_one(name):
    function = FUNCTIONS[name]
    static, arrays = split(arguments(function, DRAWS))
    _, without = split(arguments(function, None))
    eager = functools.partial(function, **static)
    jitted = jax.jit(eager)(**arrays)
    for draw in range(DRAWS):
        alone = eager(**{each: one_draw(arrays[each], draw, without[each]) for each in arrays})
        for whole, single in zip(jax.tree.leaves(jitted), jax.tree.leaves(alone), strict=True):
            assert whole.dtype == single.dtype
            got = whole[..., draw] if whole.ndim > single.ndim else whole
            np.testing.assert_allclose(got, single, rtol=2e-5, atol=1e-6)
            assert np.isfinite(single).all()


def test_place__runs_jitted_on_draws_as_it_does_on_one():
    like, values, fixed = jnp.zeros(DRAWS), tiny.number(np.arange(4.0).reshape(2, 2)), tiny.number([[7.0]])
    placed = jax.jit(lambda like, values, fixed: quarter.place(like, ((2, 0), values), ((1,), fixed)))(
        like, values, fixed
    )
    np.testing.assert_array_equal(placed, [[2, 3], [7, 7], [0, 1]])
    np.testing.assert_array_equal(quarter.place(like[0], ((1,), values[:1, 1]), ((0,), fixed[:, 0])), [7, 1])


def test_functions__are_all_found():
    assert {"structure.sums", "capex.led", "chips.price", "market.age", "need.load", "quarter.step"} <= set(FUNCTIONS)
    assert len(FUNCTIONS) >= 45
    assert structure.pick is FUNCTIONS["structure.pick"]
