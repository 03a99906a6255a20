"""Every fault of a file of observations at its line, and the likelihood against SciPy."""

import numpy as np
import pytest
from scipy.stats import norm

from sim import forecast
from sim.book.check import BookFaults
from sim.book.load import priors_folder
from sim.conditioning import observations
from sim.conditioning.observations import (
    COLUMNS,
    Observation,
    digest,
    log_likelihood,
    quantities,
    read,
    residuals,
)
from sim.errors import BookError, Place
from sim.history import read as history_rows

HEADER = ",".join(COLUMNS)
GOOD = "capex,meta,2025Q1,12.9,10%"


@pytest.fixture
def written(tmp_path):
    def write(*lines, header=HEADER):
        path = tmp_path / "seen.csv"
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    return write


def refused(path, code, line, *words):
    with pytest.raises(BookError) as caught:
        read(path)
    assert caught.value.code == code
    assert caught.value.place == Place(str(path), line)
    assert caught.value.remedy
    for word in words:
        assert word in str(caught.value)


def test_read__takes_errors_in_the_unit_or_relative(written):
    path = written(GOOD, "", "line, nvidia ,FY26Q1,39.1,1.5")
    first, second = read(path)
    assert first[:5] == ("capex", "meta", "2025Q1", 12.9, pytest.approx(1.29))
    assert second[:5] == ("line", "nvidia", "FY26Q1", 39.1, 1.5)
    assert (first.place.line, second.place.line) == (2, 4)


@pytest.mark.parametrize(
    ("line", "code", "word"),
    [
        ("capex,meta,2025Q1,12.9,0", "observation-error", "not above 0"),
        ("capex,meta,2025Q1,12.9,-1", "observation-error", "not above 0"),
        ("capex,meta,2025Q1,12.9,-5%", "observation-error", "not above 0"),
        ("capex,meta,2025Q1,0,5%", "observation-error", "not above 0"),
        ("capex,meta,2025Q1,12.9,", "observation-number", "error"),
        ("capex,meta,2025Q1,nan,1", "observation-number", "value"),
        ("capex,meta,2025Q1,1e999,1", "observation-number", "value"),
        ("capex,meta,2025Q1,12.9,inf", "observation-number", "error"),
        ("capex,meta,2025Q1,12_9,1", "observation-number", "value"),
        ("capex,meta,2025Q1,12.9 bn,1", "observation-number", "value"),
        ("capex,meta,2025Q1,12,9,1", "observation-cells", "6 cells, not 5"),
        ("capex,meta,2025Q1,12.9", "observation-cells", "4 cells, not 5"),
        ("capex;meta;2025Q1;12.9;1", "observation-cells", "1 cells, not 5"),
        (GOOD, "observation-twice", "line 2"),
        ("capex,meta,2025Q1,12.90,10.0%", "observation-twice", "line 2"),
    ],
)
def test_read__tells_a_bad_line(written, line, code, word):
    refused(written(GOOD, line), code, 3, word)


def test_read__tells_all_bad_lines_at_once(written):
    with pytest.raises(BookFaults) as caught:
        read(written("capex,meta,2025Q1,x,1", GOOD, "capex,meta,2025Q2,1,0"))
    assert [fault.place.line for fault in caught.value.faults] == [2, 4]


def test_read__takes_a_second_measurement(written):
    assert len(read(written(GOOD, "capex,meta,2025Q1,12.9,11%"))) == 2


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ("metric,entity,period,value", "no column error"),
        ("metric,entity,period,error,value", "in another order"),
        ("metric,entity,period,value,error,note", "other columns"),
        ("Metric,entity,period,value,error", "no column metric"),
    ],
)
def test_read__tells_another_header(written, header, word):
    refused(written(GOOD, header=header), "observation-header", 1, word, HEADER)


def test_read__tells_what_is_no_text(tmp_path):
    path = tmp_path / "seen.csv"
    for content, code, line in (
        (b"", "observation-header", 1),
        (HEADER.encode(), "observation-none", 1),
        (b"\xef\xbb\xbf" + HEADER.encode(), "observation-text", 1),
        (f"{HEADER}\n{GOOD}\ncapex,m\xe9ta,2025Q1,1,1".encode("latin-1"), "observation-text", 3),
        (f'{HEADER}\n"capex",meta,2025Q1,1,1'.encode(), "observation-text", 2),
        (f"{HEADER}\ncapex\0,meta,2025Q1,1,1".encode(), "observation-text", 2),
    ):
        path.write_bytes(content)
        refused(path, code, line)
    refused(tmp_path / "none.csv", "observation-file", None)
    refused(tmp_path, "observation-file", None)


def faults(vintage, *rows):
    """Codes and messages of rows (metric, entity, period, value) by line."""
    seen = [Observation(*row, 1.0, Place("seen.csv", i)) for i, row in enumerate(rows, start=2)]
    with pytest.raises(BookError) as caught:
        quantities(vintage.world, seen)
    found = getattr(caught.value, "faults", [caught.value])
    assert all(each.remedy for each in found)
    return {each.place.line: (each.code, str(each)) for each in found}


