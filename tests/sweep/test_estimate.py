"""What a sweep is said to take: hours from a rate, bytes from what runs leave, and what does not fit is refused."""

from types import SimpleNamespace

import pytest

from sim import cells
from sim.errors import RefusedError
from sim.sweep import estimate as estimating
from sim.sweep.division import RANGE, WHOLE, ranges
from sim.sweep.estimate import RANGE_BYTES, Rate, check_room, estimate, is_finished, measure, planned
from sim.sweep.prepared import prepare
from sim.sweep.spec import Settings, read_spec

RATE = Rate(draws=1000.0, fixed=3.0, run_bytes=1_000_000, devices=2)


@pytest.fixture
def four(written, monkeypatch, base_world):
    """Four variants of the base book."""
    monkeypatch.setattr("sim.sweep.prepared.load", lambda *_: base_world)
    return prepare(read_spec(written("seeds: [0, 1, 2, 3]\n")))


def takes(prepared, tmp_path, draws=20_000, **words):
    kept = words.pop("keep_draws", False)
    settings = Settings(draws=draws, keep_draws=kept)
    return estimate(prepared, settings, tmp_path / "new" / "runs", block=256, rate=RATE, **words)


def test_ranges__are_whole_blocks_that_leave_the_tail_to_who_joins_them():
    assert ranges(Settings(draws=WHOLE)) == []
    for draws in (3 * RANGE, 3 * RANGE + 1, 10**9):
        found = ranges(Settings(draws=draws))
        assert [last for _, last in found[:-1]] == [first for first, _ in found[1:]]
        assert found[0][0] == 0
        assert 0 <= draws - found[-1][1] < RANGE
        assert all(first % (1 << 16) == 0 and last - first == RANGE for first, last in found)


@pytest.mark.parametrize("asked", [{"sampler": "sobol", "draws": 1 << 22}, {"keep_draws": True, "draws": 1 << 22}])
def test_ranges__sobol_points_and_kept_draws_are_one_task(asked):
    assert ranges(Settings(**asked)) == []


def test_estimate__is_draws_over_the_rate_and_a_fixed_part(four, tmp_path):
    """Four variants of 20,000 draws at 500 a second and device, 3 s each beside: 43 s each on one device."""
    alone = takes(four, tmp_path, workers=1, share=2)
    assert alone.seconds - estimating.START == pytest.approx(4 * (3 + 20))
    pair = takes(four, tmp_path, workers=2, share=1)
    assert pair.seconds - estimating.START == pytest.approx(2 * (3 + 40))
    assert pair.core_hours * 3600 == pytest.approx(2 * estimating.START + 4 * 43)
    assert (pair.variants, pair.finished, pair.tasks, pair.draws) == (4, 0, 4, 80_000)


def test_estimate__more_workers_than_tasks_do_not_hurry_a_task(four, tmp_path):
    assert takes(four, tmp_path, workers=100, share=1).seconds - estimating.START == pytest.approx(43)


def test_estimate__a_billion_draws_are_divided(four, tmp_path):
    found = takes(four[:1], tmp_path, draws=10**9, workers=10, share=1)
    assert found.tasks == 10**9 // RANGE + 1
    assert found.seconds - estimating.START == pytest.approx((3 + 10**9 / 500) / 10)
    assert found.bytes == 1_100_000 + (10**9 // RANGE) * RANGE_BYTES


def test_estimate__kept_draws_are_made_twice_and_stored(four, tmp_path):
    found = takes(four, tmp_path, keep_draws=True, workers=1, share=2)
    assert found.seconds - estimating.START == pytest.approx(4 * (3 + 40))
    each = sum(len(table.labels) * len(table.periods) for table in cells.tables(four[0].world).values())
    assert found.bytes - takes(four, tmp_path).bytes == 4 * 4 * each * 20_000


def test_check_room__refuses_what_does_not_fit_with_what_does(four, tmp_path, monkeypatch):
    free = 4_400_000 / 0.9
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free + 10))
    check_room(takes(four, tmp_path), Settings(draws=20_000))
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free - 10))
    with pytest.raises(RefusedError, match="at most 3 variants") as caught:
        check_room(takes(four, tmp_path), Settings(draws=20_000))
    assert caught.value.exit_code == 3


def test_check_room__names_the_kept_draws_that_fit(four, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10**9))
    settings = Settings(draws=10**9, keep_draws=True)
    with pytest.raises(RefusedError, match=r"keep at most [\d,]+ draws of each") as caught:
        check_room(takes(four, tmp_path, draws=10**9, keep_draws=True), settings)
    most = int(caught.value.remedy.split()[3].replace(",", ""))
    check_room(takes(four, tmp_path, draws=int(most * 0.99), keep_draws=True), settings)


def test_planned__refuses_before_it_measures(four, tmp_path, monkeypatch):
    monkeypatch.setattr(estimating, "measure", lambda *_: pytest.fail("measured"))
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10**9))
    asked = {"workers": 1, "device": "cpu", "rate": None}
    with pytest.raises(RefusedError):
        planned(four, Settings(draws=10**9, keep_draws=True), tmp_path, **asked)


def test_planned__a_stated_rate_is_that_of_one_worker(four, tmp_path):
    found = planned(four, Settings(draws=100_000), tmp_path, workers=4, device="cpu", rate=50.0)
    assert found.seconds == pytest.approx(estimating.START + estimating.FIXED + 2000)


def test_is_finished__is_a_run_with_enough_draws(base_run, tmp_path):
    """The run has 4,096 draws, and kept them."""
    assert is_finished(base_run.folder, Settings(draws=4096))
    assert is_finished(base_run.folder, Settings(draws=300, keep_draws=True))
    assert not is_finished(base_run.folder, Settings(draws=4097))
    assert not is_finished(tmp_path / "none", Settings(draws=512))


def test_measure__counts_the_draws_that_a_second_makes_and_what_a_run_leaves(base_world, monkeypatch, tmp_path):
    """A clock that a draw moves by a millisecond and a run by a second: a thousand draws a second, a second a run."""
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    class Counted:
        shape = SimpleNamespace(block=256, blocks=4)

        def __init__(self, *_):
            pass

        def sums(self, first, last):
            clock[0] += (last - first) / 1000

    def run(world, *, draws, seed, device, out):
        clock[0] += 1
        (tmp_path.joinpath(out) / f"{seed}").write_bytes(b"x" * 40_000)

    monkeypatch.setattr(estimating, "Engine", Counted)
    monkeypatch.setattr(estimating.forecast, "run", run)
    rate = measure(base_world, "cpu")
    assert rate.draws == pytest.approx(1000)
    assert rate.fixed == pytest.approx(1)
    assert rate.run_bytes == pytest.approx(40_960, rel=0.1)
    assert not list(tmp_path.iterdir())
