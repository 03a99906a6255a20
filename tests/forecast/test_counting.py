"""Counting draws with what is stored of them, on an engine that counts whole numbers and simulates nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import devices, label
from sim.errors import IntegrityError
from sim.forecast import counting
from sim.forecast.counting import FEW, Saved, counted
from sim.store import writing
from sim.tally import BINS, Gauge, Sums

RUN = {"config": {"as_of": "2026-02-28", "seed": 0}}
GAUGE = Gauge(np.array([1, 2], np.float32), np.array([0.5, 4], np.float32))


class Whole:
    """Stands in for an engine: draw i is the number i, in two cells; it says which draws it was asked for."""

    def __init__(self, block: int = 256, gauge: Gauge = GAUGE) -> None:
        self.shape = SimpleNamespace(block=block, blocks=2)
        self.on = SimpleNamespace(size=1)
        self.gauge = gauge
        self.asked: list[tuple[int, int]] = []

    def nothing(self) -> Sums:
        return Sums.of_nothing(len(GAUGE.centre))

    def sums(self, first, last, tell, onto):
        assert first % self.shape.block == 0, "a torn block"
        assert first < last
        self.asked.append((first, last))
        onto.add(numbers(first, last))
        tell(onto.draws)
        return onto


def numbers(first: int, last: int) -> Sums:
    """The numbers from ``first`` to ``last`` - 1, counted."""
    found = Sums.of_nothing(len(GAUGE.centre))
    found.draws = last - first
    found.counts[:] = np.bincount(np.arange(first, last) % BINS, minlength=BINS)
    found.moments[:] = sum(range(first, last))
    found.low[:], found.high[:], found.at_low[:], found.at_high[:] = first, last - 1, 1, 1
    return found


class Shelf:
    """Stands in for the ranges of a run on the disk."""

    def __init__(self, ranges=(), gauge: Gauge = GAUGE) -> None:
        self.held = {each: label.sums_dataset(numbers(each[0], each[1] + 1), gauge) for each in ranges}
        self.log = lambda *_, **__: None

    def stored(self, kind):
        return [SimpleNamespace(first=first, last=last) for first, last in sorted(self.held)]

    def load(self, kind, each):
        return self.held[each.first, each.last]

    def save(self, kind, first, last, data):
        self.held[first, last] = data.copy(deep=True)
        return SimpleNamespace(first=first, last=last)

    def drop(self, kind, each):
        del self.held[each.first, each.last]


class Halving:
    """A target that is met from some number of draws on."""

    allowed = 0.01
    cell = SimpleNamespace(place=0)

    def __init__(self, enough: int) -> None:
        self.enough = enough

    def __str__(self) -> str:
        return "half"

    def far(self, draws: int) -> float:
        return self.enough / draws


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    """Statistics are the number of draws; every number is finite; counts are stored whenever they may be."""
    monkeypatch.setattr(counting, "SAVE_EVERY", -1.0)
    monkeypatch.setattr(counting, "FEW", 256)
    monkeypatch.setattr(counting, "check_finite", lambda *_: None)
    monkeypatch.setattr(counting.reduce, "statistics", lambda sums, _: SimpleNamespace(at=lambda place: sums.draws))
    monkeypatch.setattr("os.fsync", lambda handle: None)


def question(engine: Whole, draws: int, *wanted: Halving) -> SimpleNamespace:
    return SimpleNamespace(engine=engine, draws=draws, sampler="mc", wanted=wanted)


def count(engine, draws, shelf=None, *wanted, fresh=False):
    """Sums, ranges and progress of counting."""
    told: list[tuple[int, str]] = []
    saved = Saved(engine, shelf, fresh)
    sums, _, ranges = counted(question(engine, draws, *wanted), saved, lambda *now: told.append(now))
    return sums, [(each.first, each.last) for each in ranges], told


def made(engine: Whole) -> list[int]:
    """Draws the engine made, in their order."""
    return [draw for first, last in engine.asked for draw in range(first, last)]


@st.composite
def halves(draw):
    """A size of block, a number of draws, and ranges of whole blocks that share no draw, also beyond those asked."""
    block = draw(st.sampled_from([256, 65_536]))
    ends = draw(st.lists(st.integers(0, 12), unique=True, max_size=8).map(sorted))
    ranges = [(a * block, b * block - 1) for a, b in zip(ends[::2], ends[1::2], strict=False)]
    return block, draw(st.integers(2, 10 * 256 if block == 256 else 4 * block)), ranges


@given(halves())
def test_counted__is_all_draws_once_whatever_is_stored(case):
    block, draws, ranges = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "STRETCH", 2)
        engine = Whole(block)
        sums, _, told = count(engine, draws, Shelf(ranges))
    assert sums.digest() == numbers(0, draws).digest()
    used = {draw for first, last in ranges if last < draws - draws % block for draw in range(first, last + 1)}
    assert made(engine) == [draw for draw in range(draws) if draw not in used]  # not one that is stored
    assert told == sorted(told)
    assert told[-1] == (draws, "")


@pytest.mark.parametrize(
    ("draws", "kept"), [(256, (0, 255)), (257, (0, 255)), (511, (0, 255)), (512, (0, 511)), (5000, (0, 4863))]
)
def test_counted__stores_whole_blocks_only(draws, kept):
    shelf = Shelf()
    sums, ranges, _ = count(Whole(), draws, shelf)
    assert sums.draws == draws
    assert ranges == list(shelf.held) == [kept]


@pytest.mark.parametrize("kind", devices.SHAPES)
def test_few__is_whole_blocks(kind):
    """Else a run of fewer draws than a block would store a torn one, with which no run can go on."""
    assert FEW % devices.SHAPES[kind].block == 0


@pytest.mark.parametrize(("draws", "kept"), [(511, []), (512, [(0, 511)]), (513, [(0, 511)])])
def test_counted__few_draws_are_not_stored(monkeypatch, draws, kept):
    monkeypatch.setattr(counting, "FEW", 512)
    shelf = Shelf()
    assert count(Whole(), draws, shelf)[1] == list(shelf.held) == kept


def test_counted__one_range_takes_the_place_of_those_before():
    """Those beyond stay, for more draws."""
    shelf = Shelf([(0, 255), (512, 767), (1024, 1535)])
    _, ranges, _ = count(Whole(), 1100, shelf)
    assert ranges == [(0, 1023)]
    assert sorted(shelf.held) == [(0, 1023), (1024, 1535)]
    kept, _ = label.sums_of(shelf.held[0, 1023])
    assert kept.digest() == numbers(0, 1024).digest()


def test_counted__what_is_stored_already_is_not_stored_again():
    shelf = Shelf([(0, 1023)])
    before = shelf.held[0, 1023]
    assert count(Whole(), 1100, shelf)[1] == [(0, 1023)]
    assert shelf.held[0, 1023] is before


def test_counted__fresh_uses_and_keeps_nothing_of_what_is_stored():
    shelf, engine = Shelf([(0, 1023)]), Whole()
    before = shelf.held[0, 1023]
    assert count(engine, 1100, shelf, fresh=True)[1] == [(0, 1023)]
    assert made(engine) == list(range(1100))
    assert shelf.held[0, 1023] is not before


@pytest.mark.parametrize("name", ["centre", "spread"])
def test_counted__counts_of_another_gauge_are_made_again(name):
    other = GAUGE._replace(**{name: np.nextafter(getattr(GAUGE, name), np.float32(9))})
    shelf, engine = Shelf([(256, 767)], other), Whole()
    sums, _, _ = count(engine, 1024, shelf)
    assert made(engine) == list(range(1024))
    assert sums.digest() == numbers(0, 1024).digest()


@pytest.mark.parametrize(("every", "stored"), [(1e9, [1023]), (-1.0, [255, 511, 767, 1023])])
def test_counted__stores_now_and_then(monkeypatch, every, stored):
    """After every stretch, or at the end only where all is made in less time than that."""
    monkeypatch.setattr(counting, "SAVE_EVERY", every)
    monkeypatch.setattr(counting, "STRETCH", 1)
    engine, shelf, seen = Whole(), Shelf(), []
    engine.shape.blocks, save = 1, shelf.save
    shelf.save = lambda kind, first, last, data: seen.append(last) or save(kind, first, last, data)
    count(engine, 1100, shelf)
    assert seen == stored
    assert list(shelf.held) == [(0, last) for last in stored[-1:]]


def test_counted__what_is_not_finite_is_never_stored(monkeypatch):
    def check(engine, sums, first, last):
        if sums.draws > 700:
            raise IntegrityError("run-not-finite", "draw 700")

    monkeypatch.setattr(counting, "check_finite", check)
    monkeypatch.setattr(counting, "STRETCH", 1)
    monkeypatch.setattr(counting, "SAVE_EVERY", -1.0)
    shelf = Shelf()
    with pytest.raises(IntegrityError):
        count(Whole(), 1100, shelf)
    assert list(shelf.held) == [(0, 511)]
    with pytest.raises(IntegrityError):  # in the torn block at the end
        count(Whole(), 702, Shelf())


# --- until -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("enough", "draws", "ends"),
    [(500, 9999, 512), (512, 9999, 512), (513, 9999, 1024), (3000, 9999, 4096), (3000, 3333, 3333), (300, 300, 300)],
)
@pytest.mark.parametrize("ranges", [[], [(0, 255)], [(0, 511)], [(256, 767), (768, 1023)], [(0, 255), (256, 1279)]])
def test_counted__until_looks_where_draws_have_doubled(monkeypatch, enough, draws, ends, ranges):
    monkeypatch.setattr(counting, "FIRST_LOOK", 512)
    engine = Whole()
    sums, _, told = count(engine, draws, Shelf(ranges), Halving(enough))
    assert sums.digest() == numbers(0, ends).digest()
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == ends
    if ends == 4096:
        assert told[-1][1] == "half 1.46% of 1.00%"  # as it stood at 2,048


def test_counted__until_never_looks_before_what_is_stored(monkeypatch):
    """Counts of 0 to 1,535 are not torn for a look at 512: the first is at 2,048."""
    monkeypatch.setattr(counting, "FIRST_LOOK", 512)
    engine = Whole()
    sums, ranges, _ = count(engine, 9999, Shelf([(0, 1535)]), Halving(100))
    assert (sums.draws, ranges, engine.asked) == (2048, [(0, 2047)], [(1536, 2048)])


def test_counted__until_looks_after_a_whole_block_on_an_accelerator(monkeypatch):
    engine = Whole(65_536)
    sums, ranges, _ = count(engine, 10**6, Shelf(), Halving(20_000))
    assert (sums.draws, ranges) == (65_536, [(0, 65_535)])


# --- on the disk -----------------------------------------------------------------------------------------------------


def test_saved__counts_come_back_from_the_disk_bit_for_bit(tmp_path):
    engine = Whole()
    with writing(tmp_path, RUN) as begun:
        sums = numbers(0, 768)
        sums.low[0], sums.high[0] = np.inf, -np.inf  # a cell that no draw has
        sums.counts = sums.counts.astype(np.uint32)
        (stored,) = Saved(engine, begun).all(sums)
        again = Saved(engine, begun).read(stored)
        assert again.digest() == sums.digest()
        assert again.counts.dtype == np.uint32
        total, _, ranges = counted(question(engine, 1000), Saved(engine, begun), None)
    assert total.draws == 1000
    assert engine.asked == [(768, 1000)]
    assert [(each.first, each.last) for each in ranges] == [(0, 767)]
