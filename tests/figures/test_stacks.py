import numpy as np
import xarray as xr

from sim.figures import stacked
from sim.figures.style import PALE
from sim.figures.text import ENGLISH

TOLD = {"title": "t", "unit": "% of shipments", "sources": "s"}
YEARS = ["2026", "2027"]


def shares(**groups: list[float]) -> xr.DataArray:
    return xr.DataArray(list(groups.values()), {"group": list(groups), "time": YEARS}, ["group", "time"])


def heights(axes) -> np.ndarray:
    """Heights of the parts [group, time]."""
    return np.array([[patch.get_height() for patch in container] for container in axes.containers])


def bottoms(axes) -> np.ndarray:
    return np.array([[patch.get_y() for patch in container] for container in axes.containers])


def names(axes) -> list[str]:
    return [text.get_text() for text in axes.texts if not text.get_text().isdigit()]


def test_stacked__draws_shares_in_per_cent_one_on_the_other():
    axes = stacked(shares(budget=[0.2, 0.5], need=[0.1, 0.03], supply=[0.7, 0.47]), **TOLD).axes[0]
    np.testing.assert_allclose(heights(axes), [[20, 50], [10, 3], [70, 47]])
    np.testing.assert_allclose(bottoms(axes), [[0, 0], [20, 50], [30, 53]])
    assert names(axes) == ["budget", "need 3 %", "supply"]  # what has no room for its number says it beside its name
    assert [text.get_text() for text in axes.texts if text.get_text().isdigit()] == ["20", "50", "10", "70", "47"]
    assert axes.get_ylabel() == "% of shipments"


def test_stacked__takes_either_order_of_dims_and_no_value_below_zero():
    data = shares(a=[0.9, 1.02], b=[0.1, -0.02])
    np.testing.assert_allclose(heights(stacked(data.transpose(), **TOLD).axes[0]), [[90, 102], [10, 0]])


def test_stacked__keeps_the_five_largest_of_many_groups_in_their_order():
    sizes = {f"g{i}": [share, share] for i, share in enumerate([0.02, 0.3, 0.03, 0.2, 0.1, 0.25, 0.06, 0.04])}
    axes = stacked(shares(**sizes), **TOLD).axes[0]
    assert names(axes) == ["g1", "g3", "g4", "g5", "g6", ENGLISH.other.format(count=3)]
    np.testing.assert_allclose(heights(axes)[:, 0], [30, 20, 10, 25, 6, 9])


def test_stacked__neighbours_differ_in_depth():
    axes = stacked(shares(**{f"g{i}": [1 / 6, 1 / 6] for i in range(6)}), **TOLD).axes[0]
    fills = ["#" + "".join(f"{round(255 * c):02x}" for c in each[0].get_facecolor()[:3]) for each in axes.containers]
    assert len(set(fills)) == 6
    assert [fill in PALE.values() for fill in fills] == [False, True] * 3
