"""The engine against an independent model and sampler (``oracle``), and what that comparison can see."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim import draws as sampling
from sim import forecast, simulate
from sim.axes import OUTPUTS
from sim.book.load import priors_folder
from tests import oracle

VINTAGES = ("2024-09-01",)
"""One earlier book, for each compiles a program of its own: its guided year is half reported."""
SAMPLED = ("base", "generative_recommenders", *VINTAGES)
"""Worlds whose beliefs are drawn by both samplers."""
SCENARIOS = sorted(path.stem for path in (priors_folder() / "scenarios").glob("*.yaml"))
DRAWS, SEED = 1024, 11
FEW = 128
"""Draws in which a planted bug is looked for."""
CATEGORICAL = ("bound_h100e", "bound_buyers")
TOLERANCE = {np.float64: 1e-9, np.float32: 1e-4}
NEAR = {np.float64: 1e-8, np.float32: 1e-3}
"""Log distance from another constraint within which rounding may name that one."""
ULP = 2.0**-23
ROUNDINGS = 3
"""In float32 a draw may also be off by what so many units in the last place of its beliefs do to it."""
BEYOND = 0.05
"""Share of an output's cells that may need this allowance."""
VINTAGE_SLACK = 100
"""What float64 may lose more in an earlier book, where one draw wants almost nothing: a difference of large numbers."""
LOUD = 0.01
"""Least relative difference that a planted bug must make."""


TRAJECTORY = jax.jit(simulate.trajectory, static_argnums=0)
"""The engine's path of a structure: compiled once for all worlds that share it."""


def beliefs_of(world, values):
    """Values [entry, draw] of a block as beliefs by name [*dims, draw], in float64."""
    rows = iter(values)
    found = {name: np.empty((*shape, values.shape[1])) for name, shape in world.shapes.items()}
    for name, prior in ((name, world.book.priors[name]) for name in found if name in world.book.priors):
        for labels in prior.table:
            found[name][oracle.place_of(world.book, prior.dims, labels)] = next(rows)
    return found


def draw(world, dtype):
    """The engine's own beliefs of the first draws."""
    plan = sampling.plan(world.entries, *world.book.correlation)
    with jax.enable_x64(dtype is np.float64):
        keys = sampling.keys(plan.streams, SEED)
        z = sampling.normals(keys, plan.numbers.elements, np.uint32(0), DRAWS, dtype)
        return beliefs_of(world, np.asarray(sampling.values(plan.layout, plan.numbers, z)))


def run_engine(world, dtype):
    """Flows of the first draws, and the engine's own beliefs behind them."""
    beliefs = draw(world, dtype)
    with jax.enable_x64(dtype is np.float64):
        held = {name: jnp.asarray(rows, dtype) for name, rows in beliefs.items()}
        flows = jax.device_get(TRAJECTORY(world.structure, held, simulate.forcing_of(world, dtype)))._asdict()
    assert {flow.dtype for flow in flows.values()} == {np.dtype(dtype)}
    return SimpleNamespace(world=world, dtype=dtype, flows=flows, beliefs=beliefs)


@pytest.fixture(scope="module", params=("base", *VINTAGES, *SCENARIOS))
def world(request):
    return forecast.load(request.param)


@pytest.fixture(scope="module")
def in_double(world):
    return run_engine(world, np.float64)


@pytest.fixture(scope="module", params=("base", *SCENARIOS))
def in_single(request):
    return run_engine(forecast.load(request.param), np.float32)


def off(expected, found, handover):
    """By output: differences [time, axis, draw] over the value or, where larger, over its row's median."""
    worst = {}
    for name, values in expected.items():
        first = handover + 1 if OUTPUTS[name].forecast_only else 0
        size = np.abs(values[first:])
        usual = [np.median(row[row > 0]) if row.any() else np.inf for row in np.moveaxis(size, 1, 0)]
        worst[name] = np.abs(found[name] - values)[first:] / np.maximum(size, np.array(usual)[:, None])
    return worst


def engine_off(run, model):
    """How far the engine is from the oracle, by output, where rounding decides no category."""
    apart = oracle.margin(model)[model.h + 1 :].min(axis=1) > NEAR[run.dtype]
    assert np.mean(apart) > 0.9
    differ = off(oracle.outputs(model), run.flows, model.h)
    return differ | {name: differ[name] * apart[:, None] for name in CATEGORICAL}


def test_oracle__agrees_in_float64(in_double):
    model = oracle.path(in_double.world, in_double.beliefs)
    worst = {name: values.max() for name, values in engine_off(in_double, model).items()}
    allowed = TOLERANCE[np.float64] * (VINTAGE_SLACK if in_double.world.book.name in VINTAGES else 1)
    assert not {name: value for name, value in worst.items() if value > allowed}


def rounded(beliefs):
    """Beliefs with every value one unit in the last place of float32 off, up or down."""
    sign = np.random.default_rng(0)
    return {name: rows * (1 + ULP * sign.choice([-1, 1], size=rows.shape)) for name, rows in beliefs.items()}


