"""The published figures: all there, judged as the source book asks, and an error planted anywhere is found."""

import csv
import itertools
import json
import re
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from sim.book.load import priors_folder
from sim.errors import BookError
from sim.model import need
from sim.replicate import as_json, count, read_book, replicate, table
from sim.replicate.book import UNITS, Input, parse_printed
from sim.replicate.cases import CASES

BACK_SOLVED = ("tokens_served", "tokens_tuned", "training_days", "serving_days", "utilisation")

# Section 2 of the source book; another slip needs an edit here too.
NAMED = {
    "amazon_2024", "amazon_2q24", "cagr_2005", "consensus", "gpt4_a100", "gpt4_h100", "gpt4_price", "growth_2006",
    "growth_2008", "growth_2009", "growth_2024", "guidance_2025", "header_year", "llama_mfu", "meta_2024",
    "share_price", "tokens_per_second", "v100_blank",
}  # fmt: skip


@pytest.fixture(scope="module")
def book():
    return read_book()


@pytest.fixture(scope="module")
def rows(book):
    return replicate(book)


def exact(value, unit):
    return Input(exact=value, unit=unit, cite="planted")


def with_table(book, name, **changes):
    """The book with one table only, changed."""
    return book.model_copy(update={"tables": {name: book.tables[name].model_copy(update=changes)}})


def with_input(book, name, key, given):
    return with_table(book, name, inputs={**book.tables[name].inputs, key: given})


def with_figure(book, name, row, **changes):
    published = book.tables[name].published
    return with_table(book, name, published={**published, row: published[row].model_copy(update=changes)})


def test_replicate__nothing_fails(rows):
    assert count(rows) == {"ok": 150, "slip": 15, "differs": 2, "fails": 0}


def test_replicate__reproduces_every_cell_of_both_headline_tables(rows):
    for name, cells in (("ht24_t55", 54), ("ht24_t56", 18)):
        assert [row.status for row in rows if row.id.startswith(f"{name}.")] == ["ok"] * cells


def test_replicate__ids_are_unique(rows):
    assert max(Counter(row.id for row in rows).values()) == 1


def test_replicate__differs_only_where_6nd_is_not_how_it_was_counted(rows):
    assert {row.id for row in rows if row.status == "differs"} == {"gh24_f16.work.PaLM", "gh24_f16.work.MT-NLG"}


def test_replicate__carries_the_inputs_half_units():
    # 35.26 / 62.89 - 1, each printed to 0.01: the largest move over the corners of both intervals
    (row,) = (row for row in replicate() if row.id == "ht24_growth_2006_2014.growth.2009")
    corners = [after / before - 1 for before in (62.885, 62.895) for after in (35.255, 35.265)]
    reach = max(abs(100 * corner - row.computed) for corner in corners)
    assert row.tolerance == pytest.approx(0.005 + reach, rel=1e-3)


def test_replicate__gives_the_same_in_float32(book, rows):
    computed = {row.id: row.computed for row in rows}
    for name in ("ht24_t55", "ht24_t56"):
        given = book.tables[name]
        shape = (len(given.columns),)
        inputs = {key: np.broadcast_to(each.values(), shape) for key, each in given.inputs.items()}
        with jax.enable_x64(False):
            outputs = CASES[given.case](**{key: jnp.asarray(each, jnp.float32) for key, each in inputs.items()})
        for key, figure in given.published.items():
            wide = [computed[f"{name}.{key}.{column}"] for column in given.columns]
            np.testing.assert_allclose(outputs[key] / UNITS[figure.unit], wide, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "key", "planted", "failing"),
    [
        ("ht24_t55", "utilisation", exact(0.74, "1"), 28),
        ("ht24_t55", "training_days", exact(16.0, "day"), 24),
        ("ht24_t55", "serving_days", exact(31.0, "day"), 18),
        ("ht24_t55", "tokens_per_parameter", exact(21.0, "token / parameter"), 30),
        ("ht24_t55", "cards", exact(9.0, "A100 / server"), 6),
        ("ht24_t56", "days", exact(31.0, "day"), 12),
        ("ht24_t56", "visits", exact(2.0, "visit / user / month"), 18),
        ("ht24_t56", "performance", exact(311.0, "TFLOP/s"), 6),
        ("ht24_f57", "price", exact(21_000.0, "USD / unit"), 1),
        ("cj25_depreciation", "life", exact(6.0, "year"), 8),
        ("ht24_cagr", "years", exact((3.0, 5.0, 3.0, 3.0), "year"), 1),
        ("gh24_gpt4_h100", "price", exact(3.0, "USD / unit / h"), 1),
    ],
)
def test_replicate__finds_a_planted_input(book, name, key, planted, failing):
    assert count(replicate(with_input(book, name, key, planted)))["fails"] == failing


