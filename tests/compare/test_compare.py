"""Worlds beside each other, draw by draw: exact zeros, exact sums, and each prior's part against a run of its own."""

import io
import json
import math
import re
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

import sim
from sim import address, compare, devices, store
from sim.axes import INPUTS
from sim.book.schema import Recipe
from sim.compare import Step, Waterfall, waterfall
from sim.engine import Engine
from sim.errors import BookError
from sim.forecast import question
from sim.headline import figure
from sim.origin import names

DRAWS = 512
POWER, REVENUE, PAST = "power[total,2027]", "revenue[nvidia,2027]", "h100e[nvidia,2024]"


def cells(world, seed=0):
    """All cells of the draws that are compared, from a run of the world alone."""
    engine = Engine(world, seed, devices.mesh("cpu"))
    return np.concatenate([made for _, made in engine.cells_of(engine.blocks_of(0, DRAWS), DRAWS)], axis=1)


@pytest.fixture(scope="module")
def dearer(base_world, altered):
    """The base world with dearer chips, other buildings, wider drifts of spending."""
    world = altered[0](base_world, "price", lambda labels, d: d.scaled(1.25))
    world = altered[0](world, "pue", lambda labels, d: d.scaled(1.5))
    return altered[0](world, "spending_drift", lambda labels, d: d.scaled(1.1))


@pytest.fixture(scope="module")
def seen():
    """What was told of the progress of ``found``."""
    return []


@pytest.fixture(scope="module")
def found(base_world, dearer, seen):
    cells_ = [POWER, REVENUE, PAST, "capex[reported,2027]"]
    return compare.compare([base_world, dearer], of=cells_, draws=DRAWS, progress=seen.append)


@pytest.fixture(scope="module")
def drawn(base_world, dearer):
    return cells(base_world), cells(dearer)


def of(rows, cell):
    (row,) = [row for row in rows if row.cell == cell]
    return row


def test_compare__a_world_with_itself_is_exactly_0_everywhere(base_world):
    same = compare.compare([base_world, base_world], draws=DRAWS)
    assert same.beliefs == ((),)
    assert len(same.differences) == 11 * 5
    for row in same.differences:
        assert row.same
        assert (row.mean, row.mean_error, row.p05, row.p50, row.p95, row.higher, row.lower) == (0,) * 7
        assert row.ratio in (None, (1, 1, 1))
    assert [(each.steps, each.none, each.mean[0] == each.mean[1]) for each in same.waterfalls] == [((), "", True)] * 4
    assert len(set(same.names)) == 2


def test_differences__are_those_of_the_draws(found, drawn, base_world):
    for row in found.differences:
        place = address.parse(base_world, row.cell).place
        old, new = (each[place].astype(np.float64) for each in drawn)
        np.testing.assert_allclose([row.p05, row.p50, row.p95], np.quantile(new - old, [0.05, 0.5, 0.95]))
        assert row.mean == pytest.approx(np.mean(new) - np.mean(old), abs=1e-9)
        assert row.mean_error == pytest.approx(np.std(new - old) / math.sqrt(DRAWS))
        assert (row.higher, row.lower) == (np.mean(new > old), np.mean(new < old))
        assert row.equal == pytest.approx(1 - row.higher - row.lower)
        assert row.medians == (np.median(old), np.median(new))
        if row.ratio is not None:
            np.testing.assert_allclose(row.ratio, np.quantile(new / old, [0.05, 0.5, 0.95]))


def test_differences__dearer_chips_are_fewer_by_as_much(found):
    """What was sold is known in dollars: all prices times 1.25, units in every draw over 1.25."""
    row = of(found.differences, PAST)
    np.testing.assert_allclose(row.ratio, 1 / 1.25, rtol=1e-5)
    assert (row.higher, row.equal, row.lower) == (0, 0, 1)