def test_quantities__tell_unknown_names_at_their_lines(vintage):
    found = faults(
        vintage,
        ("capx", "meta", "2025Q1", 1.0),
        ("capex", "metta", "2025Q1", 1.0),
        ("capex", "meta", "2025-Q1", 1.0),
        ("capex", "meta", "2035Q1", 1.0),
        ("capex", "meta", "2025Q1", 12.0),
        ("capex", "", "2025Q1", 1.0),
        ("revenue_share", "nvidia", "2026", 0.5),
    )
    assert list(found) == [2, 3, 4, 5, 7, 8]
    assert [found[line][0] for line in (2, 3, 4, 5)] == [
        *("quantity-output", "quantity-label", "quantity-period", "quantity-period"),
    ]
    assert "did you mean 'capex'" in found[2][1]
    assert "'meta'" in found[3][1]
    assert "'2025Q1'" in found[4][1]


def test_quantities__tell_what_the_record_knows(vintage):
    found = faults(
        vintage,
        ("capex", "meta", "2024Q4", 14.0),
        ("capex", "reported", "2024", 223.0),
        ("line", "nvidia", "FY25Q3", 30.8),
        ("line", "nvidia", "2023Q2", 9.0),
        ("ai_capex", "meta", "2024", 20.0),
    )
    codes = [code for code, _ in found.values()]
    assert codes == [*["observation-known"] * 4, "observation-record"]
    assert quantities(vintage.world, [Observation("line", "nvidia", "FY25Q4", 35.6, 1.0, Place("seen.csv", 2))])
    assert quantities(vintage.world, [Observation("capex", "total", "2024Q4", 76.0, 1.0, Place("seen.csv", 2))])


def test_quantity__of_a_year_that_is_partly_in_the_record_is_not_known():
    """The record of May 2024 ends with its first quarter."""
    world = forecast.load("2024-05-27")

    def wanted(period):
        return observations._quantity(world, Observation("capex", "meta", period, 40.0, 1.0, Place("seen.csv", 2)))

    assert wanted("2024").weights.sum() == 4
    with pytest.raises(BookError, match="observation-known"):
        wanted("2024Q1")


def test_quantities__tell_values_that_cannot_be(vintage):
    found = faults(
        vintage,
        ("capex", "meta", "2025Q1", -12.9),
        ("capex", "meta", "2025Q1", 0.0),
        ("bound_buyers", "supply", "2026", 30.0),
    )
    assert [code for code, _ in found.values()] == ["observation-impossible"] * 3
    assert "0.3" in found[4][1]


def test_quantities__tell_another_unit_and_what_is_always_0(vintage):
    found = faults(
        vintage,
        ("capex", "meta", "2025Q1", 12_941.0),
        ("power", "meta", "2026", 2.0),
        ("chip_units", "rubin", "2024", 1.0),
        ("net_income", "meta", "2026", -5.0),
    )
    assert {line: code for line, (code, _) in found.items()} == {
        **dict.fromkeys((2, 3), "observation-impossible"),
        4: "observation-known",
    }
    assert "bn USD" in found[2][1]
    assert "MW" in found[3][1]


def test_log_likelihood__is_scipys_but_for_a_constant():
    rng = np.random.default_rng(0)
    seen = [Observation("capex", "meta", f"2025Q{i}", 10.0 * i, 0.5 * i, Place("seen.csv", i)) for i in (1, 2, 3)]
    drawn = rng.normal(20, 5, (3, 50))
    expected = sum(norm.logpdf(each.value, row, each.error) for each, row in zip(seen, drawn, strict=True))
    found = log_likelihood(residuals(seen, drawn))
    np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-9)


def test_digest__knows_values_and_not_their_order():
    one, two = (Observation("capex", "meta", f"2025Q{i}", 10.0, 1.0, Place("seen.csv", i)) for i in (1, 2))
    assert digest([one, two]) == digest([two, one])
    assert digest([one]) == digest([one._replace(place=Place("other.csv", 9))])
    assert digest([one]) not in {digest([one._replace(error=1.1)]), digest([two]), digest([one, two])}


def test_shipped__quarters_are_those_of_the_history(shipped):
    """Amazon's gross quarters stand on the net definition of its year 2024, the last that was known."""
    rows = history_rows(priors_folder() / "history" / "capex.csv")
    quarter = {(row.entity, row.period): row.value for row in rows if row.metric == "capex_quarter"}
    year = {(row.entity, row.period): row.value for row in rows if row.metric == "capex"}
    net = year["amazon", "2024"] / sum(quarter["amazon", f"2024Q{i}"] for i in (1, 2, 3, 4))
    line = {
        row.period: row.value
        for row in history_rows(priors_folder() / "history" / "revenue.csv")
        if row.entity == "nvidia" and row.metric == "revenue_data_center"
    }
    seen = read(shipped)
    found = {(each.entity, each.period): each.value for each in seen if "Q" in each.period}
    assert len(seen) == 14
    for (entity, period), value in found.items():
        if period != "FY26Q3":  # an outlook
            given = line[period] if entity == "nvidia" else quarter[entity, period] * (net if entity == "amazon" else 1)
            assert value == pytest.approx(given, abs=5e-4), (entity, period)