def test_replicate__finds_a_planted_constant(book, monkeypatch):
    monkeypatch.setattr(need, "TRAINING_FLOP", 5.0)
    rows = replicate(with_table(book, "ht24_t55"))
    assert {row.id.split(".")[1] for row in rows if row.status == "fails"} >= {"pretraining_work", "tuning_work"}


def test_replicate__finds_a_misprinted_cell(book):
    figure = book.tables["ht24_t56"].published["load"]
    planted = with_figure(book, "ht24_t56", "load", values=("61,730", *figure.values[1:]))
    assert [row.id for row in replicate(planted) if row.status == "fails"] == ["ht24_t56.load.1,000"]


def test_replicate__fails_a_slip_whose_corrected_value_is_wrong(book):
    slips = book.tables["tf24_llama_mfu"].published["mfu"].slips
    wrong = {column: slip.model_copy(update={"corrected": "40.9"}) for column, slip in slips.items()}
    assert count(replicate(with_figure(book, "tf24_llama_mfu", "mfu", slips=wrong)))["fails"] == 1


def test_replicate__fails_a_slip_that_nobody_named(book):
    assert count(replicate(with_figure(book, "cj25_company_growth_2024", "growth", slips={})))["fails"] == 1


def test_slips__are_those_the_source_book_names_each_on_one_figure(book, rows):
    used = Counter(
        (given.slip, name)
        for name, each in book.tables.items()
        for figure in each.published.values()
        for given in figure.slips.values()
    )
    assert set(book.slips) == NAMED
    assert {slip for slip, _ in used} == {name for name, slip in book.slips.items() if not slip.not_computed}
    assert {pair: times for pair, times in used.items() if times > 1} == {("gpt4_a100", "gh24_gpt4_a100"): 2}
    assert all(row.corrected and "Named slip:" in row.note for row in rows if row.status == "slip")


def test_inputs__of_t55_are_one_set_for_all_cells(book):
    given = book.tables["ht24_t55"]
    assert all(len(given.inputs[key].exact) == 1 for key in BACK_SOLVED)
    assert all("unstated" in given.inputs[key].cite for key in BACK_SOLVED)
    assert "solved jointly" in given.note


def test_inputs__are_never_the_figure_they_give(book):
    for name, given in book.tables.items():
        for figure in given.published.values():
            printed = {parse_printed(cell).low * UNITS[figure.unit] for cell in figure.values}
            for key, each in given.inputs.items():
                same = [value for value in each.values() if each.unit == figure.unit and value in printed]
                assert not same, f"{name}: input {key} equals what it gives"


def test_inputs__cited_from_history_are_its_rows(book):
    with (priors_folder() / "history" / "capex.csv").open(encoding="utf-8", newline="") as stream:
        history = {row["key"]: float(row["value"]) for row in csv.DictReader(stream)}
    checked = 0
    for given in book.tables.values():
        if any(each.cite == "history/capex" for each in given.inputs.values()):
            for column, before, after in zip(
                given.columns, given.inputs["before"].printed, given.inputs["after"].printed, strict=True
            ):
                company, year, quarter = re.fullmatch(r"(\w+)\.(\d{4})(Q\d)?", column).groups(default="")
                metric = f"{company}.capex_quarter" if quarter else f"{company}.capex"
                assert float(before) == history[f"{metric}.{int(year) - 1}{quarter}"]
                assert float(after) == history[f"{metric}.{year}{quarter}"]
                checked += 1
    assert checked == 16


