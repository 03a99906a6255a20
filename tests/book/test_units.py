import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.axes import INPUTS, OUTPUTS
from sim.book.units import factor


@pytest.mark.parametrize(
    ("given_unit", "wanted", "expected"),
    [
        ("USD / unit", "bn USD / M unit", 1e-3),
        ("kUSD/unit", "bn USD / M unit", 1.0),
        ("k USD / unit", "USD / unit", 1e3),
        ("M USD", "bn USD", 1e-3),
        ("MUSD", "M USD", 1.0),
        ("T USD", "bn USD", 1e3),
        ("k unit", "M unit", 1e-3),
        ("TFLOP/s / unit", "FLOP/s / unit", 1e12),
        ("PFLOP/s / unit", "TFLOP/s / unit", 1e3),
        ("EFLOP/s", "PFLOP/s", 1e3),
        ("kW", "W", 1e3),
        ("MW", "W", 1e6),
        ("W * unit", "unit * kW", 1e-3),
        ("year", "quarter", 4.0),
        ("year", "month", 12.0),
        ("day", "second", 86400.0),
        ("year", "year", 1.0),
        ("1 / year", "1 / quarter", 0.25),
        ("% / year", "1 / year", 0.01),
        ("%", "1", 0.01),
        ("bn USD / quarter", "bn USD / year", 4.0),
        ("tokens / day", "tokens / second", 1 / 86400),
        ("M users", "users", 1e6),
        ("USD / unit / year", "USD / year / unit", 1.0),
        ("unit / unit", "1", 1.0),
    ],
)
def test_factor__converts(given_unit, wanted, expected):
    assert factor(given_unit, wanted) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("given_unit", "wanted", "words"),
    [
        ("USD", "W / unit", ["'USD' (money)", "'W / unit' (power / unit)"]),
        ("1", "USD", ["a plain number", "money"]),
        ("year", "1 / year", ["(time)", "(1 / time)"]),
        ("unit", "H100e", ["(unit)", "(H100e)"]),
        ("USB / unit", "USD / unit", ["unknown unit 'USB'", "did you mean 'USD'"]),
        ("furlong", "USD", ["unknown unit 'furlong'", "known: 1, %, USD"]),
        ("", "USD", ["''", "lacks a known unit"]),
        ("USD /", "USD", ["'USD /'", "lacks a known unit"]),
        ("USD // unit", "USD", ["lacks a known unit"]),
        ("k k USD", "USD", ["lacks a known unit"]),
        ("bn", "USD", ["unknown unit 'bn'"]),
        ("$ / unit", "USD", ["cannot be read from '$ / unit'"]),
        ("USD^2", "USD", ["cannot be read from '^2'"]),
        ("kFLOPs", "FLOP/s", ["unknown unit 'kFLOPs'", "did you mean 'FLOP"]),
    ],
)
def test_factor__names_both_units_or_the_part_it_cannot_read(given_unit, wanted, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are checked below
        factor(given_unit, wanted)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("unit", sorted({entry.unit for entry in [*INPUTS.values(), *OUTPUTS.values()]}))
def test_factor__reads_every_unit_of_the_model(unit):
    assert factor(unit, unit) == 1


@given(st.sampled_from(["USD / unit", "k USD / k unit", "bn USD / M unit", "MUSD / unit"]), st.data())
def test_factor__there_and_back_is_one(unit, data):
    other = data.draw(st.sampled_from(["USD / unit", "T USD / unit", "% / unit * USD"]))
    assert factor(unit, other) * factor(other, unit) == pytest.approx(1, rel=1e-15)