def test_oracle__agrees_in_float32(in_single):
    """What is wanted is a difference of two large numbers, so a few cells keep fewer digits than their beliefs have.

    In the base book those stay within what rounding the beliefs does to the oracle itself.
    """
    model = oracle.path(in_single.world, in_single.beliefs)
    differ = engine_off(in_single, model)
    assert {name: np.mean(each > TOLERANCE[np.float32]) < BEYOND for name, each in differ.items()} == dict.fromkeys(
        differ, True
    )
    if in_single.world.book.name != "base":
        return
    nudged = off(oracle.outputs(model), oracle.simulate(in_single.world, rounded(in_single.beliefs)), model.h)
    for name, each in differ.items():
        allowed = TOLERANCE[np.float32] + ROUNDINGS * nudged[name].max(axis=(0, 1))
        assert np.all(each.max(axis=(0, 1)) <= allowed), name


@pytest.mark.parametrize("name", SAMPLED)
def test_values__agree_end_to_end(name):
    world = forecast.load(name)
    expected = oracle.values(world, SEED, DRAWS)
    found = draw(world, np.float64)
    for prior, values in expected.items():
        scale = np.maximum(np.abs(values), values.std(axis=-1, keepdims=True))
        assert np.all(np.abs(found[prior] - values) <= TOLERANCE[np.float32] * scale), prior


def without_pue(function):
    def planted(m, b, t):
        function(m, b, t)
        m.power[b, t] = m.power[b, t] / m("pue")

    return planted


def own_common_shock(function):
    def planted(m, b, t):
        common = oracle.common_shock(m, t)
        return function(m, b, t) + (np.roll(common, m.place["buyer"][b]) - common) * m.timing(t)

    return planted


def spilled_to_itself(function):
    def planted(m, b, t):
        function(m, b, t)
        m.received.update({(p, t): m.spilled[p, t] for p in m.of_buyer[b]})

    return planted


BUGS = {
    "capex a quarter early": ("led", lambda f: lambda m, b, t: f(m, b, max(t - 1, 0))),
    "shock of the year before": ("common_shock", lambda f: lambda m, t: f(m, t - 4)),
    "training in PFLOP": ("load_now", lambda f: lambda m, w, b: f(m, w, b) / (1000 if w == "training" else 1)),
    "successors' memory in TB": (
        "chip_facts",
        lambda f: (
            lambda m: {k: v / 1000 if k[0] == "memory" and m.spec.chips[k[1]].follows else v for k, v in f(m).items()}
        ),
    ),
    "cancelled orders still wait": ("next_backlog", lambda f: lambda m, p, t: f(m, p, t) + m.cancelled[p, t]),
    "shares not normalised": ("softmax", lambda f: lambda weights: [np.exp(weight - 1) for weight in weights]),
    "retired before delivered": (
        "age",
        lambda f: (
            lambda m, measure, b, t, shipped: f(m, measure, b, t, shipped * (1 - np.minimum(1, 1 / m("lifetime"))))
        ),
    ),
    "dies counted as packages": (
        "chip_price",
        lambda f: lambda m, facts, k, year: f(m, facts, k, year) / (2 if k == "b200" else 1),
    ),
    "cancelled before shipped": (
        "unfilled",
        lambda f: lambda m, p, t, waiting: f(m, p, t, waiting * (1 - m.open[p[1], t] * m("cancellation"))),
    ),
    "prices rise": (
        "chip_price",
        lambda f: lambda m, facts, k, year: facts["price", k] ** 2 / f(m, facts, k, year),
    ),
    "guidance not bridged": (
        "guided_total",
        lambda f: lambda m, b: f(m, b) / m("guidance_bridge", b),
    ),
    "common shock not common": ("log_growth", own_common_shock),
    "need of today, not of plan": ("planned_need", lambda f: lambda m, b, t: oracle.need(m, b, m.tau(t))),
    "power without PUE": ("received", without_pue),
    "spill sent to itself": ("replace_orders", spilled_to_itself),
    "attach counted twice": ("attached", lambda f: lambda m, s, t: 1 - (1 - f(m, s, t)) ** 2),
    "elasticity with the wrong sign": (
        "jevons",
        lambda f: lambda m, w, tau: (-m("elasticity", w) - 1) * oracle.efficiency(m, w, tau),
    ),
    "pressure ignored": ("answer", lambda f: lambda m, s, t: 0),
    "no limit to spending": ("borne", lambda f: lambda intended, limit, reach: intended),
}
"""By kind of bug: the oracle's function it is planted in, and what it makes of that function."""


@pytest.fixture(scope="module")
def few():
    """The first draws of base in float64."""
    run = run_engine(forecast.load("base"), np.float64)
    flows = {name: flow[..., :FEW] for name, flow in run.flows.items()}
    return SimpleNamespace(
        world=run.world, dtype=run.dtype, flows=flows, beliefs={k: v[..., :FEW] for k, v in run.beliefs.items()}
    )


@pytest.mark.parametrize("bug", BUGS)
def test_comparison__sees_a_planted_bug(bug, few, monkeypatch):
    name, plant = BUGS[bug]
    monkeypatch.setattr(oracle, name, plant(getattr(oracle, name)))
    differ = engine_off(few, oracle.path(few.world, few.beliefs))
    assert max(values.max() for values in differ.values()) > LOUD