def test_inputs__of_growth_chain_from_year_to_year(book):
    tables = [book.tables["ht24_growth_2006_2014"], book.tables["ht24_growth_2015_2023"]]
    before = list(itertools.chain.from_iterable(each.inputs["before"].printed for each in tables))
    after = list(itertools.chain.from_iterable(each.inputs["after"].printed for each in tables))
    assert before[1:] == after[:-1]


def test_as_json__is_json(rows):
    first = json.loads(json.dumps(as_json(rows), allow_nan=False))[0]
    assert first["id"] == "ht24_t55.total_work.500"
    assert first["published"] == "86,914"
    assert first["status"] == "ok"


def test_table__shows_every_row_and_the_counts(rows):
    console = Console(width=240)
    with console.capture() as captured:
        console.print(table(rows))
    text = captured.get()
    assert "167 figures: 150 ok, 15 slip, 2 differs" in text
    assert text.count("HT24:T55") == 56


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("86,914", (86_914, 86_914, 0.5)),
        ("-43.93", (-43.93, -43.93, 0.005)),
        ("178.50", (178.5, 178.5, 0.005)),
        ("3.8e25", (3.8e25, 3.8e25, 0.05e25)),
        ("about 24,000", (24_000, 24_000, 500)),
        ("about 30", (30, 30, 5)),
        ("2.0 to 2.1", (2.0, 2.1, 0.05)),
        ("> 15", (15, float("inf"), 0.5)),
    ],
)
def test_parse_printed__keeps_the_precision(text, expected):
    assert parse_printed(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "12 %", "1,23", "> 1 to 2", "2.1 to 2.0", "nan", "1e400x"])
def test_parse_printed__refuses_what_is_no_figure(text):
    with pytest.raises(ValueError, match="write"):
        parse_printed(text)


SMALL = """\
slips: {named: {says: a slip}}
tables:
  market:
    source: HT24:F15
    about: A market
    case: growth
    inputs:
      before: {printed: "2", unit: bn USD, cite: HT24}
      after: {printed: "3", unit: bn USD, cite: HT24}
    published:
      growth: {unit: "%", values: "50"}
left_out: {}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("case: growth", "case: grwth", 4, "did you mean 'growth'"),
        ('{unit: "%"', "{unit: pct", 11, "unknown unit 'pct'"),
        ('values: "50"', "values: 50", 11, "text"),
        ('values: "50"', 'values: ["50", "60"]', 4, "2 values for 1 columns"),
        ('values: "50"', 'values: "50", slips: {value: {corrected: "49", slip: mine}}', 11, "no slip that the source"),
        (
            'values: "50"',
            'values: "50", slips: {other: {corrected: "49", slip: named}}',
            4,
            "a slip in no column 'other'",
        ),
        ('{printed: "2", unit', '{printed: "2", exact: 2, unit', 8, "give one of the two"),
        ('before: {printed: "2"', 'before: {printed: "> 2"', 8, "an input is one figure"),
        ("      before:", "      earlier:", 4, "takes before, after"),
        ("    case: growth", "    case: growth\n    like: elsewhere", 7, "no table above it"),
        ("source: HT24:F15", "sauce: HT24:F15", 4, "unknown key 'sauce'"),
    ],
)
def test_read_book__refuses_with_place_and_remedy(tmp_path, old, new, line, says):
    path = tmp_path / "replication.yaml"
    path.write_text(SMALL.replace(old, new), encoding="utf-8")
    with pytest.raises(BookError) as caught:
        read_book(path)
    assert says in str(caught.value)
    assert f"replication.yaml:{line}:" in str(caught.value)


def test_replicate__refuses_an_output_that_the_case_does_not_give(tmp_path):
    path = tmp_path / "replication.yaml"
    path.write_text(SMALL.replace("growth: {unit", "rise: {unit"), encoding="utf-8")
    with pytest.raises(BookError, match="gives no 'rise'"):
        replicate(read_book(path))
