"""Quantities of any period against the cells of a summary, and against days counted by hand."""

import datetime as dt

import numpy as np
import pytest

from sim import address, devices
from sim.engine import Engine
from sim.ensemble import ensemble, quantity
from sim.errors import BookError

DRAWS = 300


@pytest.fixture(scope="module")
def cells(base_world):
    engine = Engine(base_world, 3, devices.mesh())
    return np.concatenate([found for _, found in engine.cells_of(engine.blocks_of(0, DRAWS), DRAWS)], axis=1)


def drawn(world, *texts):
    return ensemble(world, [quantity(world, text) for text in texts], draws=DRAWS, seed=3).quantities


@pytest.mark.parametrize(
    "text",
    [
        *("revenue[nvidia,2027]", "revenue[total,2026Q3]", "h100e8[google_tpu,2028]", "capex[reported,2026]"),
        *("capex[total,2029]", "installed[total,2027]", "bound_buyers[supply,2026]", "tokens_served[meta,2028]"),
    ],
)
def test_quantity__of_a_cell_is_that_cell(base_world, cells, text):
    expected = cells[address.parse(base_world, text).place]
    np.testing.assert_allclose(drawn(base_world, text)[0], expected, rtol=1e-5)


def test_quantity__parts_of_a_year_add_up_to_it(base_world):
    for whole, parts in {"2027": ("2027H1", "2027H2"), "2027H2": ("2027Q3", "2027Q4")}.items():
        year, *each = drawn(base_world, *(f"capex[meta,{period}]" for period in (whole, *parts)))
        np.testing.assert_allclose(sum(each), year, rtol=1e-9)
    fiscal = drawn(
        base_world, *(f"revenue[nvidia,{period}]" for period in ("FY28Q1", "FY28Q2", "FY28Q3", "FY28Q4", "FY2028"))
    )
    np.testing.assert_allclose(fiscal[:4].sum(axis=0), fiscal[4], rtol=1e-9)


def test_fiscal_quarter__is_days_of_two_calendar_quarters(base_world):
    """FY26Q1 of NVIDIA ran from 27 January to 27 April 2025."""
    found = quantity(base_world, "revenue[nvidia,FY26Q1]")
    days = (dt.date(2025, 3, 31) - dt.date(2025, 1, 27)).days + 1
    assert {t: w for t, w in enumerate(found.weights) if w} == pytest.approx({12: days / 90, 13: 27 / 91})


def test_line__is_revenue_over_the_part_of_it_that_is_accelerators(base_world):
    wanted = [quantity(base_world, f"{output}[google_tpu,2027]") for output in ("line", "revenue")]
    found = ensemble(base_world, wanted, draws=DRAWS, seed=3, beliefs=True)
    share = found.beliefs[[entry.stream for entry in base_world.entries].index("reported_share[google_tpu]")]
    np.testing.assert_allclose(found.quantities[0] * share, found.quantities[1], rtol=1e-6)
    assert (share < 1).all()


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("revenue", "quantity-form", "for example"),
        ("revenu[nvidia,2027]", "quantity-output", "revenue"),
        ("revenue[nvidai,2027]", "quantity-label", "nvidia"),
        ("line[amd,2027]", "quantity-label", "google_tpu"),
        ("revenue[nvidia,2027Q5]", "quantity-period", "2025H2"),
        ("revenue[nvidia,2027H3]", "quantity-period", "2025H2"),
        ("revenue[amd,FY26Q1]", "quantity-period", "fiscal"),
        ("revenue[nvidia,2031]", "quantity-period", "in the run"),
        ("revenue[nvidia,FY2022]", "quantity-period", "in the run"),
    ],
)
def test_quantity__that_is_not_there_says_what_is(base_world, text, code, says):
    with pytest.raises(BookError, match=says) as caught:
        quantity(base_world, text)
    assert caught.value.code == code
