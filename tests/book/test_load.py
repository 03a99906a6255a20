from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.book import load, priors_folder, validate
from sim.errors import BookError, RefusedError

OVERLAY = """
extends: base
about: North is fast.
speed:
  dist: {family: fixed, value: 2}
  source:
    - {judgement: "A guess."}
  reasoning: To see.
  as_of: 2025-01-31
"""


def test_load__gives_the_shipped_book_complete_and_dated():
    book = load()
    assert book.as_of == date(2026, 2, 28)
    assert book.priors["capex_drift"].table[()].quantile(0.05) == pytest.approx(0.173)
    assert validate().digest == book.digest


def test_load__reads_a_whole_book(small):
    book = small.load()
    assert (book.name, book.about, book.as_of) == ("base", "", date(2025, 2, 28))
    assert sorted(book.priors) == ["band", "drift", "price", "speed", "step", "weight"]
    assert book.references["REPORT"].published == date(2024, 11, 5)
    assert [entry.rho for entry in book.correlations] == [0.5, -0.2]


def test_load__lays_an_own_file_over_the_base(small, tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(OVERLAY, encoding="utf-8")
    book = small.load(path)
    assert (book.name, book.about) == ("mine", "North is fast.")
    assert book.priors["speed"].table[("n1",)].value == 2000
    assert book.priors["price"] == small.load().priors["price"]


def test_load__lays_an_own_folder_over_the_base(small):
    small.write("mine/book.yaml", "extends: base\nabout: Longer.\nset:\n  drift.p05: 5\n")
    small.write("mine/world.yaml", "horizon: 2026Q4\n")
    book = small.load(small.root / "mine")
    assert (book.about, book.axes["time"][-1]) == ("Longer.", "2026Q4")
    assert book.priors["drift"].table[()].p05 == pytest.approx(0.05)


def test_load__knows_scenarios_by_name(small):
    book = small.load("dear")
    assert (book.name, book.about) == ("dear", "Chips cost more.")
    assert book.priors["price"].table[("n1",)].p95 == pytest.approx(50)


def test_load__follows_extends_to_base_in_order(small):
    small.write("a/one.yaml", "extends: two.yaml\nset: {drift.p05: 6}\n")
    small.write("a/two.yaml", "extends: dear\nset: {drift.p05: 5, drift.p95: 40}\n")
    book = small.load(small.root / "a/one.yaml")
    drift = book.priors["drift"].table[()]
    assert (drift.p05, drift.p95) == (pytest.approx(0.06), pytest.approx(0.4))
    assert book.priors["price"].table[("n1",)].p95 == pytest.approx(50)


def test_load__prints_the_circle_of_extends(small):
    small.write("a/one.yaml", "extends: two.yaml\n")
    small.write("a/two.yaml", "about: Two.\nextends: three.yaml\n")
    small.write("a/three.yaml", "extends: two.yaml\n")
    fault = small.fault(small.root / "a/one.yaml")
    assert fault.code == "book-circle"
    assert "two.yaml -> three.yaml -> two.yaml" in fault.problem
    assert (Path(fault.place.file).name, fault.place.line) == ("three.yaml", 1)


@pytest.mark.parametrize("name", ["dea", "nowhere.yaml"])
def test_load__names_the_nearest_book(small, name):
    fault = small.fault(name)
    assert fault.code == "book-not-found"
    assert "dear" in fault.remedy


def test_load__refuses_an_unknown_extends_at_its_line(small):
    path = small.write("mine.yaml", "about: Mine.\nextends: bas\n")
    fault = small.fault(path)
    assert (fault.code, fault.place.line, fault.place.column) == ("book-not-found", 2, 10)
    assert "did you mean 'base'" in fault.remedy


@pytest.mark.parametrize("text", ["extends: [base]\n", "about: {a: 1}\n", "about: 3\n"])
def test_load__refuses_overlay_keys_of_another_type(small, text):
    fault = small.fault(small.write("mine.yaml", text))
    assert (fault.code, fault.place.line) == ("book-type", 1)


def test_load__refuses_a_folder_without_a_book(small):
    (small.root / "empty").mkdir()
    assert small.fault(small.root / "empty").code == "book-not-found"


def test_load__takes_the_base_folder_for_the_base(small):
    assert small.load(small.root / "base").digest == small.load().digest


@pytest.mark.parametrize("as_of", ["2025-02-28", date(2025, 6, 30), None])
def test_load__keeps_the_books_date_for_later_dates(small, as_of):
    assert small.load(as_of=as_of).as_of == date(2025, 2, 28)


def test_load__refuses_an_overlay_dated_before_the_base(small):
    path = small.write("mine.yaml", "as_of: 2024-12-31\n")
    with pytest.raises(RefusedError, match="no book as of 2024-12-31 upon that of 2025-02-28; ask as of 2024-12-31"):
        small.load(path)
    assert small.load(path, as_of="2024-12-31").as_of == date(2024, 12, 31)


def test_load__refuses_a_date_before_a_later_overlay(small):
    path = small.write("mine.yaml", "as_of: 2025-03-31\n")
    assert small.load(path, as_of="2025-03-31").as_of == date(2025, 3, 31)
    with pytest.raises(RefusedError, match=r"no book as of 2025-03-01: the earliest is of 2025-03-31"):
        small.load(path, as_of="2025-03-01")


@pytest.mark.parametrize("as_of", ["2025-02-30", "28.2.2025", "1999-12-31", "2101-01-01", "", "2025-2-28"])
def test_load__refuses_what_is_no_date(small, as_of):
    fault = small.fault(as_of=as_of)
    assert (fault.code, str(fault.place)) == ("book-dates", "--as-of")


def test_load__reports_every_fault_at_once(small):
    small.edit("base/money.yaml", "p05: 10, p95: 30", "p05: 30, p95: 10")
    small.edit("base/chips.yaml", "unit: USD / unit", "unit: W / unit")
    small.edit("base/chips.yaml", "speed:", "spede:")
    codes = sorted(fault.code for fault in small.faults())
    assert codes == ["book-missing-prior", "book-unit", "book-unknown-prior", "book-value"]


def test_load__reports_every_file_that_is_no_yaml(small):
    small.write("base/money.yaml", "a: 1\na: 2\n")
    small.write("base/chips.yaml", "a: &b 1\n")
    assert [fault.code for fault in small.faults()] == ["yaml-anchor", "yaml-duplicate-key"]


def test_load__names_both_files_of_a_prior_defined_twice(small):
    small.write("base/more.yaml", "\nspeed:\n  about: Again.\n")
    fault = small.fault()
    assert (fault.code, Path(fault.place.file).name, fault.place.line) == ("book-duplicate", "more.yaml", 2)
    assert "chips.yaml:13:1" in fault.problem


def test_load__gives_the_same_digest_for_renamed_and_reordered_files(small):
    before = small.load()
    (small.root / "base/chips.yaml").rename(small.root / "base/a.yaml")
    money = (small.root / "base/money.yaml").read_text(encoding="utf-8").split("weight:\n")
    small.write("base/money.yaml", "weight:\n" + money[1] + money[0])
    small.edit("base/correlations.yaml", '[drift, "price[n1]"]', '["price[n1]", drift]')
    after = small.load()
    assert after.digest == before.digest
    assert (before.priors["price"].group, after.priors["price"].group) == ("chips", "a")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("base/money.yaml", "p95: 30", "p95: 31"),
        ("base/chips.yaml", "p95: 9000", "p95: 9001"),
        ("base/correlations.yaml", "rho: 0.5", "rho: 0.4"),
        ("base/world.yaml", "horizon: 2025Q4", "horizon: 2026Q4"),
        ("base/world.yaml", "as_of: 2025-02-28", "as_of: 2025-03-01"),
        ("base/world.yaml", "S1, retires: true", "S1"),
    ],
)
def test_load__gives_another_digest_for_another_number(small, file, old, new):
    before = small.load().digest
    small.edit(file, old, new)
    assert small.load().digest != before


