"""The engine on the base world: the same bits on any devices, in any order, parts and processes; no recompiling."""

import dataclasses
import json
import math

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from sim import cells, devices, draws, engine, forecast, reduce
from sim.engine import Engine
from sim.errors import DeviceError
from sim.tally import Sums, Thresholds
from tests import elsewhere

DRAWS = 5000
"""Not a whole number of blocks, and more than one call of any mesh but the widest."""


@pytest.fixture(scope="module")
def whole(base_engine):
    """All draws counted at once."""
    return base_engine.sums(0, DRAWS)


@pytest.fixture(scope="module")
def others(tmp_path_factory, base_engine):
    """Two more processes, one with 64-bit types: what they print and what they write.

    Each mesh costs a compilation, so that each number of devices is had once, here or in this process.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    few = [size for size in (1, 2) if size != base_engine.on.size]
    tasks = [
        elsewhere.Task(8, False, [*few, 8], DRAWS, 0, 2560, str(folder / "a.npz")),
        elsewhere.Task(4, True, [4], DRAWS, 2560, 3840, str(folder / "b.npz")),
    ]
    begun = [elsewhere.begin(task) for task in tasks]
    said = []
    for process in begun:
        out, _ = process.communicate(timeout=500)
        assert process.returncode == 0
        said.append(json.loads(out.splitlines()[-1]))
    return said, [elsewhere.read(task.to) for task in tasks]


# --- one digest ------------------------------------------------------------------------------------------------------


def test_sums__are_one_digest_on_any_number_of_devices_and_with_64_bit_types(base_engine, whole, others):
    (without, with_x64), _ = others
    found = {int(size): digest for size, digest in (without | with_x64).items()} | {base_engine.on.size: whole.digest()}
    assert set(found) >= {1, 2, 4, 8}
    assert set(found.values()) == {whole.digest()}


def test_sums__of_three_processes_added_are_those_of_one(base_engine, whole, others):
    _, (first, second) = others
    third = base_engine.sums(3840, DRAWS)
    found = base_engine.nothing()
    for each in (third, first, second):
        found.add(each)
    assert [each.draws for each in (first, second, third)] == [2560, 1280, 1160]
    assert found.digest() == whole.digest()


def test_sums__in_any_order_of_blocks_are_the_same(base_engine, whole):
    blocks = list(base_engine.blocks_of(0, DRAWS))
    for order in (blocks[::-1], np.random.default_rng(0).permutation(blocks).tolist()):
        assert base_engine.sums_of(order, DRAWS).digest() == whole.digest()


@pytest.mark.parametrize("cuts", [[256], [4096, 4864], [2304, 2560, 3072]])
def test_sums__in_parts_are_those_at_once(base_engine, whole, cuts):
    found = base_engine.nothing()
    for first, last in zip([0, *cuts], [*cuts, DRAWS], strict=True):
        found.add(base_engine.sums(first, last))
    assert found.digest() == whole.digest()


def test_sums__counted_in_several_stretches_are_the_same(base_engine, whole, monkeypatch):
    monkeypatch.setattr(
        Engine, "_stretches", lambda self, blocks: (blocks[i : i + 3] for i in range(0, len(blocks), 3))
    )
    assert base_engine.sums(0, DRAWS).digest() == whole.digest()


def test_sums__another_seed_and_one_draw_more_are_others(base_engine, whole):
    assert base_engine.sums(0, DRAWS + 1).digest() != whole.digest()
    other = Engine(base_engine.world, 8, base_engine.on)
    assert other.sums(0, DRAWS).digest() != whole.digest()


@pytest.mark.parametrize("counter", ["uint16", "int32"])
@pytest.mark.parametrize("size", [1, 3])
def test_stretches__no_device_counts_more_than_its_counter_holds(base_engine, monkeypatch, counter, size):
    monkeypatch.setitem(devices.SHAPES, "cpu", devices.SHAPES["cpu"]._replace(counter=counter))
    on = Mesh(np.array([base_engine.on.devices.flat[0]] * size), ("device",))
    found = Engine(base_engine.world, 7, on)
    block, blocks, _ = found.shape
    total = 3 * size * np.iinfo(counter).max // block if counter == "uint16" else 1000
    stretches = list(found.stretches(total * block))
    assert [number for stretch in stretches for number in stretch] == list(range(total))
    for stretch in stretches:
        calls = math.ceil(len(stretch) / (size * blocks))
        assert calls * blocks * block <= np.iinfo(counter).max
    assert (len(stretches) > 1) == (counter == "uint16")


# --- what is counted is what is simulated ----------------------------------------------------------------------------


def test_sums__are_of_the_draws_themselves(base_engine, base_cells, whole):
    """Against NumPy on the same draws: nothing is lost, counted twice or filled up."""
    fewer = base_engine.sums(0, 4001)
    kept = base_cells[:, :4001].astype(np.float64)
    there = np.isfinite(kept).all(axis=1)
    assert (fewer.draws, whole.draws) == (4001, DRAWS)
    np.testing.assert_array_equal(fewer.missing == 0, there)
    np.testing.assert_array_equal(fewer.missing, (~np.isfinite(kept)).sum(axis=1))
    np.testing.assert_array_equal(fewer.counts.sum(axis=1), np.isfinite(kept).sum(axis=1))
    kept = kept[there]
    np.testing.assert_array_equal(fewer.low[there], kept.min(axis=1).astype(np.float32))
    np.testing.assert_array_equal(fewer.high[there], kept.max(axis=1).astype(np.float32))
    np.testing.assert_array_equal(fewer.at_high[there], (kept == kept.max(axis=1)[:, None]).sum(axis=1))
    np.testing.assert_array_equal(fewer.zero[there], (kept == 0).sum(axis=1))
    found = reduce.statistics(fewer, base_engine.gauge)
    mean, sd = kept.mean(axis=1), kept.std(axis=1)
    rounding = 2 * np.finfo(np.float32).eps * np.abs(kept).max(axis=1)
    np.testing.assert_array_less(np.abs(found.mean[there] - mean), rounding + 1e-6 * sd + 1e-12)
    np.testing.assert_array_less(np.abs(found.sd[there] - sd), rounding + 1e-4 * sd + 1e-7)


def test_quantiles__of_every_cell_lie_within_the_resolution(base_engine, base_cells):
    from sim.tally import RESOLUTION

    n, levels = base_cells.shape[1], np.array(reduce.LEVELS)
    found = reduce.statistics(base_engine.sums(0, n), base_engine.gauge).quantiles
    there = np.isfinite(base_cells).all(axis=1)
    ordered = np.sort(base_cells[there].astype(np.float64), axis=1)
    exact = np.quantile(ordered, levels, axis=1)
    low = np.clip(np.floor(levels * (n - 1)).astype(int) - 1, 0, n - 1)
    gap = (ordered[:, np.clip(low + 3, 0, n - 1)] - ordered[:, low]).T
    rounding = 4 * np.finfo(np.float32).eps * np.abs(ordered).max(axis=1)
    allowed = RESOLUTION * np.abs(exact - base_engine.gauge.centre[there]) + gap + rounding
    assert (np.abs(found[:, there] - exact) <= allowed).all()


def test_gauge__holds_every_cell_of_the_base_world_in_its_bins(base_engine, base_cells):
    """Also cells that are 0 in nearly all draws, of chips that are launched early in few of them."""
    distance = np.abs(base_cells - base_engine.gauge.centre[:, None]) / base_engine.gauge.spread[:, None]
    assert np.nanmax(distance) < 2.0**14
    assert not base_engine.sums(0, 4096).missing[cells.defined(base_engine.world)].any()


def test_thresholds__are_counted_in_the_draws(base_engine, base_cells):
    at = cells.starts(base_engine.world)["year", "revenue"] + 40
    middle = float(np.median(base_cells[at]))
    asked = Thresholds.of((at, at, at), (1, -1, 1), (middle, middle, 1e30))
    passed = dataclasses.replace(base_engine, thresholds=asked).sums(0, 4001).passed
    kept = base_cells[at, :4001]
    limit = np.float32(middle)
    assert passed[:4].tolist() == [np.sum(kept > limit), np.sum(kept < limit), 0, 0]


# --- parts of a run --------------------------------------------------------------------------------------------------


def test_cells_of__come_in_their_order_and_are_cut(base_engine, base_cells):
    found = list(base_engine.cells_of([3, 1], 4096))
    assert [first for first, _ in found] == [768, 256]
    for first, each in found:
        np.testing.assert_array_equal(each, base_cells[:, first : first + 256])
    ((_, cut),) = base_engine.cells_of([1], 300)
    np.testing.assert_array_equal(cut, base_cells[:, 256:300])


def test_values_of__are_those_of_the_blocks(base_engine):
    values = np.concatenate(list(base_engine.values_of(range(2), 400)), axis=1)
    blocks = list(base_engine.blocks(0, 400))
    assert [block.first for block in blocks] == [0, 256]
    np.testing.assert_array_equal(values, np.concatenate([block.values for block in blocks], axis=1))


def test_blocks_of__refuses_to_tear_a_block(base_engine):
    assert list(base_engine.blocks_of(512, 513)) == [2]
    with pytest.raises(ValueError, match="draw 100 does not begin a block of 256"):
        base_engine.blocks_of(100, 300)


def test_sums__beyond_two_to_the_32_draws_are_other_draws(base_engine):
    """Draws at 2^32 have another high word; a call may hold blocks on both sides of it."""
    border = 1 << 24
    both = np.concatenate([each for _, each in base_engine.cells_of([border - 1, border], (border + 1) * 256)], axis=1)
    for i, number in enumerate((border - 1, border)):
        ((first, alone),) = base_engine.cells_of([number], (number + 1) * 256)
        assert first == number * 256
        np.testing.assert_array_equal(alone, both[:, i * 256 : (i + 1) * 256])
    ((_, start),) = base_engine.cells_of([0], 256)
    moving = np.ptp(start, axis=1) > 0
    assert (both[moving, 256:] == start[moving]).mean() < 0.2
    assert base_engine.sums(1 << 32, (1 << 32) + 300).draws == 300
    assert draws.words(1 << 32, 256) == (1, 0)


def test_progress__is_told_every_call_and_ends_at_all(base_engine):
    seen = []
    base_engine.sums(0, DRAWS, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == DRAWS
    call = base_engine.on.size * base_engine.shape.blocks * base_engine.shape.block
    assert seen[:-1] == list(range(call, DRAWS, call))


# --- compiled once ---------------------------------------------------------------------------------------------------


def test_sums__of_a_second_book_of_the_same_structure_compile_nothing(base_engine, whole):
    other = forecast.load("base", overrides={"price.b200.p90": 50, "capex_drift.p95": 0.45})
    seen = []
    jax.monitoring.register_event_duration_secs_listener(lambda name, *_, **__: seen.append(name))
    try:
        found = Engine(other, 11, base_engine.on, thresholds=Thresholds.of((3,), (1,), (0.5,)))
        second = found.sums(0, DRAWS)
        reduce.statistics(second, found.gauge)
        compiled = [name for name in seen if "/compile/" in name]
        seen.clear()
        jax.jit(lambda x: x + 1)(np.float32(1))
        assert [name for name in seen if "/compile/" in name]  # the listener does hear a compilation
    finally:
        jax.monitoring.clear_event_listeners()
    assert compiled == []
    assert second.digest() != whole.digest()


# --- too little memory -----------------------------------------------------------------------------------------------


def fails(monkeypatch, name, times, says="RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes."):
    """Make a program of the engine fail so many times, from its second call on; the calls made of it."""
    made, calls = getattr(engine, name), []

    def maker(*given):
        program = made(*given)

        def run(*given):
            calls.append(1)
            if 1 < len(calls) <= 1 + times:
                raise jax.errors.JaxRuntimeError(says)
            return program(*given)

        return run

    monkeypatch.setattr(engine, name, maker)
    return calls


ALWAYS = 10**9
PROGRAMS = ("_sampler", "_path", "_folder")


@pytest.mark.parametrize("program", PROGRAMS)
def test_sums__with_too_little_memory_once_are_the_same(base_engine, whole, monkeypatch, program):
    calls = fails(monkeypatch, program, 1)
    assert base_engine.sums(0, DRAWS).digest() == whole.digest()
    assert len(calls) > 2


@pytest.mark.parametrize(("enough", "tried"), [(3, [3]), (2, [3, 2]), (1, [3, 2, 1])])
def test_within_memory__has_fewer_calls_under_way_after_each_failure(monkeypatch, enough, tried):
    seen = []

    def work(in_flight):
        seen.append(in_flight)
        if in_flight > enough:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: 1 bytes")
        return "done"

    monkeypatch.setattr(engine, "IN_FLIGHT", 3)
    assert engine.within_memory(work) == "done"
    assert seen == tried


def in_full(made):
    """Everything that an iterator gives, one after another."""
    for _ in made:
        pass


USES = {
    "sums": lambda made: made.sums(0, DRAWS),
    "gauge": lambda made: made.gauge,
    "made": lambda made: in_full(made.made(range(20), DRAWS)),
    "cells_of": lambda made: in_full(made.cells_of(range(20), DRAWS)),
    "values_of": lambda made: in_full(made.values_of(range(20), DRAWS)),
    "blocks": lambda made: in_full(made.blocks(0, 512)),
}
CASES = [(use, "_sampler") for use in USES]
CASES += [(use, "_path") for use in ("sums", "gauge", "made", "cells_of")] + [("sums", "_folder"), ("blocks", "_flows")]


@pytest.mark.parametrize(("use", "program"), CASES)
def test_engine__with_too_little_memory_for_one_call_is_a_device_error(base_engine, monkeypatch, use, program):
    calls = fails(monkeypatch, program, ALWAYS)
    calls.append("so that the first one fails")
    with pytest.raises(DeviceError, match="too little memory for one call") as caught:
        USES[use](dataclasses.replace(base_engine))  # without a gauge yet
    assert (caught.value.code, caught.value.exit_code) == ("device-memory", 6)


@pytest.mark.parametrize(("use", "program"), CASES)
def test_engine__another_failure_of_the_device_is_not_hidden(base_engine, monkeypatch, use, program):
    fails(monkeypatch, program, ALWAYS, "INTERNAL: something else").append(1)
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        USES[use](dataclasses.replace(base_engine))


def test_cells_of__what_fails_only_when_it_is_read_is_a_device_error(base_engine, monkeypatch):
    """Calls return before they are done: that memory was too little is often said later."""

    class Late:
        def __array__(self, *given, **words):
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")

    monkeypatch.setattr(Engine, "simulated", lambda *given: Late())
    with pytest.raises(DeviceError):
        in_full(base_engine.cells_of(range(1), 256))


def test_nothing__has_no_draws(base_engine):
    found = base_engine.nothing()
    assert isinstance(found, Sums)
    assert (found.draws, found.counts.sum()) == (0, 0)
