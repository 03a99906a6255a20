import json

import numpy as np
import pytest

from sim.book import Judgement


@pytest.mark.parametrize(
    ("path", "value", "at", "expected"),
    [
        ("drift.p05", "5", ("drift", (), "p05"), 0.05),
        ("price.n1.p95", "50000", ("price", ("n1",), "p95"), 50),
        ("price.default.p95", 9500, ("price", ("s1",), "p95"), 9.5),
        ("price.s1.p05", 6000.0, ("price", ("s1",), "p05"), 6),
        ("weight.acme/north.p05", "5e-1", ("weight", ("acme/north",), "p05"), 0.5),
        ("weight.city/south.value", 2, ("weight", ("city/south",), "value"), 2),
        ("band.south.2024Q3.upper", "3", ("band", ("south", "2024Q3"), "upper"), 3),
        ("band.south.2025Q1.value", "1.5", ("band", ("south", "2025Q1"), "value"), 1.5),
        ("speed.value", 2, ("speed", ("n2",), "value"), 2000),
        ("speed.n2.value", 3, ("speed", ("n2",), "value"), 3000),
        ("price.n2", "{family: fixed, value: 40000}", ("price", ("n2",), "value"), 40),
        ("price.n2", {"family": "fixed", "value": 40000}, ("price", ("n2",), "value"), 40),
        ("price", "{family: fixed, value: 10000}", ("price", ("s1",), "value"), 10),
        ("drift", "{family: fixed, value: 3}", ("drift", (), "value"), 0.03),
        ("drift.p05", np.float64(5), ("drift", (), "p05"), 0.05),
    ],
)
def test_with_overrides__sets_by_path_in_the_files_unit(small, path, value, at, expected):
    prior, labels, field = at
    table = small.load(overrides={path: value}).priors[prior].table
    assert getattr(table[labels], field) == pytest.approx(expected)


def test_with_overrides__gives_a_label_its_own_copy_of_the_default(small):
    base, book = small.load().priors, small.load(overrides={"weight.city/south.value": 2, "speed.n2.value": 3}).priors
    assert [member.value for member in book["speed"].table.values()] == [1000, 3000, 1000]
    others = [pair for pair in base["weight"].table if pair != ("city/south",)]
    assert all(book["weight"].table[pair] == base["weight"].table[pair] for pair in others)


def test_with_overrides__copies_an_outer_default_too(small):
    small.edit("base/money.yaml", "      default: {family: fixed, value: 0}\n", "")
    small.edit("base/money.yaml", "    south:\n", "    default: {family: fixed, value: 7}\n    south:\n")
    table = small.load(overrides={"band.south.2025Q1.value": 8}).priors["band"].table
    assert (table[("south", "2025Q1")].value, table[("south", "2025Q2")].value) == (8, 7)


def test_with_overrides__keeps_sources_and_adds_who_set_what(small):
    base = small.load().priors["drift"].source
    by_hand = small.load(overrides={"drift.p05": "5"}).priors["drift"].source
    assert by_hand == (*base, Judgement(judgement="set by the user: drift.p05 = 5"))
    path = small.write("mine.yaml", "set: {drift: {family: fixed, value: 1}}\n")
    by_file = small.load(path).priors["drift"].source[-1].judgement
    assert by_file.endswith('mine.yaml: drift = {"family": "fixed", "value": 1}')


def test_with_overrides__sets_the_world_before_the_priors(small):
    overrides = {
        "price.n3": {"family": "fixed", "value": 1000},
        "chips.n3": {"supplier": "north", "name": "N3"},
        "horizon": "2026Q4",
        "chips.s1.retires": "false",
    }
    book = small.load(overrides=overrides)
    assert book.priors["price"].table[("n3",)].value == pytest.approx(1)
    assert book.axes["time"][-1] == "2026Q4"
    assert book.axes["retiring_chip"] == ()


def test_with_overrides__lays_a_command_over_a_scenario(small):
    assert small.load("dear", overrides={"price.n1.p95": 60000}).priors["price"].table[("n1",)].p95 == pytest.approx(60)