def test_differences__only_what_a_prior_reaches_moves(base_world, altered):
    """Losses of buildings multiply the power drawn, and nothing else of what is compared."""
    hot = altered[0](base_world, "pue", lambda labels, d: d.scaled(1.5))
    told = compare.compare([base_world, hot], of=[POWER], draws=DRAWS)
    assert {row.cell for row in told.differences if not row.same} == {POWER}
    np.testing.assert_allclose(of(told.differences, POWER).ratio, 1.5, rtol=1e-5)
    (only,) = told.waterfalls
    assert [step.name for step in only.steps] == ["pue"]
    assert only.steps[0].mean == only.mean[1] - only.mean[0]


def test_waterfall__steps_come_in_the_order_of_the_inputs_and_add_up(found):
    names = [name for name in INPUTS if name in ("price", "pue", "spending_drift")]
    assert names != sorted(names)
    for each in found.waterfalls:
        assert [step.name for step in each.steps] == names
        for which, ends in (("mean", each.mean), ("median", each.median)):
            whole = math.fsum(getattr(step, which) for step in each.steps)
            assert whole == pytest.approx(ends[1] - ends[0], rel=1e-12, abs=1e-12 * abs(ends[0]))


def test_waterfall__priors_that_do_not_reach_a_cell_do_exactly_nothing(found):
    idle = {
        POWER: set(),
        REVENUE: {"pue"},
        PAST: {"pue", "spending_drift"},
        "capex[reported,2027]": {"pue"},
    }
    for each in found.waterfalls:
        nothing = {s.name for s in each.steps if (s.mean, s.mean_error, s.median, s.median_error) == (0, 0, 0, 0)}
        assert nothing == idle[each.cell], each.cell


def test_paths__each_step_is_a_run_with_those_priors_set(base_world):
    """Bit for bit, in every cell: rows exchanged, against a book loaded with the same values overridden."""
    changes = {"capex_drift.p95": 0.45, "price.b200.p90": 50}
    second = sim.load("base", overrides=changes)
    assert waterfall.steps(base_world, second) == [path.partition(".")[0] for path in changes]
    engines = [Engine(world, 0, devices.mesh("cpu")) for world in (base_world, second)]
    (path,) = waterfall.paths(*engines, range(len(cells(base_world))), DRAWS, lambda done: None)
    own = sim.load("base", overrides={"capex_drift.p95": 0.45})
    np.testing.assert_array_equal(path[0], cells(own))


def test_paths__correlations_come_first(base_world, dearer, altered):
    """The first step is a run of the first book under the second's correlations."""
    loose = {pair: rho / 2 for pair, rho in base_world.book.correlated.items()}
    second = altered[1](dearer, correlated=loose)
    assert waterfall.steps(base_world, second) == ["correlations", "spending_drift", "price", "pue"]
    engines = [Engine(world, 0, devices.mesh("cpu")) for world in (base_world, second)]
    (path,) = waterfall.paths(*engines, range(len(cells(base_world))), DRAWS, lambda done: None)
    np.testing.assert_array_equal(path[0], cells(altered[1](base_world, correlated=loose)))
    assert not np.array_equal(path[0], cells(base_world), equal_nan=True)


def test_paths__a_correlated_prior_that_becomes_known_leaves_no_rest(base_world, altered):
    """A fixed value has no part in a copula: the others of its group are mixed otherwise, and the end is still B."""
    pair = next(iter(base_world.book.correlated))
    name, label = pair[0].rstrip("]").split("[")
    fixed = sim.distributions.Fixed(family="fixed", value=1.0)
    second = altered[0](base_world, name, lambda labels, d: fixed if ",".join(labels) == label else d)
    assert waterfall.steps(base_world, second)[0] == "correlations"
    told = compare.compare([base_world, second], of=[REVENUE], draws=DRAWS)
    (each,) = told.waterfalls
    assert math.fsum(step.mean for step in each.steps) == pytest.approx(each.mean[1] - each.mean[0])


