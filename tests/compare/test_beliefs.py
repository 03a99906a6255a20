"""Differences of two books in words: what is told, what is told once, and what is not."""

import math

import pytest

import sim
from sim.book.schema import Judgement
from sim.compare import beliefs
from sim.compare.beliefs import history
from sim.distributions import Fixed, LogNormal, Normal


@pytest.fixture
def words(base_world, altered):
    """What the base book and the same with a changed prior differ in, a sentence each."""

    def told(name, change):
        return [each.words for each in beliefs(base_world.book, altered[0](base_world, name, change).book)]

    return told


def test_beliefs__of_a_book_and_itself_do_not_differ(base_world):
    assert beliefs(base_world.book, base_world.book) == ()


def test_beliefs__one_label_is_told_in_the_files_unit(base_world, altered):
    """The book's own median and ends, multiplied by 1.25: 25 per cent, in the unit that the file is written in."""
    scaled = altered[0](base_world, "price", lambda labels, d: d.scaled(1.25) if labels == ("b200",) else d)
    prior = base_world.book.priors["price"]
    (found,) = beliefs(base_world.book, scaled.book)
    assert (found.kind, found.name, found.labels, found.unit) == ("prior", "price", ("b200",), prior.unit)
    low, middle, high = (prior.table["b200",].quantile(level) / prior.factor for level in (0.05, 0.5, 0.95))
    assert (found.before.p05, found.before.p50, found.before.p95) == pytest.approx((low, middle, high))
    assert (found.after.p05, found.after.p50, found.after.p95) == pytest.approx(
        (1.25 * low, 1.25 * middle, 1.25 * high)
    )
    assert found.words == (
        f"price[b200]: median {middle:.1f} -> {1.25 * middle:.1f} kUSD / unit (+25 %), "
        f"P5-P95 {low:.1f} to {high:.1f} -> {1.25 * low:.1f} to {1.25 * high:.1f}"
    )


def test_beliefs__a_unit_that_is_not_the_models(base_world, altered):
    """The file says 7 to 34 T tokens a day; the model works in bn tokens a second, 86.4 times fewer."""
    doubled = altered[0](base_world, "tokens", lambda labels, d: d.scaled(2) if labels == ("microsoft",) else d)
    (found,) = beliefs(base_world.book, doubled.book)
    assert (found.before.p05, found.before.p95) == pytest.approx((7, 34))
    middle = math.sqrt(7 * 34)
    ranges = "P5-P95 7.00 to 34.0 -> 14.0 to 68.0"
    assert found.words == (
        f"tokens[microsoft]: median {middle:.1f} -> {2 * middle:.1f} T tokens / day (+100 %), {ranges}"
    )


def test_beliefs__labels_that_differ_alike_are_told_once(base_world, altered):
    def spread(most, labels=("microsoft", "alphabet", "amazon", "meta")):
        narrow = LogNormal(family="lognormal", p05=0.1, p95=0.3)
        wide = LogNormal(family="lognormal", p05=0.1, p95=most)
        return altered[0](base_world, "capex_own_sd", lambda own, d: wide if own[0] in labels else narrow).book

    buyers = base_world.book.axes["buyer"]
    titles = {
        buyers[:1]: f"capex_own_sd[{buyers[0]}]: ",
        buyers[:4]: f"capex_own_sd[{'; '.join(buyers[:4])}]: ",
        buyers[:5]: f"capex_own_sd[{'; '.join(buyers[:3])}; and 2 more]: ",
        buyers: f"capex_own_sd, all {len(buyers)} labels: ",
    }
    for labels, title in titles.items():
        (found,) = beliefs(spread(0.3, labels), spread(0.5, labels))
        assert found.words.startswith(title)
        assert found.labels == labels


def test_beliefs__labels_that_differ_otherwise_are_told_apart(words, base_world):
    found = words("price", lambda labels, d: d.scaled(1.5))
    assert len(found) == len(base_world.book.axes["catalogue_chip"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: LogNormal(family="lognormal", p05=0.2, p95=0.4), "normal becomes lognormal; median"),
        (
            lambda d: Fixed(family="fixed", value=0.25),
            "normal becomes fixed; median 0.272 -> 0.250 / year (-8.3 %), P5-P95 0.173 to 0.372 -> one value",
        ),
        (lambda d: Normal(family="normal", mean=d.quantile(0.5), sd=1), "as before, P5-P95"),
        (lambda d: Normal(family="normal", mean=-d.quantile(0.5), sd=0.1), "-> -0.272 / year, P5"),
    ],
)
def test_beliefs__say_what_became_of_a_distribution(words, change, expected):
    (found,) = words("capex_drift", lambda labels, d: change(d))
    assert expected in found


def test_beliefs__dates_move_by_years_and_not_by_shares(words):
    def later(labels, d):
        return Normal(family="normal", mean=2027.5, sd=0.2) if labels == ("rubin",) else d

    (found,) = words("launch", later)
    assert "-> 2027.50 year (+" in found
    assert "%" not in found


def test_beliefs__words_without_numbers_are_told_as_such(base_world, altered):
    prior = base_world.book.priors["pue"]
    other = prior.model_copy(update={"source": (Judgement(judgement="Ours."),), "reasoning": "Because."})
    (found,) = beliefs(base_world.book, altered[1](base_world, priors={**base_world.book.priors, "pue": other}).book)
    assert (found.kind, found.words) == ("grounds", "pue: same values; sources and reasoning differ")


def test_beliefs__priors_of_one_book_only(base_world, altered):
    less = {name: prior for name, prior in base_world.book.priors.items() if name != "pue"}
    (found,) = beliefs(altered[1](base_world, priors=less).book, base_world.book)
    assert found.words == "pue: only in the second book"


def test_beliefs__correlations(base_world, altered):
    first, *rest = base_world.book.correlations
    other = [first.model_copy(update={"rho": 0.123}), *rest[1:]]
    found = beliefs(base_world.book, altered[1](base_world, correlations=tuple(other)).book)
    assert [each.words for each in found] == [
        f"correlation {first.subject}: {first.rho:g} -> 0.123",
        f"correlation {rest[0].subject}: only in the first book, {rest[0].rho:g}",
    ]


def test_beliefs__who_is_in_the_world_and_when(base_world):
    overrides = {"horizon": "2029Q4", "chips.b200.name": "B two hundred"}
    found = beliefs(base_world.book, sim.load("base", overrides=overrides).book)
    said = [each.words for each in found if each.kind == "world"]
    name = base_world.book.world.chips["b200"].name
    assert said == ["horizon: 2030Q4 -> 2029Q4", f"chips.b200: name {name} -> B two hundred"]


def test_beliefs__between_vintages(base_world, old):
    found = beliefs(old.book, base_world.book)
    said = [each.words for each in found]
    assert "as_of: 2024-05-27 -> 2026-02-28" in said
    gone = [name for name in old.book.axes["chip"] if name not in base_world.book.axes["chip"]]
    assert f"chips, only in the first book: {', '.join(gone)}" in said
    assert {each.kind for each in found} == {"world", "prior", "correlation", "grounds"}
    (record,) = history(old, base_world)
    last = [each.book.axes["time"][each.record.handover] for each in (old, base_world)]
    assert record.words == f"history: known to {last[0]} -> {last[1]}"
    assert history(old, old) == ()
