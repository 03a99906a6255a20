"""Every benchmark runs once, tiny; and all who race on workload W compute the same thing."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from benchmarks import base_world, contest, gpu, memory, resolution, reweighting, roofline, start_up, workload_w
from benchmarks.base_world_numpy import tuned
from benchmarks.contest import Contender, Goal
from benchmarks.w import job, numpy_float64, spec
from sim import draws

PARTS = {"about", "unit", "baseline", "rounds", "contenders", "skipped", "facts", "goals", "notes"}
LINE = {"amount", "first", "seconds", "fastest", "slowest", "rate", "ratio", "ratio_low", "ratio_high"}
DRAWS = 32_768
ERRORS = 5
"""Standard errors that two runs may be apart. The smallest defect seen: 1 % in a mean or a rank off by 0.7 points."""
SEED = 7

FAKE_RUN = """
import numpy, sys
from pathlib import Path
kept = numpy.ones(int(sys.argv[1]) * 10_000, numpy.int8)
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""
FAKE_CHIPCAST = (sys.executable, "-c", "print('table'); print('2,048 draws, seed 0')")


@pytest.fixture(scope="module", autouse=True)
def _short_calls():
    """Calls of few draws, so that as many are simulated as are asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(job.BLOCKS, "cpu", 4)
        yield


@pytest.fixture(scope="module")
def cells():
    """Outputs of the engine's first draws [output, draw]."""
    return job.outputs(DRAWS, SEED)


@pytest.fixture(scope="module")
def sample(cells):
    """The same, each output sorted."""
    return np.sort(cells, axis=1).astype(float)


def check(found, name):
    """A result has the documented parts, becomes JSON and a table that names every contender."""
    assert set(found) == PARTS
    assert all(set(line) == LINE for line in found["contenders"].values())
    json.dumps(found)
    shown = contest.table(name, found)
    assert all(f"| {who} |" in shown for who in found["contenders"])


def test_workload_w__runs(monkeypatch):
    monkeypatch.setattr(workload_w, "PACKAGED", {})
    found = workload_w.measure(quick=True)
    check(found, "workload_w")
    assert found["contenders"][workload_w.FLOAT64]["ratio"] == 1
    assert found["contenders"].keys() >= {workload_w.ENGINE, workload_w.SIMULATION, workload_w.MOMENTS}


def test_workload_w__a_missing_package_is_skipped_with_one_line(monkeypatch, capsys):
    monkeypatch.setattr(workload_w, "PACKAGED", {"numba": ("numba", "benchmarks.w.numba_lanes")})
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "benchmarks.w.numba_lanes", raising=False)
    jobs, skipped = workload_w.peers()
    assert "numba" not in jobs
    assert set(skipped) == {"numba"}
    assert capsys.readouterr().err.splitlines() == [f"skipped numba: {skipped['numba']}"]
    assert ".[bench]" in skipped["numba"]


def test_roofline__runs_and_counts_the_exponentials():
    found = roofline.measure(quick=True)
    check(found, "roofline")
    begin = 6 + 13 + 36 + 6 + 6 + 1  # shocks, betas, tastes, rates, midpoints, retired
    year = 6 * 6  # capex, AI's part, suppliers' weights, worth, need, users
    assert found["facts"]["exponentials of a draw"] == begin + spec.YEARS * year
    assert found["facts"]["variates of a draw"] == 336


def test_gpu__runs_or_says_that_there_is_none():
    found = gpu.measure(quick=True)
    check(found, "gpu")
    assert found["contenders"] or found["notes"] == ["no GPU: not measured"]


def test_base_world__runs(monkeypatch):
    """Without processes of its own, which ``test_numpy_contenders`` starts."""
    with ThreadPoolExecutor() as pool:
        monkeypatch.setattr(tuned, "pool", lambda: pool)
        found = base_world.measure(quick=True)
    check(found, "base_world")
    assert found["contenders"].keys() == {base_world.ENGINE, base_world.IDIOMATIC, base_world.TUNED}
    assert found["contenders"][base_world.IDIOMATIC]["ratio"] == 1


def test_reweighting__tells_how_many_draws_are_left():
    found = reweighting.measure(quick=True)
    check(found, "reweighting")


def test_resolution__of_every_cell_and_level_is_as_stated():
    found = resolution.measure(quick=True)
    check(found, "resolution")
    (goal,) = found["goals"].values()
    assert goal["met"]
    assert goal["value"] > 0.5  # and not by much: some draws do lie at the far end of their bin
    facts = found["facts"]
    assert facts["root mean square, Monte Carlo standard errors"] < resolution.NEAR
    assert facts["figures of cells that are not discrete"] > 20_000


