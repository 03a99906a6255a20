"""Exact quantiles: np.sort of all draws bit for bit, of the base world and of values that are hard to order."""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sim import devices, exact, reduce, tally
from sim.errors import DeviceError
from sim.tally import Sums
from tests.folding import NOTHING_PASSES, empty, fold

LEVELS = np.array(reduce.LEVELS)
BLOCK, BLOCKS = 64, 2


class Held:
    """What ``sim.exact`` asks of an engine, of draws that are at hand [cell, draw]."""

    def __init__(self, values):
        """The draws, on one device."""
        self.values, self.on = values, devices.Mesh(jax.devices("cpu")[:1], ("device",))
        self.gauge = tally.gauge(values)
        self.passes = 0

    def stretches(self, draws):
        """All blocks in two lots."""
        self.passes += 1
        blocks = range(math.ceil(draws / BLOCK))
        return [each for each in (blocks[: len(blocks) // 2], blocks[len(blocks) // 2 :]) if each]

    def made(self, blocks, last):
        """Draws of some blocks, a call of two at a time, filled up with what must not count."""
        for start in range(0, len(blocks), BLOCKS):
            call = np.full((BLOCKS, len(self.values), BLOCK), np.nan, np.float32)
            sizes = np.zeros(BLOCKS, np.int32)
            for i, number in enumerate(blocks[start : start + BLOCKS]):
                some = self.values[:, number * BLOCK : min(last, (number + 1) * BLOCK)]
                call[i, :, : some.shape[1]], sizes[i] = some, some.shape[1]
            yield jnp.asarray(call)[None], sizes[None]

    def sums(self):
        """All of it counted."""
        found, counted = Sums.of_nothing(len(self.values)), empty(len(self.values), "int32")
        for blocks in self.stretches(self.values.shape[1]):
            for made, sizes in self.made(blocks, self.values.shape[1]):
                counted, moments = fold(counted, made[0], sizes[0], self.gauge, NOTHING_PASSES)
                found.add_moments(np.asarray(moments), int(sizes.sum()))
        found.add_tally(jax.tree.map(lambda each: each[None], counted))
        return found


def assert_exact(values, levels=LEVELS):
    """Order statistics and quantiles of values [cell, draw] are NumPy's; the number of passes it took."""
    held = Held(values)
    sums, ranks = held.sums(), np.unique(np.round(levels * (values.shape[1] - 1)).astype(np.int64))
    held.passes = 0
    np.testing.assert_array_equal(exact.order_statistics(held, sums, ranks), np.sort(values, axis=1)[:, ranks])
    passes = held.passes
    expected = np.quantile(values.astype(np.float64), levels, axis=1).astype(np.float32)
    np.testing.assert_array_equal(exact.quantiles(held, sums, levels), expected)
    return passes


def nasty(n):
    """Draws that are hard to order, by name."""
    rng = np.random.default_rng(5)
    normal = rng.normal(size=n)
    made = {
        "normal": normal,
        "ties": rng.integers(-3, 3, n),
        "constant": np.full(n, -193.737),
        "0": np.zeros(n),
        "both zeros": rng.choice([0.0, -0.0], n),
        "both zeros and others": rng.choice([0.0, -0.0, 1, -1, 1e-30], n),
        "huge range": np.exp(rng.uniform(-60, 60, n)) * rng.choice([-1, 1], n),
        "beyond the bins": np.where(rng.random(n) < 0.3, 1e9 * (1 + rng.random(n)), normal),
        "within one bin": 1e9 + 64 * rng.integers(100, size=n),
        "one far out": np.where(np.arange(n) == n // 2, -3e4, normal),
        "neighbours": np.float32(1) + np.float32(2.0**-23) * rng.integers(4, size=n).astype(np.float32),
        "around 0": normal * 1e-12,
        "atom": np.where(rng.random(n) < 0.6, 0, normal),
        "ascending": np.arange(n),
    }
    return {name: each.astype(np.float32) for name, each in made.items()}


@pytest.mark.parametrize("n", [2, 3, 64, 65, 1000, 5000])
def test_quantiles__of_what_is_hard_to_order_are_numpys(n):
    passes = assert_exact(np.stack(list(nasty(n).values())))
    assert passes <= 4


def test_quantiles__of_the_least_the_greatest_and_many_close_levels_are_numpys():
    values = np.stack(list(nasty(3000).values()))
    assert_exact(values, np.array([0, 1e-4, 0.4999, 0.5, 0.5001, 0.9999, 1]))


finite = st.floats(-(2.0**60), 2.0**60, width=32).map(lambda value: 0 if abs(value) < 2.0**-60 else value)


@settings(max_examples=40)
@given(arrays(np.float32, (3, 300), elements=finite, fill=finite))
def test_quantiles__of_anything_are_numpys(values):
    assert assert_exact(values) <= 4


def test_quantiles__a_cell_that_a_draw_lacks_has_none_and_its_neighbours_have():
    values = np.random.default_rng(1).normal(size=(3, 700)).astype(np.float32)
    values[1, 650] = np.nan
    held = Held(values)
    found = exact.quantiles(held, held.sums(), LEVELS)
    assert np.isnan(found[:, 1]).all()
    expected = np.quantile(values[[0, 2]].astype(np.float64), LEVELS, axis=1).astype(np.float32)
    np.testing.assert_array_equal(found[:, [0, 2]], expected)


@settings(max_examples=200)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=2, max_size=40))
def test_keys__are_whole_numbers_in_the_order_of_the_floats(given_):
    floats = np.array(given_, np.float32)
    found = exact.keys(floats)
    np.testing.assert_array_equal(found[:, None] < found, floats[:, None] < floats)
    np.testing.assert_array_equal(exact.values(found), floats)
    inner = floats[(np.abs(floats) < 2.0**127) & (floats != 0)]
    following = np.nextafter(inner, np.float32(np.inf))
    np.testing.assert_array_equal((exact.keys(following) - exact.keys(inner))[following != 0], 1)


def test_keys__are_the_same_on_the_device():
    values = np.concatenate([each[:200] for each in nasty(300).values()])
    np.testing.assert_array_equal(jax.jit(exact._keys)(values), exact.keys(values))


def test_quantiles__of_the_base_world_are_numpys_in_few_passes(base_engine, base_cells, monkeypatch):
    """Every cell of 4,001 draws; ratios to nothing have no quantile."""
    draws, calls = 4001, []
    counted = exact._counted
    monkeypatch.setattr(exact, "_counted", lambda *given: calls.append(1) or counted(*given))
    found = exact.quantiles(base_engine, base_engine.sums(0, draws), LEVELS)
    kept = base_cells[:, :draws].astype(np.float64)
    with np.errstate(invalid="ignore"):
        expected = np.quantile(kept, LEVELS, axis=1).astype(np.float32)
    np.testing.assert_array_equal(found, expected)
    assert np.isfinite(found).mean() > 0.8
    assert len(calls) == 2


# --- calls under way, too little memory ------------------------------------------------------------------------------


def watched(monkeypatch, before=lambda called: None):
    """Numbers of calls: simulated, counted, done for certain, and the most that were under way."""
    seen = {"made": 0, "counted": 0, "done": 0, "most": 0}
    made, counter, wait = Held.made, exact._counter, jax.block_until_ready

    def making(self, blocks, last):
        for each in made(self, blocks, last):
            seen["made"] += 1
            seen["most"] = max(seen["most"], seen["made"] - seen["done"])
            yield each

    def counting(on):
        def run(*given):
            seen["counted"] += 1
            before(seen["counted"])
            return counter(on)(*given)

        return run

    def waiting(each):
        seen["done"] = seen["counted"]
        return wait(each)

    for where, name, watching in ((Held, "made", making), (exact, "_counter", counting)):
        monkeypatch.setattr(where, name, watching)
    monkeypatch.setattr(jax, "block_until_ready", waiting)
    return seen


@pytest.mark.parametrize("in_flight", [1, 2])
def test_counted__has_no_more_calls_under_way_than_it_may(monkeypatch, in_flight):
    held = Held(np.stack(list(nasty(1000).values())))
    sums = held.sums()
    seen = watched(monkeypatch)
    intervals, _ = exact._intervals(*exact._bins(sums, held.gauge, np.array([499])))
    exact._counted(held, 1000, intervals, in_flight)
    assert (seen["made"], seen["counted"], seen["most"]) == (8, 8, in_flight)


def exhausted(called):
    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")


def test_quantiles__with_too_little_memory_once_are_the_same(monkeypatch):
    held = Held(np.stack(list(nasty(1000).values())))
    sums = held.sums()
    expected = exact.quantiles(held, sums, LEVELS)
    seen = watched(monkeypatch, lambda called: exhausted(called) if called == 3 else None)
    np.testing.assert_array_equal(exact.quantiles(held, sums, LEVELS), expected)
    assert seen["counted"] % 8 == 3  # what had been counted of the pass that failed


def test_quantiles__with_too_little_memory_for_one_call_are_a_device_error(monkeypatch):
    held = Held(np.stack(list(nasty(1000).values())))
    sums = held.sums()
    seen = watched(monkeypatch, exhausted)
    with pytest.raises(DeviceError, match="too little memory for one call") as caught:
        exact.quantiles(held, sums, LEVELS)
    assert (caught.value.code, seen["counted"]) == ("device-memory", 2)


def test_intervals__that_overlap_are_one_and_each_rank_knows_its_own():
    low = np.array([[10, 12, 40], [5, 100, 100]], np.uint32)
    high = np.array([[15, 20, 40], [5, 2**20, 2**20]], np.uint32)
    intervals, of_rank = exact._intervals(low, high)
    assert of_rank.tolist() == [[0, 0, 1], [0, 1, 1]]
    assert intervals.start[:, :2].tolist() == [[10, 40], [5, 100]]
    width = np.array([[11, 1], [1, 2**20 - 99]])
    parts, shift = (each[:, :2].astype(np.int64) for each in (intervals.parts, intervals.shift))
    assert (parts << shift >= width).all()
    assert ((parts - 1) << shift < width).all()
    assert intervals.first.ravel().tolist() == [0, *intervals.parts.ravel().cumsum()[:-1]]


@settings(max_examples=200)
@given(st.lists(st.integers(1, 2**32), min_size=1, max_size=40))
def test_divided__parts_are_as_many_as_there_is_room_for_and_four_passes_reach_single_floats(widths):
    width = np.array(widths)[None]
    for _ in range(4):
        shift, parts = exact._divided(width)
        assert parts.sum() <= width.size * exact.PARTS
        assert (parts << shift >= width).all()
        width = np.left_shift(1, shift)
    assert (width == 1).all()


def test_base_engine__is_what_exact_asks_for(base_engine):
    """The stand-in above has no name that the engine lacks."""
    asked = SimpleNamespace(**{name: getattr(base_engine, name) for name in ("gauge", "on", "stretches", "made")})
    assert [len(each) for each in asked.stretches(4001)] == [16]
