"""Generations, prices and what a dollar holds, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sim.model import chips
from sim.model.constants import A100_TFLOPS, H100_8BIT_TFLOPS, H100_TFLOPS
from sim.model.structure import sums
from sim.replicate import read_book
from tests.model.tiny import STRUCTURE, beliefs, number

CHIPS = STRUCTURE.chips
RETIRING = 3


def share_of(line_up, year):
    """Revenue shares of a line-up in a quarter."""
    return chips.revenue_share(STRUCTURE, chips.risen(line_up, number(year)))


def content_of(line_up, year):
    """What a dollar of a line-up buys in a quarter."""
    return chips.content(STRUCTURE, line_up, chips.risen(line_up, number(year)), number(year))


jitted_share = jax.jit(share_of)


def line_up(**changed):
    """Generations launched long ago at full ceiling and never withdrawn, priced at 1, with what is ``changed``."""
    one = np.ones(CHIPS)
    fields = {name: one for name in chips.Generations._fields}
    fields |= {"launch": 2000 * one, "decline": 0 * one, "retirement": np.inf * one} | changed
    return chips.Generations(**{name: number(value) for name, value in fields.items()})


@pytest.mark.parametrize(
    ("year", "expected"),
    [(2020, 0), (2024, 0), (2024.5, 0.15625), (2025, 0.5), (2025.5, 0.84375), (2026, 1), (2050, 1)],
)
def test_ramp__by_hand(year, expected):
    assert chips.ramp(number(year), number(2024), number(2)) == pytest.approx(expected, abs=1e-6)


@given(st.floats(2015, 2035), st.floats(2015, 2035), st.floats(0.1, 3))
@settings(max_examples=40)
def test_ramp__is_exactly_0_before_and_1_after(year, start, length):
    risen = float(chips.ramp(number(year), number(start), number(length)))
    assert 0 <= risen <= 1
    if number(year) <= number(start):
        assert risen == 0
    if year >= start + length + 1e-3:
        assert risen == 1


@given(st.floats(0.2, 3))
@settings(max_examples=20)
def test_ramp__rises_and_is_symmetric(length):
    years = np.linspace(2024 - 0.1, 2024 + length + 0.1, 101)
    risen = np.array([float(chips.ramp(number(year), number(2024), number(length))) for year in years])
    assert np.all(np.diff(risen) >= -1e-6)
    np.testing.assert_allclose(risen + risen[::-1], 1, atol=2e-3)  # a decimal year in float32 is 1.2e-4 wide


def test_generations__a_successor_is_a_multiple_of_what_it_follows():
    believed = beliefs(
        launch=[2020, 2022, 2024, 2021, 2021, 2022, 2023],
        successor_cadence=[1.5],
        price=[10, 20, 30, 40, 50, 60, 70],
        successor_price=[1.25],
        performance=[1, 2, 3, 4, 5, 6, 7],
        successor_performance=[2],
        performance_8bit=[2, 6, 6, 8, 10, 12, 14],
        successor_performance_8bit=[3],
        system_power=[100, 200, 300, 400, 500, 600, 700],
        successor_power=[1.5],
        package_area=[0.5, 0.75, 1, 1, 1, 1, 1],
        memory=[40, 80, 96, 1, 1, 1, 1],
        successor_memory=[1.5],
    )
    made = chips.generations(STRUCTURE, believed)
    np.testing.assert_allclose(made.launch, [2020, 2022, 2023.5, 2024, 2021, 2021, 2022, 2023], rtol=1e-7)
    np.testing.assert_allclose(made.price, [10, 20, 25, 30, 40, 50, 60, 70], rtol=1e-6)
    np.testing.assert_allclose(made.performance, [1, 2, 4, 3, 4, 5, 6, 7], rtol=1e-6)
    np.testing.assert_allclose(made.performance_8bit, [2, 6, 18, 6, 8, 10, 12, 14], rtol=1e-6)
    np.testing.assert_allclose(made.power, [100, 200, 300, 300, 400, 500, 600, 700], rtol=1e-6)
    np.testing.assert_allclose(made.area, [0.5, 0.75, 0.75, 1, 1, 1, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(made.memory, [40, 80, 120, 96, 1, 1, 1, 1], rtol=1e-6)
    np.testing.assert_array_equal(made.decline, believed["price_decline"])
    np.testing.assert_array_equal(made.ceiling, believed["ceiling"])
    np.testing.assert_array_equal(made.ramp, believed["ramp"])
    np.testing.assert_array_equal(np.delete(made.retirement, RETIRING), np.inf)
    assert made.retirement[RETIRING] == believed["retirement"][0]


def test_generations__without_a_line_to_withdraw_retire_nothing():
    believed = beliefs() | {"retirement": number([])}
    made = chips.generations(STRUCTURE._replace(retiring=()), believed)
    np.testing.assert_array_equal(made.retirement, np.full(CHIPS, np.inf))


def test_generations__a_chain_multiplies_along_it():
    chain = STRUCTURE._replace(catalogue=(0, 3, 4, 5, 6, 7), successors=((1, 0), (2, 1)))
    believed = beliefs(performance=[3, 1, 1, 1, 1, 1]) | {
        name: number([2, 5]) for name in beliefs() if name.startswith("successor_")
    }
    for name in ("launch", "performance_8bit", "price", "system_power", "package_area", "memory"):
        believed[name] = jnp.ones(6)
    made = chips.generations(chain, believed)
    np.testing.assert_allclose(made.performance[:3], [3, 6, 30], rtol=1e-6)
    np.testing.assert_allclose(made.launch[:3], [1, 3, 8], rtol=1e-6)


def test_risen__by_hand():
    # half way up a ramp of a year to 0.8; the same when a quarter of the way down one of 2 years; not yet launched
    launch, ramp, ceiling = np.full(CHIPS, 2024.0), np.ones(CHIPS), np.full(CHIPS, 0.8)
    retirement = np.full(CHIPS, np.inf)
    launch[[1, RETIRING]], ramp[RETIRING], retirement[RETIRING] = [2025, 2020], 2, 2024
    found = chips.risen(line_up(launch=launch, ramp=ramp, ceiling=ceiling, retirement=retirement), number(2024.5))
    expected = np.full(CHIPS, 0.4)
    expected[[1, RETIRING]] = [0, 0.8 * (1 - 0.15625)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_revenue_share__by_hand():
    # mid-ramp everywhere on supplier 0: r = 0.5 for chips 1, 2 and the coexisting 3 with ceiling 0.5: r = 0.25
    ceiling = np.ones(CHIPS)
    ceiling[RETIRING] = 0.5
    launch = np.full(CHIPS, 2024.0)
    share = share_of(line_up(ceiling=ceiling, launch=launch), 2024.5)
    np.testing.assert_allclose(share[:4], [0.75 * 0.5 * 0.5, 0.75 * 0.5 * 0.5, 0.75 * 0.5, 0.25], rtol=1e-4)
    np.testing.assert_allclose(share[4:], [1, 0.5, 0.5, 1], rtol=1e-4)


def test_revenue_share__a_withdrawn_line_falls_along_its_ramp():
    ceiling = np.ones(CHIPS)
    ceiling[RETIRING] = 0.4
    ramp = np.full(CHIPS, 2.0)
    retirement = np.full(CHIPS, np.inf)
    retirement[RETIRING] = 2025
    chosen = line_up(ceiling=ceiling, ramp=ramp, retirement=retirement)
    at = {year: float(share_of(chosen, year)[RETIRING]) for year in (2024, 2025, 2026, 2027)}
    assert at == pytest.approx({2024: 0.4, 2025: 0.4, 2026: 0.2, 2027: 0}, abs=1e-4)
    assert at[2027] == 0


def test_revenue_share__a_chip_not_launched_has_none():
    launch = np.full(CHIPS, 2000.0)
    launch[[1, 6]] = 2026
    share = np.asarray(share_of(line_up(launch=launch), 2025.9))
    assert share[1] == 0
    assert share[6] == 0
    assert share[5] == 1


rows = hnp.arrays(np.float32, (CHIPS, 3), elements=st.floats(0, 1, width=32))


@given(rows, rows, rows, rows, st.floats(2020, 2032))
@settings(max_examples=40)
def test_revenue_share__is_never_negative_and_sums_to_one(launch, ramp, ceiling, retirement, year):
    chosen = chips.Generations(
        launch=number(2020 + 12 * launch),
        ramp=number(0.1 + 2 * ramp),
        ceiling=number(ceiling),
        retirement=number(np.where(np.arange(CHIPS)[:, None] == RETIRING, 2020 + 12 * retirement, np.inf)),
        **{name: jnp.ones((CHIPS, 3)) for name in chips.Generations._fields[4:]},
    )
    share = jitted_share(chosen, year)
    assert np.all(np.asarray(share) >= 0)
    np.testing.assert_allclose(sums(share, STRUCTURE.chip_supplier, STRUCTURE.suppliers), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("launch", "year", "age"),
    [(2024.5, 2026, 1.5), (2024.5, 2024.5, 0), (2024.5, 2023, 0), (2020, 2024, 2), (2020, 2022, 0)],
)
def test_price__falls_with_age_since_launch_or_2022(launch, year, age):
    chosen = line_up(launch=np.full(CHIPS, launch), price=np.full(CHIPS, 30.0), decline=np.full(CHIPS, 0.1))
    np.testing.assert_allclose(chips.price(chosen, number(year)), 30 * np.exp(-0.1 * age), rtol=2e-5)


def test_content__by_hand():
    # supplier 2 sells two chips half and half at 20 and 50 bn USD / M unit: 0.025 and 0.01 M units a bn USD
    launch = np.full(CHIPS, 2000.0)
    launch[6] = 2024
    price, performance = np.ones(CHIPS), np.ones(CHIPS)
    price[[5, 6]], performance[[5, 6]] = [20, 50], [H100_TFLOPS, 3 * H100_TFLOPS]
    area, power, memory = np.ones(CHIPS), np.ones(CHIPS), np.ones(CHIPS)
    area[[5, 6]], power[[5, 6]], memory[[5, 6]] = [0.5, 1], [1000, 2000], [80, 300]
    holds = content_of(
        line_up(
            launch=launch,
            price=price,
            performance=performance,
            performance_8bit=performance * 2 * H100_8BIT_TFLOPS / H100_TFLOPS,
            area=area,
            power=power,
            memory=memory,
        ),
        2024.5,
    )
    np.testing.assert_allclose(holds.units[5:7], [0.025, 0.01], rtol=1e-4)
    np.testing.assert_allclose(holds.h100e[2], 0.025 + 0.03, rtol=1e-4)
    np.testing.assert_allclose(holds.h100e8[2], 2 * (0.025 + 0.03), rtol=1e-4)
    np.testing.assert_allclose(holds.made[:, 2], [0.0125 + 0.01, 2 + 3], rtol=1e-4)
    np.testing.assert_allclose(holds.power[2], 25 + 20, rtol=1e-4)


def test_content__spends_one_dollar():
    rng = np.random.default_rng(5)
    chosen = line_up(
        launch=rng.uniform(2020, 2026, CHIPS),
        ceiling=rng.uniform(0, 1, CHIPS),
        price=rng.uniform(5, 50, CHIPS),
        decline=rng.uniform(0, 0.2, CHIPS),
    )
    paid = content_of(chosen, 2025.375).units * chips.price(chosen, number(2025.375))
    np.testing.assert_allclose(sums(paid, STRUCTURE.chip_supplier, STRUCTURE.suppliers), 1, rtol=1e-5)


def test_content__gives_the_reports_a100s_of_fiscal_2024():
    """HT24:F57: 38.9 bn USD of accelerators at 20,000 USD are 1.945 M A100e, of 312 TFLOP/s each."""
    given = read_book().tables["ht24_f57"]
    revenue, price = (float(given.inputs[name].values()[0]) for name in ("revenue", "price"))
    one = np.ones(CHIPS)
    sold = line_up(price=one * price, performance=one * A100_TFLOPS)
    holds = content_of(sold, 2023.5)
    supplier = STRUCTURE.chip_supplier[4]  # one chip
    assert revenue * float(holds.units[4]) == pytest.approx(1.945, rel=1e-6)
    assert revenue * float(holds.h100e[supplier]) * H100_TFLOPS / A100_TFLOPS == pytest.approx(1.945, rel=1e-6)
    assert given.published["units"].values == ("1.945",)
