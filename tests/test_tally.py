"""Counting: against NumPy on blocks of anything, and the same bits in whatever order and grouping draws are added."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sim import tally
from sim.tally import BINS, SIDE, Gauge, Sums, Thresholds
from tests.folding import NOTHING_PASSES, edge_of, empty, filled, fold, folded

BLOCK, CALL = 32, 8
CELLS = 4
GAUGE = Gauge(np.array([0, 1.5, -3, 100], np.float32), np.array([1, 2.0**-20, 2.0**20, 0.5], np.float32))
"""Centres and spreads that the values below are near to, far from, and on either side of."""

EDGES = np.array([edge_of(step) for step in range(SIDE)])
"""Lower edges of the bins above the centre."""


def normal(value):
    """Without the smallest floats, which a processor may take for 0."""
    return 0.0 if abs(value) < 2.0**-60 else value


finite = st.floats(-(2.0**126), 2.0**126, width=32).map(normal)
near = st.sampled_from([0.0, -0.0, 1.5, -3.0, 100.0, 1.5 + 2.0**-20, 100.5, 99.5, -1.0])
moderate = st.one_of(near, st.floats(-1e4, 1e4, width=32).map(normal))
anything = st.one_of(near, finite, st.sampled_from([np.nan, np.inf, -np.inf]))


def some(elements):
    """Values [cell, draw] of up to two calls."""
    return st.integers(1, 2 * BLOCK * CALL).flatmap(
        lambda n: arrays(np.float32, (CELLS, n), elements=elements, fill=elements)
    )


def bins_of(values, gauge):
    """Bin of each value, found among the edges."""
    distance = (values - gauge.centre[:, None]) / gauge.spread[:, None]
    step = np.searchsorted(EDGES, np.abs(distance), side="right") - 1
    return np.where(distance < 0, SIDE - 1 - step, SIDE + step)


# --- bins ------------------------------------------------------------------------------------------------------------


def test_edges__are_sixty_four_to_a_factor_of_two_on_either_side():
    found = tally.edges()
    assert len(found) == BINS + 1
    np.testing.assert_array_equal(found[SIDE:-1], EDGES)
    assert found[-1] == 2.0**tally.ABOVE
    np.testing.assert_array_equal(found, -found[::-1])
    assert (np.diff(found.astype(np.float64)) > 0).all()
    upper = found[SIDE + 1 :].astype(np.float64)
    assert (np.diff(upper) / upper[:-1]).max() <= tally.RESOLUTION


@settings(max_examples=200)
@given(st.lists(finite, min_size=1, max_size=64))
def test_bin_of__every_value_lies_between_the_edges_of_its_bin(distances):
    given_ = np.array(distances, np.float32)
    bins, edges = tally.host_bin_of(given_), tally.edges().astype(np.float64)
    edges[0], edges[-1] = -np.inf, np.inf
    size = np.abs(given_)
    inner = np.abs(np.where(given_ < 0, edges[bins + 1], edges[bins]))
    outer = np.abs(np.where(given_ < 0, edges[bins], edges[bins + 1]))
    assert ((inner <= size) & (size < outer)).all()
    assert ((given_ < 0) == (bins < SIDE)).all()
    moving = given_ != 0
    np.testing.assert_array_equal(tally.host_bin_of(-given_)[moving], (BINS - 1 - bins)[moving])
    assert (np.diff(tally.host_bin_of(np.sort(given_))) >= 0).all()


def test_bin_of__is_the_same_on_the_device_and_on_the_host():
    edges = tally.edges()
    around = [edges, np.nextafter(edges, np.float32(np.inf)), np.nextafter(edges, np.float32(-np.inf))]
    far = np.array([0.0, -0.0, 1e30, -1e30, np.inf, -np.inf], np.float32)
    distances = np.concatenate([each for each in around] + [far])
    distances = distances[(np.abs(distances) > 1e-30) | (distances == 0)]
    np.testing.assert_array_equal(jax.jit(tally.bin_of)(distances), tally.host_bin_of(distances))
    np.testing.assert_array_equal(tally.host_bin_of(edges[SIDE:-1]), np.arange(SIDE, BINS))
    np.testing.assert_array_equal(tally.host_bin_of(far), [SIDE, SIDE, BINS - 1, 0, BINS - 1, 0])


# --- what is counted -------------------------------------------------------------------------------------------------

PASSING = Thresholds.of((0, 1, 1, 3, 0), (1, 1, -1, -1, -1), (0.0, 1.5, 1.5, 99.5, -1.0))


@settings(max_examples=150)
@given(some(anything))
def test_fold__counts_what_numpy_counts(values):
    sums, _ = folded(values, GAUGE, PASSING, BLOCK)
    there = np.isfinite(values)
    with np.errstate(over="ignore", invalid="ignore"):
        bins = bins_of(values, GAUGE)
    for cell in range(CELLS):
        expected = np.bincount(bins[cell][there[cell]], minlength=BINS)
        np.testing.assert_array_equal(sums.counts[cell], expected)
        kept = values[cell][there[cell]]
        assert sums.low[cell] == kept.min(initial=np.inf)
        assert sums.high[cell] == kept.max(initial=-np.inf)
        assert sums.at_low[cell] == np.sum(kept == sums.low[cell])
        assert sums.at_high[cell] == np.sum(kept == sums.high[cell])
    np.testing.assert_array_equal(sums.zero, (values == 0).sum(axis=1))
    assert sums.draws == values.shape[1]
    assert (sums.missing >= (~there).sum(axis=1)).all()  # and blocks whose sums are too wide
    passed = [values[0] > 0, values[1] > 1.5, values[1] < 1.5, values[3] < 99.5, values[0] < -1]
    np.testing.assert_array_equal(sums.passed[:5], [np.sum(each) for each in passed])
    assert not sums.passed[5:].any()


@settings(max_examples=50)
@given(some(moderate))
def test_fold__sums_are_those_of_the_distances(values):
    gauge = GAUGE._replace(spread=np.array([1, 2.0**-4, 2.0**20, 0.5], np.float32))
    sums, _ = folded(values, gauge, block=BLOCK)
    distance = (values.astype(np.float64) - gauge.centre[:, None]) / gauge.spread[:, None]
    for power, found in zip((1, 2), sums.averages(), strict=True):
        exact = np.mean(distance**power, axis=1)
        rounding = 2 * BLOCK * np.finfo(np.float32).eps * np.mean(np.abs(distance) ** power, axis=1)
        np.testing.assert_array_less(np.abs(found - exact), rounding + 1 / tally.FIXED_POINT)
    assert not sums.missing.any()


def test_fold__a_cut_block_counts_its_first_draws_and_no_others():
    values = np.arange(1, 1 + CELLS * 300, dtype=np.float32).reshape(CELLS, 300)
    gauge = GAUGE._replace(spread=np.ones(CELLS, np.float32))
    for n in (1, BLOCK - 1, BLOCK, BLOCK + 1, 300):
        sums, _ = folded(values[:, :n], gauge, block=BLOCK)
        assert (sums.draws, set(sums.counts.sum(axis=1)), set(sums.missing)) == (n, {n}, {0})
        np.testing.assert_array_equal(sums.high, values[:, n - 1])
        first = (values[:, :n].astype(np.float64) - gauge.centre[:, None]).mean(axis=1) / gauge.spread
        np.testing.assert_allclose(sums.averages()[0], first, rtol=1e-5, atol=1e-9)


def test_fold__values_beyond_the_outermost_bins_are_in_them():
    values = np.array([[-1e30, -(2.0**14), 2.0**14, 1e30, 2.0**14 * 0.999]], np.float32)
    sums, _ = folded(values, Gauge(np.zeros(1, np.float32), np.ones(1, np.float32)), block=BLOCK)
    assert (sums.counts[0, 0], sums.counts[0, -1], sums.counts.sum()) == (2, 3, 5)
    assert (sums.low[0], sums.high[0]) == (np.float32(-1e30), np.float32(1e30))


@pytest.mark.parametrize("outlier", [3e6, -3e6, 1e25, 3e38])
def test_fold__a_sum_too_wide_to_be_added_is_missing_and_not_wrong(outlier):
    values = np.zeros((2, 3 * BLOCK), np.float32)
    values[0, BLOCK + 3] = outlier
    sums, _ = folded(values, Gauge(np.zeros(2, np.float32), np.ones(2, np.float32)), block=BLOCK)
    assert sums.missing.tolist() == [1, 0]
    sums, _ = folded(values, Gauge(np.zeros(2, np.float32), np.full(2, 2.0**127, np.float32)), block=BLOCK)
    assert sums.missing.tolist() == [0, 0]


def test_fold__two_outliers_on_either_side_whose_sum_has_no_value_are_missing():
    values = np.zeros((1, BLOCK), np.float32)
    values[0, :4] = [3e38, -3e38, 3e38, -3e38]
    sums, _ = folded(values, Gauge(np.zeros(1, np.float32), np.full(1, 2.0**-10, np.float32)), block=BLOCK)
    assert sums.missing.tolist() == [1]


@pytest.mark.parametrize("widest", [tally.GREATEST, -tally.GREATEST, (tally.LIMB - 2.0**14) / tally.FIXED_POINT])
def test_add_moments__as_many_of_the_widest_blocks_as_there_may_be_do_not_overflow(widest):
    one, many = Sums.of_nothing(1), Sums.of_nothing(1)
    one.add_moments(np.full((1, 2, 1), widest, np.float32), 1)
    assert int(np.abs(one.moments).max()) << 24 < 1 << 63
    for _ in range(100):
        many.add_moments(np.full((100, 2, 1), widest, np.float32), 100)
    assert many.averages().tolist() == [[widest], [widest]]


def test_add_moments__are_whole_numbers_that_do_not_cancel_away():
    """A small sum beside the widest one: float64 would keep nothing of it, whole numbers keep all."""
    sums = Sums.of_nothing(1)
    small = 2.0**-30
    for each in (tally.GREATEST, small, -tally.GREATEST):
        sums.add_moments(np.array([[[each], [0]]], np.float32), 1)
    assert sums.averages()[0, 0] == small / 3


def test_thresholds__are_always_as_many_and_no_more():
    one = Thresholds.of((2,), (-1,), (0.5,))
    assert {len(column) for column in one} == {tally.MOST_THRESHOLDS}
    assert [column.dtype.name for column in one] == ["int32", "float32", "float32"]
    full = Thresholds.of(*[[1] * tally.MOST_THRESHOLDS] * 3)
    assert (full.value == 1).all()
    with pytest.raises(ValueError, match="at most 32 thresholds in a run, not 33"):
        Thresholds.of(*[[1] * 33] * 3)


# --- added in any order ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts():
    """Six lots of draws that share least and greatest values, zeros of both signs and missing ones; and all of them."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(CELLS, 6 * BLOCK * CALL)).astype(np.float32).clip(-2, 2)
    values[1] = rng.choice(np.array([0.0, -0.0, 1], np.float32), values.shape[1])
    values[2] = rng.pareto(0.5, values.shape[1])
    values[3, ::97] = np.nan
    lots = np.split(values, 6, axis=1)
    lots[4], last = lots[4][:, :100], lots[5][:, :1]  # not in multiples of anything
    lots[5] = last
    return [folded(lot, GAUGE, PASSING, BLOCK)[0] for lot in lots], np.concatenate(lots, axis=1)


