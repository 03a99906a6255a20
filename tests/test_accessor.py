"""``ds.chipcast``: figures and tables hold the tree's own numbers, which are random: nothing is simulated."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from sim import accessor, cells, label, reduce
from sim.errors import BookError

ATTRS = {"scenario": "base", "as_of": "2026-02-28", "run": "0123456789ab", "commit": "77"}


@pytest.fixture(scope="module")
def tree(base_world) -> xr.DataTree:
    """The summary of a run of the base book, all its figures random."""
    rng = np.random.default_rng(0)
    count = cells.cells_per_draw(base_world)
    quantiles = np.sort(rng.lognormal(size=(len(reduce.LEVELS), count)), axis=0)
    found = reduce.Statistics(quantiles, *rng.lognormal(size=(1, *quantiles.shape)), *rng.lognormal(size=(4, count)))
    return label.summary_tree(base_world, reduce.Statistics(*(each.astype(np.float32) for each in found)), ATTRS)


def line(figure, gid: str) -> np.ndarray:
    (found,) = (line for line in figure.axes[0].lines if line.get_gid() == gid)
    return found.get_xydata()


def quantiles(tree, output: str, kind: str = "year", **labels: str) -> xr.DataArray:
    return tree[f"prior_predictive/{kind}"].to_dataset()[output].sel(labels)


def test_fan__draws_the_record_and_the_median_after_it(tree):
    figure = tree.chipcast.fan("revenue", supplier="nvidia")
    record = tree["observed_data"].to_dataset()["reported_line"].sel(reported_supplier="nvidia").dropna("time")
    assert line(figure, "history")[:, 1].tolist() == record.values.tolist()
    wanted = quantiles(tree, "revenue", "quarter", supplier="nvidia").sel(quantile=0.5).values[record.size :]
    assert line(figure, "median")[1:, 1].tolist() == wanted.tolist()
    assert line(figure, "median")[-1, 0] == 2030.875
    texts = [text.get_text() for text in (*figure.texts, *figure.axes[0].texts)]
    assert "as of 28 Feb 2026" in texts
    assert any("run 0123456789ab" in text.replace("\n", " ") for text in texts)
    assert figure.axes[0].get_ylabel() == "bn USD"
    assert figure.get_label().startswith("nvidia: supplier revenue")
    assert tree.chipcast.fan("revenue", supplier="nvidia", title="Mine").get_label() == "Mine"


@pytest.mark.parametrize("buyer", ["meta", "reported"])
def test_fan__record_of_a_year_is_the_sum_of_its_quarters(tree, buyer):
    figure = tree.chipcast.fan("capex", buyer=buyer)
    record = tree["observed_data"].to_dataset()["capex"]
    of_buyer = record.sum("reported_buyer", skipna=False) if buyer == "reported" else record.sel(reported_buyer=buyer)
    years = of_buyer.values[: 4 * (of_buyer.notnull().sum().item() // 4)].reshape(-1, 4).sum(axis=1)
    assert years.size == 4
    np.testing.assert_allclose(line(figure, "history")[:, 1], years)
    assert line(figure, "history")[:, 0].tolist() == [2022.5, 2023.5, 2024.5, 2025.5]
    wanted = quantiles(tree, "capex", capex_buyer=buyer).sel(quantile=0.5).values[4:]
    assert line(figure, "median")[1:, 1].tolist() == wanted.tolist()


def test_fan__of_what_is_not_reported_has_no_history_and_shares_are_per_cent(tree):
    figure = tree.chipcast.fan("revenue_share", supplier="amd", log=True)
    assert not [each for each in figure.axes[0].lines if each.get_gid() == "history"]
    wanted = quantiles(tree, "revenue_share", supplier="amd").sel(quantile=0.5).values
    np.testing.assert_allclose(line(figure, "median")[:, 1], 100 * wanted, rtol=1e-6)
    assert figure.axes[0].get_ylabel() == "%, log scale"
    assert figure.axes[0].get_yscale() == "log"


def test_fan__of_a_group_alone_is_that_of_its_run_without_date_and_record(tree):
    node = tree["prior_predictive/year"]
    whole = tree.chipcast.fan("capex", buyer="meta")
    assert line(node.chipcast.fan("capex", buyer="meta"), "history").tolist() == line(whole, "history").tolist()
    alone = node.to_dataset().chipcast.fan("capex", buyer="meta")
    assert line(alone, "median").tolist()[4:] == line(whole, "median").tolist()[1:]
    assert {each.get_gid() for each in alone.axes[0].lines} == {"median"}


def test_fan__fiscal_years_stand_on_the_axis_by_their_number(tree):
    figure = tree.chipcast.fan("fiscal_revenue")
    wanted = quantiles(tree, "fiscal_revenue", "fiscal_year", fiscal_supplier="nvidia").sel(quantile=0.5)
    years = [int(str(year)[2:]) + 0.5 for year in wanted["fiscal_year"].values]
    assert line(figure, "median").tolist() == [[x, y] for x, y in zip(years, wanted.values.tolist(), strict=True)]
    assert figure.axes[0].get_ylabel() == "bn USD, by fiscal year"


def test_table__is_periods_by_quantiles(tree):
    found = tree.chipcast.table("revenue", supplier="nvidia")
    assert found.shape == (36, 9)
    assert list(found.columns) == ["p01", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "p99"]
    wanted = quantiles(tree, "revenue", "quarter", supplier="nvidia")
    assert found.loc["2027Q3", "p95"] == wanted.sel(quantile=0.95, time="2027-09-30").item()
    years = tree.chipcast.table("revenue", period="year", supplier="nvidia")
    assert years.equals(tree["prior_predictive/year"].to_dataset().chipcast.table("revenue", supplier="nvidia"))
    assert years.loc["2027", "p05"] == quantiles(tree, "revenue", supplier="nvidia").sel(quantile=0.05, year="2027")


def test_table__without_a_label_is_the_total(tree):
    assert tree.chipcast.table("need").equals(tree.chipcast.table("need", buyer="total"))


def test_to_dataframe__has_every_cell_once(tree, base_world):
    found = tree.chipcast.to_dataframe()
    assert len(found) == cells.cells_per_draw(base_world)
    assert not found.duplicated(["output", "label", "kind", "period"]).any()
    row = found.query("output == 'h100e' and label == 'total' and kind == 'quarter' and period == '2026Q4'")
    data = tree["prior_predictive/quarter"].to_dataset().sel(supplier="total", time="2026-12-31")
    assert row["p75_error"].item() == data["h100e_error"].sel(quantile=0.75).item()
    assert row["mean_error"].item() == data["h100e_mean_error"].item()
    assert row["unit"].item() == "M H100e"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"output": "revenu"}, "did you mean 'revenue'"),
        ({"output": "revenue", "supplier": "nvida"}, "did you mean 'nvidia'?"),
        ({"output": "revenue", "buyer": "meta"}, "known: supplier"),
        ({"output": "binding"}, "has no total and needs a constraint; known: budget, need, supply"),
        ({"output": "capex", "period": "quarter"}, "known: year"),
        ({"output": "revenue", "period": "years"}, "did you mean 'year'?"),
    ],
)
def test_choose__errors_name_the_nearest(tree, asked, said):
    for ask in (tree.chipcast.table, tree.chipcast.fan):
        with pytest.raises(BookError) as caught:
            ask(**asked)
        assert said in str(caught.value)


def test_choose__of_a_group_without_outputs_is_an_error(tree):
    with pytest.raises(BookError, match="no output 'revenue'"):
        tree["prior"].chipcast.table("revenue")
    with pytest.raises(BookError, match="no outputs by period"):
        tree["observed_data"].to_dataset().chipcast.to_dataframe()


def test_fan__of_what_has_no_value_in_any_period_says_so(tree):
    data = tree["prior_predictive/year"].to_dataset()
    with pytest.raises(BookError, match="need of total has no value in any period"):
        (data * np.nan).chipcast.fan("need")


def test_functions__are_the_methods(tree):
    assert accessor.table(tree, "need").equals(tree.chipcast.table("need"))
    assert line(accessor.fan(tree, "need"), "median").tolist() == line(tree.chipcast.fan("need"), "median").tolist()


def test_import__draws_in_nothing_that_only_figures_need():
    code = "import sys, sim.accessor; print([name for name in ('matplotlib', 'jax', 'zarr') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
