"""Sensitivities of the base world: what must be exact, what must not move, and what closed forms say."""

import io
import itertools
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from rich.console import Console
from scipy.special import ndtr, ndtri

from sim import sensitivity as moving
from sim.axes import INPUTS
from sim.errors import BookError
from sim.headline import figure
from sim.reduce import Figure
from sim.sensitivity.decisions import _saved
from sim.sensitivity.topics import OF, footing

CELL = "h100e[total,2028]"


@pytest.fixture(scope="module")
def found(base_world):
    return moving.sensitivity(
        base_world, [CELL, "capex[reported,2025]"], draws=8_192, pairs=512, decision="revenue[nvidia,2027] < 400"
    )


@pytest.fixture(scope="module")
def of_shipments(found):
    return found[0]


def test_topics__hold_every_input_once():
    listed = [name for names in OF.values() for name in names]
    assert sorted(listed) == sorted(INPUTS)
    assert list(OF) == list(moving.TOPICS)


def test_footing__tells_judgements_from_sources(base_world):
    priors = base_world.book.priors
    assert [footing(priors[name]) for name in ("lifetime", "price", "share_walk")] == list(moving.FOOTINGS)


def test_shares__add_up_and_agree_with_the_linear_ones(of_shipments):
    assert sum(each.shapley.value for each in of_shipments.effects) == pytest.approx(1, abs=1e-9)
    assert sum(each.share.value for each in of_shipments.footing) == pytest.approx(1, abs=1e-9)
    for year in range(len(of_shipments.years)):
        assert sum(shares[year] for shares in of_shipments.over_time.values()) == pytest.approx(1, abs=1e-9)
    for each in of_shipments.effects:
        error = 5 * np.hypot(each.first.error, each.total.error)
        assert each.first.value - error <= each.total.value
        at = of_shipments.years.index("2028")
        assert of_shipments.over_time[each.group][at] == pytest.approx(each.shapley.value, abs=1e-12)


def test_effects__of_a_reported_year_are_nothing(found):
    reported = found[1]
    assert all(part == 0 for each in reported.effects for figure in (each.first, each.total) for part in figure)
    assert reported.swings == () == reported.elasticities


def test_swings__go_the_way_they_must(of_shipments):
    moved = {each.entry: each for each in of_shipments.swings}
    price = moved["price[rubin]"]
    assert price.low.value > price.high.value  # dearer chips, fewer of them
    assert moved["training_growth"].high.value > moved["training_growth"].low.value
    prior = (44, 72)  # kUSD / unit, as the book's file has them
    assert (price.p10, price.p90) == pytest.approx(prior, rel=0.02)


def test_elasticities__are_exact_where_the_model_is(base_world, of_shipments):
    of = {each.prior: each for each in of_shipments.elasticities}
    performance = of["performance"]  # all successors are multiples of it
    assert (performance.p05, performance.p50, performance.p95) == pytest.approx((1, 1, 1), abs=1e-3)
    assert -1 - 1e-3 < of["price"].p05 <= of["price"].p95 < -0.8
    assert "launch" not in of  # a date has no scale
    assert "capex_common_shock" not in of  # nor has what may be of either sign


def test_sensitivity__fits_json(found):
    json.dumps([asdict(each) for each in found], allow_nan=False)


def shown(found):
    """Lines of the page as words, by their first word; the first of each."""
    console = Console(file=io.StringIO(), width=120, highlight=False)
    console.print(moving.page(found))
    lines = [line.split() for line in console.file.getvalue().splitlines() if line.split()]
    return {words[0]: words for words in reversed(lines)}


def test_page__shows_what_was_found(of_shipments):
    lines = shown(of_shipments)
    for each in of_shipments.effects:
        shares = [f"{100 * value:.1f}" for value in (each.shapley.value, each.shapley.error, each.first.value)]
        assert lines[each.group][2:5] == shares
    assert lines[of_shipments.effects[-1].group][1].endswith("13")
    assert lines["It"][:4] == ["It", "has", "probability", f"{100 * of_shipments.decision.probability.value:.1f}"]
    swing = of_shipments.swings[0]
    ends = (figure(end, swing.unit) for end in (swing.p10, swing.p90))
    assert lines[swing.entry][3:5] == [*ends]  # after the name, "of" and how many