def test_step__errors_are_the_spread_of_the_paired_difference():
    """A shift is known exactly; noise of sd 1 on top has its own error, as far as 32 batches tell it for the median."""
    random = np.random.default_rng(3)
    before = random.normal(100, 50, 20_000)
    (shift,) = waterfall.taken_apart(("a", "b"), Cell(), ["p"], np.stack([before, before + 7])).steps
    assert (shift.mean, shift.median) == pytest.approx((7, 7))
    assert max(shift.mean_error, shift.median_error) < 1e-12
    noisy = np.stack([before, before + random.normal(0, 1, 20_000)])
    (noise,) = waterfall.taken_apart(("a", "b"), Cell(), ["p"], noisy).steps
    assert noise.mean_error == pytest.approx(1 / math.sqrt(20_000), rel=0.03)
    assert abs(noise.mean) < 5 * noise.mean_error
    again = [np.random.default_rng(seed) for seed in range(40)]
    pairs = [(r.normal(100, 50, 2_000), r.normal(0, 30, 2_000)) for r in again]
    steps = [waterfall.taken_apart(("a", "b"), Cell(), ["p"], np.stack([a, a + b])).steps[0] for a, b in pairs]
    true = np.std([step.median for step in steps])
    assert np.mean([step.median_error for step in steps]) == pytest.approx(true, rel=0.35)


class Cell:
    """What a waterfall asks of a cell."""

    class declared:
        unit, long_name = "bn USD", "revenue"


def test_waterfall__takes_the_draws_that_all_steps_have():
    path = np.tile([[1, 2, np.nan, 4], [2, 3, 4, np.nan], [3, 4, 5, 6]], 32)
    found = waterfall.taken_apart(("a", "b"), Cell(), ["p", "q"], path)
    assert (found.draws, found.mean, found.median) == (64, (1.5, 3.5), (1.5, 3.5))
    assert [step.mean for step in found.steps] == [1, 1]
    nothing = waterfall.taken_apart(("a", "b"), Cell(), ["p", "q"], path[:, :-4])
    assert (nothing.steps, nothing.mean, nothing.none) == ((), None, "only 62 draws have it in both worlds")


# --- worlds of other structure ----------------------------------------------------------------------------------------


def test_unlike__says_why_priors_cannot_be_exchanged(base_world, old, altered):
    assert waterfall.unlike(base_world, altered[0](base_world, "pue", lambda labels, d: d.scaled(1.5))) == ""
    assert "buyers, suppliers, chips" in waterfall.unlike(base_world, old)


def test_compare__of_vintages_has_differences_of_what_both_have_and_no_steps(base_world, old, monkeypatch):
    """Cells are told by their place here: so the right ones of either world are held against each other."""

    def cells_of(engine, blocks, last):
        count = 4000
        return iter([(0, np.repeat(np.arange(count, dtype=np.float32)[:, None], last, axis=1))])

    monkeypatch.setattr(Engine, "cells_of", cells_of)
    found = compare.compare([old, base_world], of=[REVENUE], draws=256)
    assert found.as_of == ("2024-05-27", "2026-02-28")
    cells_ = [row.cell for row in found.differences]
    assert len(set(cells_)) == len(cells_)
    assert {f"revenue[nvidia,{year}]" for year in range(2024, 2031)} <= set(cells_)
    assert "need[total,2025]" not in cells_  # the newer book says nothing of it
    for row in found.differences:
        places = [address.parse(world, row.cell).place for world in (old, base_world)]
        assert row.p50 == places[1] - places[0]
    (each,) = found.waterfalls
    assert (each.steps, "differ in buyers" in each.none) == ((), True)
    assert each.mean == tuple(address.parse(world, REVENUE).place for world in (old, base_world))


# --- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"draws": 255}, "compare-draws"), ({"of": ["revenu[nvidia,2027]"]}, "cell-output"), ({}, "compare-one")],
)
def test_compare__refuses(base_world, nothing_simulated, asked, code):
    with pytest.raises(BookError) as caught:
        compare.compare([base_world] * (2 if asked else 1), **asked)
    assert caught.value.code == code


@pytest.fixture
def stored(base_world, tmp_path, monkeypatch):
    """A folder that reads as a run of the base book, seed 7."""
    record = store.run_record(question.ask(base_world, seed=7).record)
    monkeypatch.setattr(store, "read_record", lambda folder: json.loads(json.dumps(record)))
    monkeypatch.setattr(store, "read_commit", lambda folder: SimpleNamespace(draws=SimpleNamespace(done=DRAWS)))
    (tmp_path / store.COMMIT).touch()
    return tmp_path


