"""The shipped scenarios: each moves what its story says, in the draws it shares with base, and leaves the past alone.

Differences are paired: the same draw under both books. An effect must lie ten standard errors from nothing: with 1,024
draws a mean of a third of the differences' spread passes, and a scenario whose lever is not connected never does.
"""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim import draws, engine, forecast, simulate
from sim.book.load import priors_folder
from sim.cells import tables
from tests.cells import cells

SEED = 11
DRAWS = 1024
SURE = 10
"""Standard errors between a paired mean and nothing."""
ROUNDING = 1e-5
"""Relative, as in MODEL.md's invariants."""
FORECAST = ("2026", "2027", "2028", "2029", "2030")
KNOWN = ("2022", "2023", "2024", "2025")
CUSTOM = ("google_tpu", "amazon_trainium", "microsoft_maia", "meta_mtia")
CHINESE = ("huawei_ascend", "other_china")
SCENARIOS = (
    "brute_force",
    "custom_silicon",
    "digestion_2026",
    "efficiency_shock",
    "efficiency_shock_no_jevons",
    "export_controls",
    "generative_recommenders",
    "macro_shock_2009",
    "supply_crunch",
)
BOTH = ("efficiency_shock", "custom_silicon")


@functools.partial(jax.jit, static_argnames="layout")
def drawn(layout, keys, numbers, low):
    """Values of a block, as the engine draws them."""
    return draws.values(layout, numbers, draws.normals(keys, jnp.asarray(numbers.elements), low, DRAWS, np.float32))


@functools.partial(jax.jit, static_argnames=("structure", "shapes"))
def stepped(structure, shapes, values, forcing):
    """The engine's trajectory apart from its draws: compiled once, since only those differ between scenarios."""
    return simulate.trajectory(structure, engine.named(values, shapes), forcing)


def flows(world, values):
    """Yearly values by output [axis, year, draw], totals among them, of beliefs that may have been changed by hand."""
    found = stepped(world.structure, tuple(world.shapes.items()), values, simulate.forcing_of(world, np.float32))
    made = cells(world, {name: np.asarray(flow) for name, flow in found._asdict().items()}, values)
    return {name: values for (period, name), values in made.items() if period == "year"}


@functools.cache
def simulated(*names):
    """A world of scenarios laid one after another, its values and its yearly outputs."""
    world = forecast.load(list(names))
    plan = draws.plan(world.entries, *world.book.correlation)
    values = np.asarray(drawn(plan.layout, draws.keys(plan.streams, SEED), plan.numbers, np.uint32(0)))
    return SimpleNamespace(world=world, values=values, cells=flows(world, values), tables=tables(world))


@pytest.fixture(scope="module")
def base():
    return simulated("base")


@pytest.fixture(scope="module", autouse=True)
def _let_go():
    """Give the memory back when the file is done."""
    yield
    simulated.cache_clear()


def get(run, name, label, year):
    """One output of every draw [draw]."""
    table = run.tables["year", name]
    return run.cells[name][table.labels.index(label), table.periods.index(year)].astype(np.float64)


def sigma(difference):
    """Mean of paired differences in standard errors."""
    return difference.mean() / (difference.std() / np.sqrt(len(difference)))


def share(part):
    """Part of the draws in which something holds."""
    return np.mean(part)


def of_custom(run, name, year):
    return sum(get(run, name, supplier, year) for supplier in CUSTOM)


def changed(world, base):
    """Entries (stream, element) whose distribution is not the base book's."""
    before = {entry[:2]: entry.distribution for entry in base.world.entries}
    return {entry[:2] for entry in world.entries if before[entry[:2]] != entry.distribution}


def growth(run, year):
    """Growth of the four's capital expenditure on the year before."""
    return get(run, "capex", "reported", year) / get(run, "capex", "reported", str(int(year) - 1)) - 1


def test_scenarios__are_all_listed_here():
    """A scenario nobody tests is one nobody has looked at."""
    assert {path.stem for path in (priors_folder() / "scenarios").glob("*.yaml")} == set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario__is_a_small_overlay_with_its_reasoning(name, base):
    """Forty words of why, and few enough changed priors that a reader can hold them all; grounds the loader checks."""
    run = simulated(name)
    assert run.world.book.name == name
    assert len(run.world.book.about.split()) >= 40
    priors = {stream.partition("[")[0] for stream, _ in changed(run.world, base)}
    assert 1 <= len(priors) <= 5
    for prior in priors:
        of_base = base.world.book.priors[prior]
        of_scenario = run.world.book.priors[prior]
        assert of_scenario.reasoning != of_base.reasoning
        assert of_scenario.source != of_base.source


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario__shares_its_random_numbers_with_base(name, base):
    """Every prior it does not touch has the same bits, whatever else is drawn beside it; those it touches have not."""
    run = simulated(name)
    new = changed(run.world, base)
    touched = np.array([entry[:2] in new for entry in run.world.entries])
    assert [entry[:2] for entry in run.world.entries] == [entry[:2] for entry in base.world.entries]
    np.testing.assert_array_equal(run.values[~touched], base.values[~touched])
    assert np.all((run.values[touched] != base.values[touched]).any(axis=1))


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario__leaves_the_past_as_it_was(name, base):
    """What was spent, sold, shipped to whom and installed up to 2025, bit for bit: its story is one of the future."""
    run = simulated(name)
    years = [base.world.book.axes["year"].index(year) for year in KNOWN]
    for output in ("revenue", "units", "h100e", "capex", "accelerator_spend", "pair_h100e", "installed", "power"):
        np.testing.assert_array_equal(run.cells[output][:, years], base.cells[output][:, years], err_msg=output)