def test_start_up__times_the_table_and_the_end(monkeypatch):
    monkeypatch.setattr(start_up, "CHIPCAST", FAKE_CHIPCAST)
    found = start_up.measure(quick=True)
    check(found, "start_up")
    assert 0 < found["facts"]["warm run, start to table, s"] <= found["facts"]["warm run, start to exit, s"]


def test_start_up__a_failing_command_is_said(monkeypatch):
    monkeypatch.setattr(start_up, "CHIPCAST", (sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(RuntimeError, match="ended with 3"):
        start_up._watch(start_up.CHIPCAST, {})


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
def test_memory__sees_what_a_process_takes(monkeypatch):
    monkeypatch.setattr(memory, "RUN", FAKE_RUN)
    found = memory.measure(quick=False, draws=(1_000, 11_000))
    check(found, "memory")
    small, large, _ = found["facts"].values()
    assert large - small == pytest.approx(0.1, rel=0.05)


def test_contest__ratios_are_those_of_the_same_round(monkeypatch):
    times = iter([9, 9, 1, 2, 2, 8, 3, 3])  # one turn each beforehand, then three rounds of (fast, slow)
    monkeypatch.setattr(contest, "seconds", lambda work: next(times))
    both = [Contender("fast", lambda: None, 100), Contender("slow", lambda: None, 10)]
    found = contest.contest(both, baseline="slow", rounds=3, unit="draws", goals=[Goal("fast", "slow", 21)])
    fast = found["contenders"]["fast"]
    assert (fast["ratio_low"], fast["ratio"], fast["ratio_high"]) == (10, 20, 40)
    assert (fast["first"], fast["seconds"], fast["fastest"], fast["slowest"], fast["rate"]) == (9, 2, 1, 3, 50)
    assert found["goals"]["fast / slow"] == {"value": 20, "goal": 21, "sense": "at least", "met": False}


def test_workload_w__engine_equals_whole_array_numpy_on_the_same_numbers(cells):
    n, rows, key = 1_024, jnp.arange(336, dtype=jnp.uint32), jnp.array([[0, SEED]], jnp.uint32)
    z = np.asarray(draws.normals(key, rows, jnp.uint32(0), n), np.float64)
    variates = {name: np.moveaxis(z[spec.rows(name)], -1, 0) for name in spec.VARIATES}
    variates |= {name: special.betaincinv(*ab, special.ndtr(variates[name])) for name, ab in spec.BETAS.items()}
    expected = numpy_float64.simulate(variates).T
    apart = np.abs(cells[:, :n] - expected) / (np.abs(expected) + 1e-3 * expected.max(axis=1, keepdims=True))
    assert apart.max() < 3e-4


def test_workload_w__quantiles_lie_within_a_quarter_of_their_error():
    assert workload_w.quantile_error(DRAWS) < workload_w.MOST_ERROR


def test_workload_w__moments_are_those_of_the_outputs(sample):
    found = job.job(DRAWS, SEED)
    np.testing.assert_allclose(found.mean, sample.mean(axis=1), rtol=2e-5)
    np.testing.assert_allclose(found.sd, sample.std(axis=1), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", [workload_w.FLOAT64, workload_w.FLOAT32, workload_w.SCIPY, *workload_w.PACKAGED])
def test_workload_w__peers_give_the_same_distributions(sample, name):
    jobs, skipped = workload_w.peers()
    if name not in jobs:
        pytest.skip(f"{name}: {skipped[workload_w.PACKAGED[name][0]]}")
    with jax.numpy_dtype_promotion("standard"):
        found = jobs[name](DRAWS)
    mean, sd = sample.mean(axis=1), sample.std(axis=1)
    apart = np.abs(found.mean - mean)
    assert np.all(apart <= ERRORS * np.sqrt((sd**2 + np.square(found.sd)) / DRAWS))
    level = np.array(spec.PROBABILITIES)
    slack = ERRORS * np.sqrt(2 * level * (1 - level) / DRAWS)
    below, upto = (
        np.stack([np.searchsorted(cell, q, side) for cell, q in zip(sample, found.quantiles.T, strict=True)]) / DRAWS
        for side in ("left", "right")
    )
    assert np.all(below - slack <= level)
    assert np.all(level <= upto + slack)
    light = ((sample - mean[:, None]) ** 4).mean(axis=1) < 8 * sd**4
    np.testing.assert_allclose(found.sd[light], sd[light], rtol=ERRORS * np.sqrt(8 / 4 * 2 / DRAWS))