def test_load__gives_the_same_digest_for_the_same_number_in_another_unit(small):
    before = small.load().digest
    small.edit("base/chips.yaml", "unit: PFLOP/s / unit", "unit: TFLOP/s / unit")
    small.edit("base/chips.yaml", "{family: fixed, value: 1}", "{family: fixed, value: 1000}")
    assert small.load().digest == before


def test_priors_folder__holds_the_shipped_book():
    assert (priors_folder() / "base" / "world.yaml").is_file()


JUNK = [
    "~",
    "yes",
    "1e999",
    "[]",
    "{}",
    "[[1]]",
    "{a: {b: c}}",
    "-1",
    "0",
    "''",
    "&a x",
    "!t x",
    "1:30",
    "x: y",
    "\u202e",
]
FILES = ["base/world.yaml", "base/money.yaml", "base/chips.yaml", "base/correlations.yaml", "references.yaml"]
FILES += ["vintages/2024-06-30/world.yaml", "vintages/2024-06-30/priors.yaml"]
FILES += ["vintages/2024-11-30/book.yaml", "vintages/2024-11-30/chips.yaml", "scenarios/cheap.yaml"]


@given(
    st.sampled_from(FILES),
    st.integers(0, 40),
    st.sampled_from(JUNK),
    st.sampled_from(["value", "key", "drop", "twice"]),
)
@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_load__raises_nothing_but_our_errors_on_broken_files(small, file, number, junk, how):
    path = small.root / file
    before = path.read_text(encoding="utf-8")
    lines = before.splitlines()
    index = number % len(lines)
    key, _, value = lines[index].partition(": ")
    lines[index] = {
        "value": f"{key}: {junk}",
        "key": f"{key[: len(key) - len(key.lstrip())]}{junk}: {value}",
        "drop": "",
        "twice": f"{lines[index]}\n{lines[index]}",
    }[how]
    path.write_text("\n".join(lines), encoding="utf-8")
    for names, as_of in (("base", None), (["cheap", "fast"], "2024-12-31")):
        with suppress(BookError, RefusedError):
            small.load(names, as_of=as_of)
    path.write_text(before, encoding="utf-8")