@pytest.mark.parametrize("year", ["2024", "2025"])
def test_coverage__counts_more_than_a_third_of_what_was_installed(base, year):
    """Raw need from users, tokens and training runs over the installed base: its P95 must pass a third.

    Below that the three workloads, counted bottom-up, could not account for the machines that were bought, by the
    widest of our own beliefs. A slip of a power of ten in one workload shows; a factor of two does not.
    """
    low, middle, high = np.quantile(get(base, "coverage", "total", year), (0.05, 0.5, 0.95))
    print(f"coverage of {year}: P5 {low:.2f}, median {middle:.2f}, P95 {high:.2f}")
    assert 1 / 3 < high < 10
    assert 0.02 < low < middle < high


def test_efficiency_without_jevons__never_raises_need(base):
    """With elasticity 0 the step lowers need in every draw, buyer and forecast year: load falls by exp(-step).

    Beside the same draw without the step, everything else equal. A buyer without assistants or training would stay
    where it was; all have some.
    """
    run = simulated("efficiency_shock_no_jevons")
    kept = np.array([not entry.stream.startswith("efficiency_step") for entry in run.world.entries])
    without = flows(run.world, np.where(kept[:, None], run.values, np.float32(0)))
    ahead = [run.world.book.axes["year"].index(year) for year in FORECAST]
    need, need_without = run.cells["need"][:, ahead], without["need"][:, ahead]
    assert np.all(need <= need_without * (1 + ROUNDING))
    assert share(need < need_without * (1 - ROUNDING)) > 0.99
    for year in FORECAST:
        lower = get(run, "need", "total", year) < get(base, "need", "total", year)
        assert share(lower) > 0.98, year


@pytest.mark.parametrize("year", FORECAST)
def test_efficiency_with_jevons__can_go_either_way(base, year):
    """Elasticities whose medians lie just under 1 leave the sign of the step open, in every year."""
    up = share(get(simulated("efficiency_shock"), "need", "total", year) > get(base, "need", "total", year))
    assert 0.02 < up < 0.98
    assert up < 0.5  # just under 1, not above


def test_efficiency_step__leaves_load_where_elasticity_is_one(base):
    """Load changes by exp((elasticity - 1) step): need rises where both elasticities pass 1, and falls below it."""
    run = simulated("efficiency_shock")
    streams = [entry.stream for entry in run.world.entries]
    training, assistant = (run.values[streams.index(f"elasticity[{w}]")] for w in ("training", "assistant"))
    change = get(run, "need", "total", "2028") / get(base, "need", "total", "2028")
    above, below = (training > 1) & (assistant > 1), (training < 1) & (assistant < 1)
    assert min(above.sum(), below.sum()) > 20
    assert np.all(change[above] > 1)
    assert np.all(change[below] < 1)


@pytest.mark.parametrize("year", ["2027", "2028"])
def test_supply_crunch__makes_supply_bind(base, year):
    """Less can be made: supply binds more often, less compute ships, and need, which asks nobody, stays as it was."""
    run = simulated("supply_crunch")
    more = get(run, "binding", "supply", year) - get(base, "binding", "supply", year)
    assert sigma(more) > SURE
    assert more.mean() > 0.1
    shipped = get(run, "h100e", "total", year) - get(base, "h100e", "total", year)
    assert sigma(shipped) < -SURE
    assert share(shipped < 0) > 0.8
    np.testing.assert_array_equal(get(run, "need", "total", year), get(base, "need", "total", year))


def test_digestion__lowers_revenue_of_2027(base):
    """NVIDIA's and everyone's, in nine draws of ten: a weak wave may go unnoticed where supply binds."""
    run = simulated("digestion_2026")
    for supplier in ("nvidia", "total"):
        less = get(run, "revenue", supplier, "2027") - get(base, "revenue", supplier, "2027")
        assert sigma(less) < -SURE, supplier
        assert share(less < 0) >= 0.9, supplier


def test_digestion__is_a_trough_like_2019_and_2023(base):
    """Growth of the four's capex was +0.3 % in 2019 and -2.2 % in 2023 (HT24): the median of 2027 lies near that.

    What companies have guided for 2026 stays: of the four only Microsoft, which guides no calendar year, may move.
    """
    run = simulated("digestion_2026")
    assert abs(np.median(growth(run, "2027"))) < 0.1
    assert np.median(growth(base, "2027")) > 0.15
    for buyer in ("alphabet", "amazon", "meta"):
        np.testing.assert_array_equal(get(run, "capex", buyer, "2026"), get(base, "capex", buyer, "2026"))
    assert sigma(get(run, "capex", "microsoft", "2026") - get(base, "capex", "microsoft", "2026")) < -SURE


