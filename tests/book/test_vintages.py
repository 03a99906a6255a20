"""Which book a date picks, how one vintage builds on another, and that no book knows what came after its date."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from sim.book import load, priors_folder, shipped
from sim.book.shelf import Shelf
from sim.errors import BookError, RefusedError

EARLY, LATE, BASE = date(2024, 6, 30), date(2024, 11, 30), date(2025, 2, 28)


# --- the book a date picks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("2024-06-30", EARLY),
        ("2024-11-29", EARLY),
        ("2024-11-30", LATE),
        (date(2025, 2, 27), LATE),
        ("2025-02-28", BASE),
        ("2030-01-01", BASE),
        (None, BASE),
    ],
)
def test_load__picks_the_newest_book_on_or_before_a_date(small, asked, expected):
    book = small.load(as_of=asked)
    assert book.as_of == expected
    assert book.name == ("base" if expected == BASE else expected.isoformat())


def test_load__refuses_a_date_before_the_first_book_and_names_it(small):
    with pytest.raises(RefusedError, match=r"no book as of 2024-06-29.*2024-06-30 or later") as caught:
        small.load(as_of="2024-06-29")
    assert (caught.value.code, caught.value.exit_code) == ("book-vintage", 3)


@pytest.mark.parametrize("how", ["2024-06-30", "folder", ["base", "2024-06-30"], ["2024-06-30"]])
def test_load__takes_a_vintage_by_name(small, how):
    book = small.load(small.root / "vintages/2024-06-30" if how == "folder" else how)
    assert (book.name, book.digest) == ("2024-06-30", small.load(as_of="2024-06-30").digest)


def test_load__keeps_a_vintage_named_for_later_dates_and_refuses_earlier_ones(small):
    assert small.load("2024-06-30", as_of="2025-06-30").as_of == EARLY
    with pytest.raises(RefusedError, match="no book '2024-11-30' as of 2024-08-01"):
        small.load("2024-11-30", as_of="2024-08-01")


@pytest.mark.parametrize("extends", ["", "extends: base\n", "extends: fast\n"])
def test_load__lays_overlays_over_the_book_picked(small, extends):
    path = small.write("mine.yaml", extends + "set: {drift.p95: 60}\n")
    book = small.load(path, as_of="2024-07-01")
    assert (book.as_of, book.priors["drift"].table[()].p95) == (EARLY, pytest.approx(0.6))
    assert book.priors["speed"].table[("n0",)].value == (2000 if "fast" in extends else 1000)


def test_load__lays_an_overlay_over_the_vintage_it_extends(small):
    path = small.write("mine.yaml", "extends: 2024-06-30\nset: {drift.p95: 60}\n")
    assert small.load(path).as_of == small.load([path, "fast"], as_of="2025-06-01").as_of == EARLY
    fault = small.fault([path, "2024-11-30"])
    assert fault.code == "book-conflict"
    assert "mine starts from the book of 2024-06-30, 2024-11-30 from that of 2024-11-30" in fault.problem


def test_load__names_the_nearest_vintage(small):
    fault = small.fault("2024-06-31")
    assert (fault.code, "'2024-06-30'" in fault.remedy) == ("book-not-found", True)


def test_shipped__lists_books_by_date(small):
    assert shipped(small.root) == {"2024-06-30": EARLY, "2024-11-30": LATE, "base": BASE}
    assert list(shipped(small.root)) == Shelf(small.root).names


# --- one vintage upon another ----------------------------------------------------------------------------------------


def test_vintage__changes_what_it_says_and_keeps_the_rest(small):
    early, late = small.load("2024-06-30"), small.load("2024-11-30")
    assert late.axes["chip"] == ("n1", "n2", "n3", "s1")  # n3 stands after n2, not last
    assert (early.axes["successor_chip"], late.axes["successor_chip"]) == (("n2",), ("n3",))
    assert late.priors["price"].table[("n2",)].p05 == pytest.approx(30)
    assert late.priors["price"].table[("n1",)] == early.priors["price"].table[("n1",)]
    assert ("n0",) not in late.priors["price"].table
    assert list(late.priors["step"].table) == [("n3",)]
    assert late.priors["drift"] == early.priors["drift"]
    assert late.about == "N2 is out, N0 is withdrawn."


def test_vintage__may_extend_one_that_extends_another(small):
    small.write("vintages/2024-12-31/book.yaml", "extends: 2024-11-30\nas_of: 2024-12-31\nset: {drift.p95: 60}\n")
    book = small.load(as_of="2025-01-31")
    assert (book.name, book.axes["chip"], book.priors["drift"].table[()].p95) == (
        "2024-12-31",
        ("n1", "n2", "n3", "s1"),
        pytest.approx(0.6),
    )


def test_vintage__says_about_though_complete(small):
    small.write("vintages/2024-06-30/book.yaml", "about: The first.\n")
    assert small.load("2024-06-30").about == "The first."


BAD = {
    "another date": ("as_of: 2024-11-30", "as_of: 2024-12-01", "book-vintage-name", 3, "write as_of: 2024-11-30"),
    "the date below": ("as_of: 2024-11-30\n", "", "book-dates", None, "expected a date"),
    "no date": ("as_of: 2024-11-30", "as_of: soon", "book-dates", 3, "2026-02-28"),
    "unknown": ("extends: 2024-06-30", "extends: 2024-06-03", "book-not-found", 1, "'2024-06-30'"),
    "base": ("extends: 2024-06-30", "extends: base", "book-not-found", 1, "known: 2024-06-30"),
    "itself": ("extends: 2024-06-30", "extends: 2024-11-30", "book-later-fact", 1, "extend an earlier"),
    "no text": ("extends: 2024-06-30", "extends: [base]", "book-type", 1, "quotes"),
    "removes nothing": ("n0: null", "n9: null", "book-nothing-to-remove", 7, "did you mean"),
    "keeps a label": ("  n0: null\n", "", "book-missing-label", None, "n0"),
}


@pytest.mark.parametrize(("old", "new", "code", "line", "words"), BAD.values(), ids=BAD)
def test_vintage__refuses_with_code_line_and_words(small, old, new, code, line, words):
    small.edit("vintages/2024-11-30/book.yaml", old, new)
    if code == "book-missing-label":  # n0 stays in the world, and neither it nor a default has a price
        small.edit("vintages/2024-06-30/priors.yaml", "    default: {family: lognormal, p05: 5000, p95: 9000}\n", "")
        small.edit(
            "vintages/2024-06-30/priors.yaml",
            "    n1: {family: l",
            "    s1: {family: fixed, value: 1}\n    n1: {family: l",
        )
    fault = small.faults("2024-11-30")[0]
    assert fault.code == code, str(fault)
    assert line is None or fault.place.line == line
    assert words in str(fault)
    assert "2024-" in fault.place.file


def test_vintage__is_named_by_its_date(small):
    (small.root / "vintages/spring").mkdir()
    assert small.fault(as_of="2025-01-01").code == "book-vintage-name"


def test_vintage__does_not_extend_a_later_one(small):
    small.edit("vintages/2024-06-30/world.yaml", "as_of: 2024-06-30", "extends: 2024-11-30\nas_of: 2024-06-30")
    assert small.fault("2024-06-30").problem == "a book of 2024-06-30 cannot extend that of 2024-11-30"


# --- no later fact ---------------------------------------------------------------------------------------------------

JUDGED = '- {judgement: "Nothing yet."}'
ROW = '- {cite: history/sales, where: north.sales.2024, says: "1200.5"}'
REPORT = '- {cite: REPORT, where: T1, says: "20 %"}'

FACTS = {
    "row": (JUDGED, ROW, "history/sales north.sales.2024 (first published) is of 2025-01-20"),
    "bare month": (
        JUDGED,
        JUDGED + '\n    - {cite: history/sales, where: south.sales.2024, says: "30"}',
        "history/sales south.sales.2024 (first published) is of 2025-01-31",
    ),
    "reference": (JUDGED, REPORT, "REPORT (published) is of 2024-11-05"),
    "prior": ("as_of: 2024-03-31", "as_of: 2024-07-01", "price.as_of is of 2024-07-01"),
    "correlation": (
        "    reasoning: The errors are shared.\n    as_of: 2024-06-30",
        "    reasoning: The errors are shared.\n    as_of: 2024-07-01",
        "correlation within price: as_of is of 2024-07-01",
    ),
    "correlation's row": (
        '- {judgement: "One market."}',
        ROW,
        "history/sales north.sales.2024 (first published) is of 2025-01-20",
    ),
}


@pytest.mark.parametrize("name", ["2024-06-30", "2024-06-30 and fast"])
@pytest.mark.parametrize(("old", "new", "words"), FACTS.values(), ids=FACTS)
def test_load__refuses_a_later_fact_by_name(small, name, old, new, words):
    small.edit("vintages/2024-06-30/priors.yaml", old, new)
    fault = small.fault(name.split(" and "))
    text = (small.root / "vintages/2024-06-30/priors.yaml").read_text(encoding="utf-8")
    line = text.splitlines()[fault.place.line - 1]
    assert fault.code == "book-later-fact"
    assert f"{words}, after the book's date, 2024-06-30" in fault.problem
    assert "known by 2024-06-30" in fault.remedy
    assert fault.place.file.endswith("2024-06-30/priors.yaml")
    assert line.strip() in new or line.strip() in old.replace("2024-06-30", "2024-07-01")


def test_load__refuses_a_later_reference_that_a_book_brings_itself(small):
    later = "references:\n  OWN: {title: Later, published: 2024-12-01, kind: primary}\n"
    small.write("vintages/2024-11-30/references.yaml", later)
    fault = small.fault("2024-11-30")
    assert (fault.code, fault.place.line, Path(fault.place.file).name) == ("book-later-fact", 2, "references.yaml")
    assert fault.problem == "references.OWN is of 2024-12-01, after the book's date, 2024-11-30"
    small.edit("vintages/2024-11-30/references.yaml", "2024-12-01", "2024-11-30")
    assert "OWN" in small.load("2024-11-30").references
    assert "OWN" not in small.load("2024-06-30").references


def test_load__refuses_the_later_fact_of_an_overlay_on_an_earlier_book(small):
    prior = (
        f"drift:\n  dist: {{family: fixed, value: 1}}\n  source:\n    {ROW}\n  reasoning: New.\n  as_of: 2025-02-28\n"
    )
    path = small.write("mine.yaml", prior)
    assert small.load(path).as_of == BASE
    assert [fault.code for fault in small.faults(path, as_of="2024-12-31")] == ["book-later-fact"]
    source = small.write("set.yaml", f"source:\n  {ROW}\nset: {{horizon: 2026Q4}}\n")
    assert small.load(source).as_of == BASE
    fault = small.fault(source, as_of="2024-12-31")
    assert (fault.code, fault.place.line, Path(fault.place.file).name) == ("book-later-fact", 2, "set.yaml")


def test_load__lets_an_overlay_date_the_book_and_know_more(small):
    prior = (
        f"drift:\n  dist: {{family: fixed, value: 1}}\n  source:\n    {ROW}\n  reasoning: New.\n  as_of: 2025-01-31\n"
    )
    path = small.write("mine.yaml", "as_of: 2025-01-31\n" + prior)
    book = small.load(path, as_of="2025-01-31")
    assert book.as_of == date(2025, 1, 31)
    assert "n3" in book.axes["chip"]  # over the vintage of 2024-11-30


@pytest.mark.parametrize(("row", "figure"), [("north.shares.2024", "0.4"), ("south.shares.2024", "0.6")])
def test_load__lets_marked_rows_inform_only_a_book_that_looks_back(small, row, figure):
    cited = f'- {{cite: history/sales, where: {row}, says: "{figure}"}}'
    small.edit("base/money.yaml", '- {judgement: "The first quarter alone is known."}', cited)
    assert small.load().priors["band"].source[0].where == row
    small.edit("base/world.yaml", "retrospective: true\n", "")
    fault = small.fault()
    assert (fault.code, "retrospective: true" in fault.remedy) == ("book-later-fact", True)
    small.edit("vintages/2024-06-30/priors.yaml", JUDGED, cited)
    assert small.fault("2024-06-30").code == "book-later-fact"


def test_load__refuses_a_later_row_that_is_not_marked_though_the_book_looks_back(small):
    small.edit("base/world.yaml", "as_of: 2025-02-28", "as_of: 2025-01-19")
    assert {fault.code for fault in small.faults()} == {"book-later-fact"}
    assert any("north.sales.2024" in fault.problem for fault in small.faults())


@pytest.mark.parametrize("where", ["vintages/2024-11-30/book.yaml", "mine.yaml", "--set"])
def test_load__lets_no_vintage_look_back(small, where):
    overrides = {"retrospective": True} if where == "--set" else None
    if where == "mine.yaml":
        small.write(where, "retrospective: true\n")
    elif where != "--set":
        small.edit(where, "chips:\n", "retrospective: true\nchips:\n")
    names = ["2024-11-30", small.root / "mine.yaml"] if where == "mine.yaml" else "2024-11-30"
    fault = small.fault(names, overrides=overrides)
    assert fault.code == "book-retrospective"
    assert where in str(fault.place)


def test_load__leaves_out_shared_references_of_later_days(small):
    assert [set(small.load(as_of=day).references) for day in ("2024-06-30", "2024-11-30", None)] == [
        {"EARLY"},
        {"EARLY", "REPORT"},
        {"EARLY", "REPORT", "RUMOUR"},
    ]


# --- the shipped ones ------------------------------------------------------------------------------------------------

VINTAGES = [name for name in Shelf(priors_folder()).names if name != "base"]


def test_shipped__vintages_are_earlier_than_the_base():
    dates = shipped()
    assert list(dates)[-1] == "base"
    assert len(set(dates.values())) == len(dates)


@pytest.mark.parametrize("name", VINTAGES)
def test_shipped__vintage_refuses_a_later_fact_planted_in_a_copy(name, tmp_path):
    root = tmp_path / "priors"
    shutil.copytree(priors_folder(), root)
    assert load(name, priors=root).as_of.isoformat() == name
    files = {path: path.read_text(encoding="utf-8") for path in (root / "vintages" / name).glob("*.yaml")}
    path, text = next((path, text) for path, text in sorted(files.items()) if "\n    - {" in text)
    planted = '{cite: history/capex, where: meta.capex.2025, says: "69.691 bn USD in 2025"}'
    path.write_text(text.replace("\n    - {", f"\n    - {planted}\n    - {{", 1), encoding="utf-8")
    with pytest.raises(BookError, match=r"history/capex meta.capex.2025.*after the book's date") as caught:
        load(name, priors=root)
    assert str(caught.value).count("[book-later-fact]") == 1
    assert path.name in str(caught.value)
