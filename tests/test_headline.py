"""The headline: rows that a program reads, and a table that shows names as they are written."""

import io
import json

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from sim import headline
from sim.axes import CONSTRAINTS, TIERS

OF = dict.fromkeys(("capex", "need", "shortfall", "coverage"), "buyer") | {
    "binding": "constraint",
    "bound_buyers": "constraint",
    "tier_revenue": "tier",
}
"""Whom an output is of, where that is no supplier."""
FIGURES = ("p05", "p25", "p50", "p75", "p95", "mean")


@pytest.fixture(scope="module")
def rows(base_run):
    return headline.rows(base_run.tree)


def shown(rows, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(headline.table(rows, "2026-02-28"))
    return console.file.getvalue()


def chosen(rows, **wanted) -> list[dict]:
    return [row for row in rows if wanted.items() <= row.items()]


def test_rows__have_exactly_the_keys_that_are_promised(rows):
    for row in rows:
        whose = OF.get(row["output"], "supplier")
        assert tuple(row) == ("output", whose, "period", "unit", *FIGURES)
        assert all(isinstance(row[key], str) for key in ("output", whose, "period", "unit"))
        assert all(isinstance(row[key], float) for key in FIGURES)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_rows__are_unique_and_ordered_within(rows):
    keys = [(row["output"], row[OF.get(row["output"], "supplier")], row["period"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert all(row["p05"] <= row["p25"] <= row["p50"] <= row["p75"] <= row["p95"] for row in rows)


def test_rows__show_what_a_reader_asks_first(rows):
    outputs = {
        "h100e",
        "a100e",
        "revenue",
        "fiscal_revenue",
        "revenue_share",
        "h100e_growth",
        "revenue_growth",
        "capex",
        *OF,
    }
    assert {row["output"] for row in rows} == outputs
    years = [str(year) for year in range(2025, 2031)]
    for output in ("h100e", "a100e", "revenue", "h100e_growth"):
        for supplier in ("nvidia", "total"):
            assert [row["period"] for row in chosen(rows, output=output, supplier=supplier)] == years
    fiscal = chosen(rows, output="fiscal_revenue", supplier="nvidia")
    assert [row["period"] for row in fiscal] == [f"FY{year}" for year in range(2026, 2031)]
    assert {row["buyer"] for row in chosen(rows, output="capex")} == {"reported", "total"}
    for constraint in CONSTRAINTS:
        assert [row["period"] for row in chosen(rows, output="binding", constraint=constraint)] == years[1:]
    assert {row["tier"] for row in chosen(rows, output="tier_revenue")} == set(TIERS)
    assert {row["buyer"] for row in chosen(rows, output="shortfall")} == {"total"}
    assert not chosen(rows, output="revenue_share", supplier="total")


@pytest.mark.parametrize(
    ("output", "unit"),
    [
        ("h100e", "M H100e"),
        ("a100e", "M A100e"),
        ("revenue", "bn USD"),
        ("fiscal_revenue", "bn USD"),
        ("revenue_share", "1"),
        ("revenue_growth", "1"),
    ],
)
def test_rows__carry_their_unit(rows, output, unit):
    assert {row["unit"] for row in chosen(rows, output=output)} == {unit}


def test_rows__are_the_trees_numbers(rows, base_run):
    levels = dict(zip(FIGURES, (0.05, 0.25, 0.5, 0.75, 0.95), strict=False))
    for row in rows:
        if row["output"] == "a100e":
            continue
        whose = OF.get(row["output"], "supplier")
        dim = "capex_buyer" if row["output"] == "capex" else whose
        period = "fiscal_year" if row["output"] == "fiscal_revenue" else "year"
        dim = f"fiscal_{dim}" if period == "fiscal_year" else dim
        data = base_run.tree[f"prior_predictive/{period}"].to_dataset()
        at = {dim: row[whose], period: row["period"]}
        for key, level in levels.items():
            assert row[key] == float(data[row["output"]].sel(at).sel(quantile=level))
        assert row["mean"] == float(data[f"{row['output']}_mean"].sel(at))


def test_rows__one_of_the_constraints_binds(rows):
    """The probabilities of a year are means of shares that sum to 1 in every draw."""
    for output in ("binding", "bound_buyers"):
        for year in range(2026, 2031):
            found = [row["mean"] for row in chosen(rows, output=output, period=str(year))]
            assert len(found) == 3
            assert sum(found) == pytest.approx(1, abs=1e-5)


def test_rows__an_a100_is_312_of_989_of_an_h100(rows):
    for row in chosen(rows, output="a100e"):
        (same,) = chosen(rows, output="h100e", supplier=row["supplier"], period=row["period"])
        assert [row[key] for key in FIGURES] == pytest.approx([same[key] * 989 / 312 for key in FIGURES], rel=1e-12)


def test_rows__history_is_what_was_reported(rows):
    (year,) = chosen(rows, output="fiscal_revenue", period="FY2026")
    assert [year[key] for key in FIGURES] == pytest.approx([193.737] * 6, rel=1e-5)


def test_rows__growth_from_nothing_is_null(base_run):
    tree = base_run.tree.copy()
    year = tree["prior_predictive/year"].to_dataset()
    lost = year["revenue_growth"].where(year["supplier"] != "nvidia")
    tree["prior_predictive/year"] = xr.DataTree(year.assign(revenue_growth=lost))
    found = chosen(headline.rows(tree), output="revenue_growth", supplier="nvidia")
    assert found
    assert all(row["p50"] is None for row in found)
    assert " - " in shown(found)


def test_table__shows_what_binds_across_the_years(rows):
    lines = shown(rows).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("what holds buyers back"))
    assert lines[first + 1].split() == ["2026", "2027", "2028", "2029", "2030"]
    supply = next(line for line in lines[first:] if line.startswith("supply")).split()
    (row,) = chosen(rows, output="binding", constraint="supply", period="2026")
    assert float(supply[1]) == pytest.approx(row["mean"] * 100, rel=5e-3)


def test_table__shows_three_significant_digits_and_percentages(rows):
    text = shown(rows)
    (row,) = chosen(rows, output="h100e", supplier="total", period="2026")
    assert f"{row['p50']:.1f}" in text
    (growth,) = chosen(rows, output="revenue_growth", supplier="total", period="2026")
    assert f"{growth['p50'] * 100:.1f}" in text
    assert "nvidia, shipments, H100 equivalents" in text
    assert "As of 2026-02-28" in text


def test_table__leaves_small_suppliers_to_the_json(rows):
    text = shown(rows)
    shares = {row["supplier"]: [] for row in chosen(rows, output="revenue_share")}
    for row in chosen(rows, output="revenue_share"):
        shares[row["supplier"]].append(row["p50"])
    small = {name for name, values in shares.items() if max(values) < 0.02}
    assert {"intel_gaudi", "microsoft_maia"} <= small
    assert "nvidia" not in small
    assert not [name for name in small if name in text]
    assert all(name in text for name in shares.keys() - small)


@pytest.mark.parametrize("name", ["[red]amd[/red]", "[/]", "[link=x]", "日本 🚀", "=cmd()", "\\[bold]"])
def test_table__shows_names_as_they_are_written(rows, name):
    hostile = [row | {"supplier": name} for row in chosen(rows, output="revenue", supplier="amd")]
    assert f"{name}, supplier revenue" in shown(hostile)


def test_table__needs_no_more_than_eighty_columns(rows):
    assert max(map(len, shown(rows, 80).splitlines())) <= 80
    assert all(np.isfinite(row["p50"]) for row in rows)