@settings(max_examples=40)
@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
def test_add__any_order_and_grouping_is_one_digest(parts, order, cuts):
    sums, values = parts
    whole = Sums.of_nothing(CELLS)
    groups = np.split(np.array(order), sorted(cuts))
    for group in groups:
        some = Sums.of_nothing(CELLS)
        for i in group:
            some.add(sums[i])
        whole.add(some)
    assert whole.digest() == added(sums).digest()
    assert whole.draws == values.shape[1]
    np.testing.assert_array_equal(whole.at_low[0], np.sum(values[0] == -2))
    np.testing.assert_array_equal(whole.at_high[0], np.sum(values[0] == 2))
    np.testing.assert_array_equal(whole.at_low[1], np.sum(values[1] == 0))


def added(sums):
    found = Sums.of_nothing(CELLS)
    for each in sums:
        found.add(each)
    return found


def test_add__what_one_tally_counts_is_what_many_count(parts):
    sums, values = parts
    lots = np.split(values, np.cumsum([each.draws for each in sums])[:-1], axis=1)
    tallies, whole = [], Sums.of_nothing(CELLS)
    for lot in lots:
        each, _ = folded(lot, GAUGE, PASSING, BLOCK)
        tallies.append(each)
    in_one = folded_on_one(lots)
    for each in tallies:
        whole.add(each)
    assert in_one.digest() == whole.digest() == added(sums[::-1]).digest()