def test_macro_shock__is_as_deep_as_2009(base):
    """The four's capex fell by 43.9 % in 2009 (HT24's levels): the median of the shock's year within 8 points."""
    run = simulated("macro_shock_2009")
    assert -0.52 < np.median(growth(run, "2028")) < -0.36
    for year in ("2026", "2027"):
        np.testing.assert_array_equal(get(run, "revenue", "total", year), get(base, "revenue", "total", year))
    less = get(run, "revenue", "total", "2028") - get(base, "revenue", "total", "2028")
    assert sigma(less) < -SURE
    assert share(less < 0) > 0.98


def test_macro_shock__is_followed_by_a_wide_rebound(base):
    """2010 grew by 113 %: the median of 2029 is most of that, the band holds it, and the level stays below base's."""
    run = simulated("macro_shock_2009")
    low, middle, high = np.quantile(growth(run, "2029"), (0.05, 0.5, 0.95))
    assert 0.4 < middle < 1.13 < high
    assert low < 0.3
    back = get(run, "capex", "reported", "2029") / get(base, "capex", "reported", "2029")
    assert 0.55 < np.median(back) < 0.9


@pytest.mark.parametrize("year", ["2028", "2029", "2030"])
@pytest.mark.parametrize("output", ["revenue", "h100e"])
def test_custom_silicon__takes_from_nvidia(base, output, year):
    """NVIDIA sells less, and Google's, Amazon's, Microsoft's and Meta's own chips are made as well as ordered.

    Money moves, it is not made: total revenue changes by less than NVIDIA loses.
    """
    run = simulated("custom_silicon")
    lost = get(run, output, "nvidia", year) - get(base, output, "nvidia", year)
    won = of_custom(run, output, year) - of_custom(base, output, year)
    assert sigma(lost) < -SURE
    assert sigma(won) > SURE
    assert share(lost < 0) > 0.95
    assert share(won > 0) > 0.95
    if output == "revenue":
        all_of_it = get(run, output, "total", year) - get(base, output, "total", year)
        assert abs(all_of_it.mean()) < 0.5 * abs(lost.mean())


@pytest.mark.parametrize("year", ["2027", "2028", "2030"])
def test_export_controls__close_china_to_nvidia(base, year):
    """NVIDIA's sales to China fall to a small fraction, and China's own stack does not make up for it."""
    run = simulated("export_controls")
    for pair in ("china/nvidia", "china/amd"):
        left = get(run, "pair_h100e", pair, year) / get(base, "pair_h100e", pair, year)
        assert np.median(left) < 0.15, pair
        assert np.quantile(left, 0.95) < 0.4, pair
    assert sigma(get(run, "buyer_h100e", "china", year) - get(base, "buyer_h100e", "china", year)) < -SURE
    own = (sum(get(each, "h100e", supplier, year) for supplier in CHINESE) for each in (run, base))
    assert np.median(np.divide(*own)) < 1


@pytest.mark.parametrize("year", FORECAST)
def test_generative_recommenders__raise_need_of_those_who_rank(base, year):
    """Need rises wherever there are users to rank for, and not at Oracle or neoclouds, who rent machines out."""
    run = simulated("generative_recommenders")
    for buyer in ("alphabet", "amazon", "meta", "china", "total"):
        ratio = get(run, "need", buyer, year) / get(base, "need", buyer, year)
        assert share(ratio > 1) > 0.9, buyer
        assert np.median(ratio) > 1, buyer
    assert share(ratio > 1) > 0.95
    assert np.median(ratio) > 1.1
    for buyer in ("oracle", "neocloud"):
        np.testing.assert_array_equal(get(run, "need", buyer, year), get(base, "need", buyer, year))


def test_brute_force__raises_need_and_revenue(base):
    """More is needed and, since budgets follow, more is sold by 2030, if far less than need alone would ask for."""
    run = simulated("brute_force")
    ratios = {}
    for output in ("need", "revenue"):
        more = get(run, output, "total", "2030") - get(base, output, "total", "2030")
        assert sigma(more) > SURE, output
        assert share(more > 0) > 0.95, output
        ratios[output] = np.median(get(run, output, "total", "2030") / get(base, output, "total", "2030"))
    assert 1.05 < ratios["revenue"] < ratios["need"]


def test_scenarios__compose(base):
    """The efficiency shock with custom silicon: need is that of the first, shares move as the second has it."""
    both, shock, custom = simulated(*BOTH), simulated(BOTH[0]), simulated(BOTH[1])
    assert both.world.book.name == "+".join(BOTH)
    assert changed(both.world, base) == changed(shock.world, base) | changed(custom.world, base)
    for year in ("2028", "2030"):
        np.testing.assert_array_equal(get(both, "need", "total", year), get(shock, "need", "total", year))
        assert share(get(both, "need", "total", year) != get(base, "need", "total", year)) > 0.99
        for alone in (base, shock):
            lost = get(both, "revenue_share", "nvidia", year) - get(alone, "revenue_share", "nvidia", year)
            assert sigma(lost) < -SURE
