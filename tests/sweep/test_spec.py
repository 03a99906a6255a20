"""A sweep's file: what it may say, and that each fault is told at its line and column."""

import pytest

from sim.book.check import BookFaults
from sim.errors import BookError
from sim.sweep.spec import read_spec

VARIANT = "mode: list\nvariants:\n  - {label: a}\n"

FAULTS = {
    "unknown key": ("scenario: [base]\n", "book-unknown-key", 1, 1, "'scenarios'"),
    "unknown mode": ("mode: gird\n", "sweep-mode", 1, 7, "'grid'"),
    "mode that is no text": ("mode: 3\n", "sweep-mode", 1, 7, "grid"),
    "key of another mode": ("points: 3\n", "book-unknown-key", 1, 1, ""),
    "draws as text": ("draws: 1,000\n", "book-type", 1, 8, "write 1000"),
    "too few draws": ("draws: 1\n", "book-value", 1, 8, ""),
    "unknown sampler": ("sampler: sobl\n", "book-value", 1, 10, "'sobol'"),
    "thresholds that are no list": ("thresholds: a\n", "book-type", 1, 13, "[a, b]"),
    "scenarios that are no list": ("scenarios: base\n", "book-type", 1, 12, "[a, b]"),
    "no scenario": ("scenarios: []\n", "sweep-empty", 1, 12, "leave the key out"),
    "scenario that is no name": ("scenarios: [base, 3]\n", "sweep-scenario", 1, 19, "efficiency_shock"),
    "name in a list that is none": ("scenarios:\n  - [base, [a]]\n", "sweep-scenario", 2, 5, "efficiency_shock"),
    "no date": ("vintages: [2024-02-30]\n", "sweep-date", 1, 12, "2025-02-12"),
    "seed that is no whole number": ("seeds: [0, 1.5]\n", "sweep-seed", 1, 12, "7"),
    "seed that is a bool": ("seeds: [true]\n", "sweep-seed", 1, 9, "7"),
    "set that is no mapping": ("set: [a]\n", "book-type", 1, 6, "lines below"),
    "path without values": ("set:\n  price: []\n", "sweep-empty", 2, 10, "at least one"),
    "value that is nothing": ("set:\n  price: [1, ~]\n", "sweep-value", 2, 14, "write it"),
    "key twice": ("seeds: [1]\nseeds: [2]\n", "yaml-duplicate-key", 2, 1, "keep one"),
    "hypercube without points": ("mode: latin_hypercube\nset: {a: [1, 2]}\n", "book-missing-key", 1, 1, "points"),
    "hypercube without ranges": ("mode: latin_hypercube\npoints: 4\n", "sweep-ranges", 1, 1, "set:"),
    "range upside down": ("mode: latin_hypercube\npoints: 4\nset: {a: [2, 1]}\n", "sweep-range", 3, 10, "lower first"),
    "range of one": ("mode: latin_hypercube\npoints: 4\nset: {a: [2]}\n", "sweep-range", 3, 10, "two numbers"),
    "range of words": ("mode: latin_hypercube\npoints: 4\nset: {a: [x, y]}\n", "sweep-range", 3, 10, "two numbers"),
    "range of equals": ("mode: latin_hypercube\npoints: 4\nset: {a: [1, 1]}\n", "sweep-range", 3, 10, "two numbers"),
    "list without variants": ("mode: list\nvariants: []\n", "book-value", 2, 11, ""),
    "variant that is no mapping": ("mode: list\nvariants: [a]\n", "book-type", 2, 12, "lines below"),
    "variant without a label": ("mode: list\nvariants:\n  - {seed: 1}\n", "book-missing-key", 3, 5, "label"),
    "variant with an unknown key": (VARIANT + "  - {label: b, sed: 1}\n", "book-unknown-key", 4, 16, "'seed'"),
    "label that is none": ("mode: list\nvariants:\n  - {label: =cmd()}\n", "sweep-label", 3, 13, "letters"),
    "label with tags": ("mode: list\nvariants:\n  - {label: <b>a}\n", "sweep-label", 3, 13, "letters"),
    "label twice": (VARIANT + "  - {label: a, seed: 1}\n", "sweep-label", 4, 13, "its own"),
    "date of a variant": (VARIANT + "  - {label: b, as_of: may}\n", "sweep-date", 4, 23, "2025-02-12"),
    "list at the top": ("- base\n", "yaml-not-a-mapping", 1, 1, "key: value"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_read_spec__tells_each_fault_at_its_place(written, name):
    text, code, line, column, remedy = FAULTS[name]
    with pytest.raises(BookError) as caught:
        read_spec(written(text))
    error = caught.value
    assert (error.code, error.place.line, error.place.column) == (code, line, column), error
    assert error.place.file.endswith("some.yaml")
    assert remedy in error.remedy, error
    assert error.exit_code == 2


def test_read_spec__tells_all_faults_at_once(written):
    with pytest.raises(BookFaults) as caught:
        read_spec(written("scenarios: [3]\nvintages: [may]\nseeds: [x]\nset:\n  a: []\n  b: [~]\n"))
    assert [fault.place.line for fault in caught.value.faults] == [5, 6, 1, 2, 3]


def test_read_spec__means_the_base_book_and_seed_zero_where_nothing_is_said(written):
    spec = read_spec(written("draws: 300\n"))
    assert [choice.value for choice in spec.scenarios] == [("base",)]
    assert [choice.value for choice in spec.vintages] == [None]
    assert [choice.value for choice in spec.seeds] == [0]
    assert (spec.name, spec.settings.draws, spec.settings.sampler) == ("some", 300, "mc")


def test_read_spec__takes_seeds_of_any_size(written):
    spec = read_spec(written(f"seeds: [-3, '{2**200}']\n"))
    assert [choice.value for choice in spec.seeds] == [-3, 2**200]


def test_read_spec__finds_files_beside_the_sweep_and_leaves_names_alone(written, tmp_path):
    (tmp_path / "mine.yaml").write_text("about: mine\n", encoding="utf-8")
    (tmp_path / "base").mkdir()
    spec = read_spec(written("scenarios: [base, mine.yaml, [base, ./mine.yaml], theirs.yaml]\n"))
    mine = str(tmp_path / "mine.yaml")
    assert [choice.value for choice in spec.scenarios] == [("base",), (mine,), ("base", mine), ("theirs.yaml",)]


def test_read_spec__takes_a_single_value_for_all_variants(written):
    spec = read_spec(written("set:\n  horizon: 2031Q4\n  price.b200: {family: fixed, value: 40}\n"))
    assert [choice.value for choice in spec.values["horizon"]] == ["2031Q4"]
    assert [choice.value for choice in spec.values["price.b200"]] == [{"family": "fixed", "value": 40}]
