import numpy as np
import pytest

from sim.figures import Series, reading, scenarios

TOLD = {"title": "t", "unit": "bn USD", "sources": "s"}


@pytest.fixture(scope="module")
def figure(quantiles_of_years):
    named = (("base", 1), ("brute_force", 1.5), ("supply_crunch", 0.5))
    return scenarios([Series(name, None, quantiles_of_years(scale)) for name, scale in named], **TOLD)


def test_scenarios__draws_bars_and_medians_by_year(figure, quantiles_of_years):
    for axes, scale in zip(figure.axes, (1, 1.5, 0.5), strict=True):
        quantiles = quantiles_of_years(scale)
        (medians,) = (line for line in axes.lines if line.get_gid() == "median")
        assert medians.get_xdata().tolist() == [2026, 2027, 2028]
        assert medians.get_ydata().tolist() == quantiles.sel(quantile=0.5).values.tolist()
        for container, (low, high) in zip(axes.containers, ((0.05, 0.95), (0.25, 0.75)), strict=True):
            ends = [(patch.get_y(), patch.get_y() + patch.get_height()) for patch in container]
            np.testing.assert_allclose(ends, quantiles.sel(quantile=[low, high]).transpose("time", "quantile"))


def test_scenarios__stand_on_one_axis_with_the_first_ones_medians_in_all_others(figure, quantiles_of_years):
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    dashes = [[segment[0, 1] for each in axes.collections for segment in each.get_segments()] for axes in figure.axes]
    base = quantiles_of_years(1).sel(quantile=0.5).values.tolist()
    assert dashes == [[], base, base]
    assert "median of base" in reading(figure)


def test_scenarios__name_each_with_its_last_year(figure, shown):
    assert {"base", "brute_force", "2028: 200", "2028: 300", "120–380", "180–570", "bn USD"} <= set(shown(figure))


def test_scenarios__at_most_six(quantiles_of_years):
    one = Series("a", None, quantiles_of_years(1))
    assert len(scenarios([one] * 6, **TOLD).axes) == 6
    for count in (0, 7):
        with pytest.raises(ValueError, match=f"{count} scenarios"):
            scenarios([one] * count, **TOLD)