def folded_on_one(lots):
    """All lots counted by one tally, one after another."""
    found, counted = Sums.of_nothing(CELLS), empty(CELLS, "int32")
    for lot in lots:
        for start in range(0, lot.shape[1], BLOCK * CALL):
            some = lot[:, start : start + BLOCK * CALL]
            counted, moments = fold(counted, *filled(some, BLOCK), GAUGE, PASSING)
            found.add_moments(np.asarray(moments), some.shape[1])
    found.add_tally(jax.tree.map(lambda each: each[None], counted))
    return found


def test_add_tally__devices_side_by_side_are_added_in_any_order(parts):
    _, values = parts
    tallies = []
    for start in range(0, 3 * BLOCK, BLOCK):
        blocks = filled(values[:, start : start + BLOCK], BLOCK)
        counted, _ = fold(empty(CELLS, "uint16"), *blocks, GAUGE, NOTHING_PASSES)
        tallies.append(counted)
    digests = set()
    for order in itertools.permutations(tallies):
        sums = Sums.of_nothing(CELLS)
        sums.add_tally(jax.tree.map(lambda *each: np.stack(each), *order))
        digests.add(sums.digest())
    assert len(digests) == 1
    np.testing.assert_array_equal(sums.counts[0], np.bincount(bins_of(values, GAUGE)[0, : 3 * BLOCK], minlength=BINS))


