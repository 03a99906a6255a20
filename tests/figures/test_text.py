import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.figures.text import number, one_line, places, shorten, width, wrap


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.5, "1,234"), (66.6666, "66.7"), (-0.01234, "−0.0123"), (math.nan, "–"), (math.inf, "–")],
)
def test_number__has_three_significant_digits(value, text):
    assert number(value) == text


def test_number__of_changes_has_a_sign_and_common_places():
    assert [number(value, places(-40.0), sign="+") for value in (12.0, -40.0, 0.26)] == ["+12.0", "−40.0", "+0.3"]


def test_width__counts_two_columns_for_chinese_signs():
    assert [width(text) for text in ("abc", "收入", "收a")] == [3, 4, 3]
    assert shorten("数据中心收入", 8) == "数据中…"


@settings(max_examples=40)
@given(st.text(max_size=80), st.integers(4, 30), st.integers(1, 4))
def test_wrap__keeps_every_sign_in_lines_that_fit(text, most, lines):
    found = wrap(text, most, lines, after=" _")
    assert len(found) <= lines
    assert all(width(line) <= most for line in found)
    if not found[-1].endswith("…"):
        assert "".join(found).replace(" ", "") == one_line(text).replace(" ", "")


def test_wrap__breaks_after_the_signs_given():
    assert wrap("efficiency_shock_no_jevons", 14, 3, after=" _") == ["efficiency_", "shock_no_", "jevons"]
    assert wrap("one two three", 9, 2) == ["one two", "three"]