def test_page__gives_topics_that_are_not_told_apart_one_rank(of_shipments):
    def effect(name, share, error):
        return moving.Effect(name, *[Figure(share, error)] * 3)

    apart = (
        effect("capex", 0.5, 0.01),
        effect("cash", 0.22, 0.02),
        effect("mix", 0.2, 0.02),
        effect("use", 0.08, 0.01),
    )
    lines = shown(replace(of_shipments, effects=apart))
    assert [lines[each.group][1] for each in apart] == ["1", "2-3", "2-3", "4"]


def test_command__prints_and_gives_json(chipcast):
    asked = ("sensitivity", "base", "--of", CELL, "--pairs", 512, "--draws", 1_024)
    (told,) = json.loads(chipcast(*asked, "--json").out)
    assert told["cell"] == CELL
    assert sum(each["shapley"][0] for each in told["effects"]) == pytest.approx(1, abs=1e-9)
    ended = chipcast("sensitivity", "base", "--of", "h100[total,2028]")
    assert (ended.code, "h100e" in ended.err) == (2, True)


def test_decision__is_worth_at_most_the_outcome(of_shipments):
    decision = of_shipments.decision
    p = decision.probability.value
    assert decision.perfect == pytest.approx(min(0.5, p) - 0.5 * p)
    assert all(worth.value <= decision.perfect + 3 * worth.error for _, worth in decision.groups)
    assert decision.groups[0][0] == "capex"


@pytest.mark.parametrize("cost", [0.2, 0.5])
def test_saved__is_that_of_the_closed_form(cost):
    """y = rho x + sqrt(1 - rho^2) e: the policy takes the measure where P(y > edge | x) > cost."""
    rng, rho, edge, draws = np.random.default_rng(1), 0.7, 0.6, 400_000
    x, noise = rng.standard_normal((2, draws))
    y = rho * x + np.sqrt(1 - rho**2) * noise
    p, grid = 1 - ndtr(edge), ndtri((np.arange(200_000) + 0.5) / 200_000)
    likely = ndtr((rho * grid - edge) / np.sqrt(1 - rho**2))
    worth = min(cost, p) - np.minimum(cost, likely).mean()
    saved = _saved(x[None], y, y > edge, edge, cost)
    assert saved.value == pytest.approx(worth, abs=4 * saved.error)
    assert saved.error < 0.002
    unrelated = _saved(rng.standard_normal((30, draws)), y, y > edge, edge, cost)
    assert abs(unrelated.value) <= 4 * unrelated.error + 1e-9


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"pairs": 100}, "sensitivity-draws"),
        ({"draws": 1_000}, "sensitivity-draws"),
        ({"cells": ["h100e_growth[huawei_ascend,2022]"]}, "sensitivity-undefined"),
        ({"cells": ["revenu[nvidia,2027]"]}, "cell-output"),
        ({"decision": "revenue[nvidia,2027]"}, "threshold-form"),
        ({"decision": "revenue[nvidia,2027] < 400", "cost": 1.0}, "decision-cost"),
    ],
)
def test_sensitivity__refuses(base_world, asked, code):
    given = {"cells": [CELL], "draws": 1_024, "pairs": 512} | asked
    with pytest.raises(BookError) as caught:
        moving.sensitivity(base_world, given.pop("cells"), **given)
    assert caught.value.code == code


def test_order__of_topics_that_are_further_apart_than_their_errors_holds(base_world, of_shipments):
    first, again, other = (
        moving.sensitivity(base_world, [CELL], draws=2_048, pairs=512, seed=seed)[0] for seed in (1, 1, 2)
    )
    assert asdict(again) == asdict(first)
    shares = [{each.group: each.shapley for each in run.effects} for run in (first, other, of_shipments)]
    for above, below in itertools.combinations(moving.TOPICS, 2):
        gaps = [each[above].value - each[below].value for each in shares]
        errors = [np.hypot(each[above].error, each[below].error) for each in shares]
        assert np.ptp(gaps) < 6 * max(errors)
