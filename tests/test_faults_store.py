"""Faults of the store, each kind in its small form; and bugs put into the store, which each must report."""

import contextlib
from functools import partial
from types import SimpleNamespace
from unittest import mock

import pytest

from sim.store import io as writes
from tests.faults import corrupt, io, kills, power, stores, writers
from tests.faults.disk import record


def test_power__every_state_shows_what_was_acknowledged():
    report = power.run(0, seed=1)
    assert report.ok, report.notes
    assert report.injected > 300
    assert all(report.notes[name]["bounded"] == 0 for name in power.WORK)


def without_sync():
    return mock.patch("sim.store.io.sync", return_value=None)


def in_place():
    """Members that replace others take their place before COMMIT names them."""
    return mock.patch("sim.store.publish.beside", lambda path, digest: path)


@pytest.mark.parametrize("bug", [without_sync, in_place])
def test_power__finds(bug, tmp_path):
    work = power.WORK["publish"]
    with bug():
        steps = record(work)
    assert power.is_found(steps, power.Judge(tmp_path / "state", work.read))


def test_io__each_refused_call_leaves_the_run_as_it_was():
    report = io.run(36, seed=1)
    assert report.ok, report.notes
    assert report.injected == 36


def test_io__finds_members_replaced_in_place(tmp_path):
    with in_place():
        bench = io.Bench(io.CASES["over"], tmp_path)
        assert any(bench.problem(i, 5) for i in range(bench.calls - 1, 0, -3))  # COMMIT comes late


def test_io__finds_an_error_that_is_not_ours(tmp_path):
    @contextlib.contextmanager
    def bare(operation, path):
        writes.before(operation, path)
        yield

    bench = io.Bench(io.CASES["report"], tmp_path)
    with mock.patch("sim.store.io.attempt", bare):
        assert any("OSError" in bench.problem(i, 5) for i in range(bench.calls))


def test_corrupt__every_harm_is_found_and_mended():
    with corrupt.trial(seed=1) as tried:
        tried.published(20)
        tried.progress(1)
        assert tried.lost == {}
        with mock.patch("sim.store.runs.damage", return_value=[]):  # and were manifests unread, that would be told
            harm = tried.bench.harm(["draws", "values of the summary", "counts"])
            assert tried.judged(harm)


def test_writers__nothing_is_lost_or_mixed():
    report = writers.run(5, seed=1)
    assert report.ok, report.notes


def test_kills__nothing_is_lost():
    report = kills.run(60, seed=1)
    assert report.ok, report.notes
    assert report.injected == 60


def careless(out, bug, draws):
    with bug():
        stores.ask(out, draws)


def test_kills__find_members_replaced_in_place(tmp_path):
    first = partial(stores.ask, draws=20)
    bench = kills.Bench(kills.Case(partial(careless, bug=in_place, draws=40), first), tmp_path, resumed=False)
    at = iter(range(bench.calls - 1, 0, -5))  # COMMIT comes late
    chosen = SimpleNamespace(random=lambda: 0, randrange=lambda calls: next(at))
    assert any(bench.kill(chosen)[1] for _ in range(bench.calls // 5 - 1))
