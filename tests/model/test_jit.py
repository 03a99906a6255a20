"""Every function of the model: jitted on draws it gives what it gives on each draw alone, without a warning."""

import functools
import importlib
import inspect
import pkgutil
import types
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import sim.model
from sim.model import state, structure
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
STATIC_OF = {
    "structure.pick_some": {"index": (2, None, 0)},
    "structure.highest": {"groups": (0, 2, 0, 1)},
}
"""The same of one function."""
UNSPECIFIED = {"like": "", "spent": "buyer", "led": "buyer"}
"""Axes of arguments annotated as bare arrays."""
BY_HAND = {"structure.place", "structure.along_draws", "structure.stacked"}
"""Functions of any number of arrays, or whose result has the draws of another: tests of their own run them jitted."""
ENDLESS = {"chips.generations"}
"""Functions with an infinite value by intent: the retirement of what is not withdrawn."""
DRAWS = 2


def arguments(name, draws):
    """One argument of each kind that the annotations ask for: the same numbers for any function of the same names."""
    function, static = FUNCTIONS[name], STATIC | STATIC_OF.get(name, {})
    hints = typing.get_type_hints(function)
    rng = np.random.default_rng(3)
    given = {}
    for each in inspect.signature(function).parameters:
        kinds = typing.get_args(hints[each]) if isinstance(hints[each], types.UnionType) else (hints[each],)
        if each in static:
            given[each] = static[each]
        elif hints[each] == state.Beliefs:
            given[each] = tiny.beliefs(draws, rng)
        else:
            bare = hints[each] is jax.Array
            annotation = Float[Array, f"{UNSPECIFIED[each]} *draw"] if bare else kinds[0]
            given[each] = tiny.value(each, annotation, draws, rng)
    return given


def one_draw(value, draw, like):
    """A draw of an argument; what has no draw axis (as ``like`` without draws shows) is passed on."""
    return jax.tree.map(lambda whole, single: whole[..., draw] if whole.ndim > single.ndim else whole, value, like)


def split(given):
    fixed = {name: value for name, value in given.items() if name in STATIC}
    return fixed, {name: value for name, value in given.items() if name not in STATIC}


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - BY_HAND))
def test_every_function__runs_jitted_on_draws_as_it_does_on_one(name):
    function = FUNCTIONS[name]
    static, arrays = split(arguments(name, DRAWS))
    _, without = split(arguments(name, None))
    eager = functools.partial(function, **static)
    jitted = jax.jit(eager)(**arrays)
    for draw in range(DRAWS):
        alone = eager(**{each: one_draw(arrays[each], draw, without[each]) for each in arrays})
        for whole, single in zip(jax.tree.leaves(jitted), jax.tree.leaves(alone), strict=True):
            assert whole.dtype == single.dtype
            got = whole[..., draw] if whole.ndim > single.ndim else whole
            np.testing.assert_allclose(got, single, rtol=2e-5, atol=1e-6)
            assert np.isfinite(single).all() or (name in ENDLESS and not np.isnan(single).any())


def test_functions__are_all_found():
    rooms = {name.split(".")[0] for name in FUNCTIONS}
    assert rooms == {module.__name__.split(".")[-1] for module in MODULES} - {"constants", "state"}
    assert {"structure.sums", "capex.led", "stock.age", "workloads.tokens", "quarter.move"} <= set(FUNCTIONS)
    assert structure.pick is FUNCTIONS["structure.pick"]


def test_all__names_only_what_is_there():
    for module in MODULES:
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{module.__name__}.{name}"


def test_arguments__with_draws_have_them_last():
    given = arguments("buyers.orders", DRAWS)
    assert given["need_ahead"].shape == (tiny.STRUCTURE.buyers, DRAWS)
    assert given["state"].stock.stages.shape == (4, 2, tiny.STRUCTURE.buyers, DRAWS)
    assert given["beliefs"]["peak"].shape == (3, DRAWS)
    assert jnp.ndim(arguments("buyers.orders", None)["beliefs"]["spill"]) == 0