BAD = {
    "unknown prior": ("prise.n1.p95", 1, "book-unknown-path", ["'prise'", "did you mean 'price'"]),
    "unknown label": ("price.n9.p95", 1, "book-unknown-path", ["no label 'n9'", "did you mean 'n"]),
    "successor's label": ("price.n3.p95", 1, "book-unknown-path", ["no label 'n3'"]),
    "unknown field": ("price.n1.p96", 1, "book-unknown-path", ["no field or label 'p96'", "'p95'"]),
    "too short": ("price.n1", 1, "book-type", ["expected a distribution, got the number 1", "p05, p95"]),
    "too long": ("price.n1.p95.x", 1, "book-unknown-path", ["'p95.x'"]),
    "empty": ("", 1, "book-unknown-path", ["unknown prior ''"]),
    "dots": ("price..p95", 1, "book-unknown-path", ["no label ''"]),
    "no default": ("band.default", {"family": "fixed", "value": 1}, "book-unknown-path", ["no label 'default'"]),
    "unknown world key": ("chips.n9.name", "x", "book-unknown-path", ["no 'n9' to go into"]),
    "below a world's value": ("horizon.year", "x", "book-unknown-path", ["no 'horizon' to go into"]),
    "world value of another kind": ("horizon", 2030, "book-type", ["world.horizon", "quotes"]),
    "misspelt world key": ("chips.s1.retire", True, "book-unknown-key", ["'retire'", "did you mean 'retires'"]),
    "the same number": ("price.n1.p95", 30000.0, "book-no-change", ["changes nothing"]),
    "the default's number": ("price.s1.p95", 9000, "book-no-change", ["changes nothing"]),
    "the same distribution": ("speed", {"family": "fixed", "value": 1}, "book-no-change", ["changes nothing"]),
    "the same horizon": ("horizon", "2025Q4", "book-no-change", ["changes nothing"]),
    "inverted": ("price.n1.p95", 10, "book-value", ["20000", "10"]),
    "percentage": ("drift.p05", "5%", "book-type", ["write 0.05"]),
    "word": ("drift.p05", "high", "book-type", ["text 'high'"]),
    "not finite": ("drift.p05", ".nan", "yaml-not-finite", ["finite"]),
    "not finite in Python": ("drift.p05", float("nan"), "book-type", ["text 'NaN'"]),
    "infinite in Python": ("drift.p05", float("inf"), "book-type", ["text 'Infinity'"]),
    "nothing": ("drift.p05", "", "book-type", ["got nothing"]),
    "no YAML": ("drift", "{family: fixed", "yaml-syntax", ["not YAML"]),
    "tag": ("drift", "!!python/name:os.system", "yaml-tag", ["tag"]),
    "unknown family": ("drift", "{family: norml, p05: 1}", "book-family", ["did you mean 'normal'"]),
    "no family": ("drift", "{p05: 1}", "book-missing-key", ["'family'"]),
    "object": ("drift.p05", object(), "book-type", ["no value a book can hold"]),
    "deep": ("drift.p05", json.loads("[" * 30 + "]" * 30), "yaml-too-deep", ["20 levels"]),
}


@pytest.mark.parametrize(("path", "value", "code", "words"), BAD.values(), ids=BAD)
def test_with_overrides__refuses_with_code_option_and_words(small, path, value, code, words):
    fault = small.fault(overrides={path: value})
    assert (fault.code, str(fault.place)) == (code, f"--set {path}"), str(fault)
    assert [word for word in words if word not in str(fault)] == []


def test_with_overrides__names_the_line_of_a_set_in_a_file(small):
    path = small.write("mine.yaml", "set:\n  drift.p05: 5\n  price.n1.p99: 7\n")
    fault = small.fault(path)
    assert (fault.code, fault.place.line, fault.place.column) == ("book-unknown-path", 3, 17)
    assert fault.place.file.endswith("mine.yaml")