def test_fold__short_counters_hold_all_that_their_type_can():
    values = np.full((1, 65535), 7, np.float32)
    sums, _ = folded(values, counter="uint16")
    assert sums.counts.max() == sums.at_low[0] == 65535


def test_sums__of_more_draws_than_a_short_count_holds_are_widened(parts, monkeypatch):
    sums, _ = parts
    narrow = added(sums)
    assert narrow.counts.dtype.itemsize < 8
    monkeypatch.setattr(tally, "NARROW", 700)
    for order in (sums, sums[::-1]):
        wide = added(order)
        assert wide.counts.dtype == np.int64
        assert wide.digest() == narrow.digest()
    both = added([narrow, wide])
    np.testing.assert_array_equal(both.counts, 2 * narrow.counts.astype(np.int64))
    assert np.iinfo(narrow.counts.dtype).max >= 700


def test_narrow__is_no_more_than_a_short_count_holds():
    assert np.iinfo(Sums.of_nothing(1).counts.dtype).max >= tally.NARROW - 1


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Sums)])
def test_digest__is_of_everything(parts, field):
    one, other = added(parts[0]), added(parts[0])
    assert one.digest() == other.digest()
    if field == "draws":
        other.draws += 1
    else:
        array = getattr(other, field)
        array.flat[-1] += 1
    assert one.digest() != other.digest()


def test_digest__does_not_depend_on_how_arrays_lie_in_memory(parts):
    one = added(parts[0])
    turned = dataclasses.replace(one, counts=np.asfortranarray(one.counts), low=one.low.astype(">f4"))
    assert one.digest() == turned.digest()


# --- gauge -----------------------------------------------------------------------------------------------------------


def gauged(*values):
    """Centre and spread of one cell."""
    found = tally.gauge(np.array([values], np.float32))
    return float(found.centre[0]), float(found.spread[0])


@pytest.mark.parametrize(
    ("values", "centre", "spread"),
    [
        ([5.0] * 256, 5, 2.0**-6),
        ([-193.737] * 256, np.float32(-193.737), 0.5),
        ([0.0] * 256, 0, 1),
        ([np.nan] * 256, 0, 1),
        ([np.inf] * 128 + [np.nan] * 128, 0, 1),
        ([1.0] * 255 + [1e6], 1, 2**19),  # an outlier shows how far it may go
        ([0.0] * 255 + [1e-9], 0, 1),  # a small one does not show how near it stays
        ([0.0] * 255 + [-3000.0], 0, 2048),
        ([1.0] * 230 + [1.0 + 2**-20] * 26, 1, 2.0**-8),
        ([np.nan] * 200 + [2.0] * 56, 2, 2.0**-7),
        ([-3e38] * 129 + [3e38] * 127, -3e38, 2.0**127),
        ([1e-44 * i for i in range(256)], 1e-44 * 127, 2.0**-126),
    ],
)
def test_gauge__of_atoms_and_corners(values, centre, spread):
    found = gauged(*values)
    assert found == (pytest.approx(centre, rel=1e-6), spread)


@settings(max_examples=50)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(0, 2**32))
def test_gauge__of_a_smooth_cell_is_its_median_and_the_power_of_two_below_its_width(at, scale, seed):
    values = (at + scale * np.random.default_rng(seed).normal(size=257)).astype(np.float32)
    centre, spread = gauged(*values)
    assert centre == np.sort(values)[128]
    low, high = np.quantile(values.astype(np.float64), (0.05, 0.95), method="nearest")
    atom = centre in (low, high)  # floats so coarse that many draws are one
    width = max(np.ptp(values.astype(np.float64)), abs(centre) / 256) if atom else high - low
    assert spread <= width < 2 * spread
    assert np.log2(spread) % 1 == 0


def test_gauge__an_outlier_widens_a_cell_to_a_part_of_its_range():
    values = np.random.default_rng(0).normal(size=255)
    _, spread = gauged(*values, 2.0**20)
    assert 2.0**11 <= spread <= 2.0**12


@settings(max_examples=60)
@given(arrays(np.float32, (1, 256), elements=anything, fill=anything))
def test_gauge__is_always_a_number_and_a_power_of_two(values):
    centre, spread = gauged(*values[0])
    assert np.isfinite(centre)
    assert np.isfinite(spread)
    assert spread > 0
    assert np.frexp(spread)[0] == 0.5