def test_names__tell_worlds_apart(base_world, altered):
    values = {"pue.max": 1.6, "price.b200.p90": 50, "horizon": "2029Q4"}
    set_ = altered[1](base_world, recipe=Recipe(names=("base",), overrides=values))
    named = names([base_world, set_, base_world])
    assert named[0] != named[2]
    assert named[1].startswith("base, pue.max=1.6, price.b200.p90=50, and 1 more")
    assert names([base_world, set_])[0] == "base"


def test_progress__counts_to_the_draws(found, seen):
    assert seen[-1] == found.draws == DRAWS
    assert len(seen) > 4
    assert all(a <= b for a, b in pairwise(seen))


def test_command__prints_and_gives_json(chipcast, stored, tmp_path):
    asked = ("compare", stored, "base", "--of", POWER, "--draws", 256)
    ended = chipcast(*asked)
    assert ended.code == 0, ended.err
    assert "no belief differs" in ended.out
    assert "exactly the same in every draw: revenue[nvidia], " in ended.out
    assert "256 draws, seed 7" in ended.out
    (tmp_path / "hot.yaml").write_text("set: {pue.max: 1.6}\n", encoding="utf-8")
    told = json.loads(chipcast("compare", "base", "hot.yaml", "--of", POWER, "--draws", 256, "--json").out)
    assert list(told) == ["names", "draws", "seed", "as_of", "beliefs", "differences", "waterfalls"]
    assert told["names"] == ["base", "hot"]
    assert [each["name"] for each in told["beliefs"][0]] == ["pue"]
    assert told["beliefs"][0][0]["after"]["p95"] > told["beliefs"][0][0]["before"]["p95"]
    (each,) = told["waterfalls"]
    assert [step["name"] for step in each["steps"]] == ["pue"]


def shown(comparison):
    console = Console(file=io.StringIO(), width=120, highlight=False)
    console.print(compare.page(comparison))
    return console.file.getvalue()


def test_page__shows_the_figures_that_were_found(found):
    text = shown(found)
    assert re.search(r"\n  pue: median [\d.]+ -> [\d.]+ \(\+50 %\), P5-P95 ", text)
    row = of(found.differences, REVENUE)
    line = text[text.index("revenue[nvidia] bn USD") :].splitlines()[3]
    figures = (*row.medians, row.p05, row.p50, row.p95, row.mean)
    assert line.split()[:7] == ["2027", *(figure(value, "bn USD") for value in figures)]
    (power,) = [each for each in found.waterfalls if each.cell == POWER]
    part = text[text.index("power[total,2027], what moved it") :]
    (mean,) = [step.mean for step in power.steps if step.name == "pue"]
    assert re.search(rf"\npue +\+{figure(mean, 'MW')} ", part)
    assert "exactly 0: spending_drift, pue" in text  # of the past shipments
    assert "what moved it M H100e" in text


def test_page__folds_small_steps_and_keeps_their_sum():
    steps = [Step("big", 10.0, 0.1, 9.0, 0.2), *(Step(f"s{i}", 0.01 * i, 0.02, 0, 0.02) for i in range(1, 4))]
    whole = Waterfall(
        "[red]a", "b", REVENUE, "bn USD", "", 512, (1.0, 11.06), (1.0, 10.0), (*steps, Step("idle", *[0] * 4))
    )
    text = shown(compare.Comparison(("[red]a", "b"), 512, 0, ("2026-02-28",) * 2, ((),), (), (whole,)))
    assert re.search(r"\n3 others +\+0\.0600 ", text)
    assert "exactly 0: idle" in text
    assert "\n[red]a -> b" in text
    unlike = Waterfall("[red]a", "b", REVENUE, "bn USD", "", 512, None, None, (), "the worlds have other years")
    text = shown(compare.Comparison(("[red]a", "b"), 512, 0, ("2026-02-28",) * 2, ((),), (), (unlike,)))
    assert "not taken apart, because the worlds have other years: revenue[nvidia,2027]" in text
