import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from sim.figures import Panel, Series, fan, headline, render, when

LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
HOSTILE = ["$\\foo$", "_x", "<script>alert(1)</script>-->", "a\nb\x07", "日本 🚀", "%s {0}", "$", "x" * 300, "&amp;"]


@pytest.fixture
def history() -> xr.DataArray:
    time = [f"{year}Q{quarter}" for year in (2024, 2025) for quarter in (1, 2, 3, 4)]
    return xr.DataArray(np.linspace(20.0, 62.0, 8), {"time": time}, ["time"])


@pytest.fixture
def quantiles() -> xr.DataArray:
    time = [f"{year}Q{quarter}" for year in (2026, 2027) for quarter in (1, 2, 3, 4)]
    growth = np.linspace(65, 120, 8) * np.linspace(0.7, 1.4, 5)[:, None]
    return xr.DataArray(growth.T, {"time": time, "quantile": LEVELS}, ["time", "quantile"])


@pytest.fixture
def figure(history, quantiles) -> Figure:
    return fan(history, quantiles, title="Revenue", unit="bn USD", as_of="2026-02-28", sources="10-K, 10-Q")


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def line(figure: Figure, gid: str) -> np.ndarray:
    (found,) = (line for line in figure.axes[0].lines if line.get_gid() == gid)
    return found.get_xydata()


def test_fan__draws_the_data(figure, history, quantiles):
    assert line(figure, "history")[:, 1].tolist() == history.values.tolist()
    median = line(figure, "median")
    assert median[1:, 1].tolist() == quantiles.sel(quantile=0.5).values.tolist()
    assert median[0].tolist() == [when("2025Q4"), 62.0]  # starts where the reports end
    assert median[1:, 0].tolist() == [when(label) for label in quantiles["time"].values]
    assert line(figure, "as_of")[0, 0] == when("2026-02-28")
    for band, (low, high) in zip(figure.axes[0].collections, [(0.05, 0.95), (0.25, 0.75)], strict=True):
        corners = band.get_paths()[0].vertices[:, 1]
        assert set(quantiles.sel(quantile=[low, high]).values.ravel()) | {62.0} == set(corners)


def test_fan__says_what_it_shows(figure):
    found = texts(figure)
    wanted = [
        "Revenue",
        "as of 28 Feb 2026",
        "Sources: 10-K, 10-Q",
        "P95 168",
        "P75 147",
        "median 126",
        "P25 105",
        "P5 84.0",
    ]
    assert set(wanted) | {"2027Q4:", "bn USD"} <= set(found)
    assert figure.axes[0].get_ylabel() == "bn USD"
    assert figure.axes[0].get_legend() is None


def test_fan__labels_do_not_overlap(history, quantiles):
    narrow = 100 + (quantiles - 100) / 1000
    figure = fan(history, narrow, title="t", unit="u", as_of="2026-02-28", sources="s")
    labels = [t for t in figure.axes[0].texts if re.match(r"P\d|median|\d{4}Q", t.get_text())]
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.y0)
    assert len(boxes) == 6
    assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes))


def test_fan__needs_no_history(quantiles):
    figure = fan(None, quantiles, title="t", unit="u", as_of="2026-02-28", sources="s", scale="log")
    assert line(figure, "median")[:, 1].tolist() == quantiles.sel(quantile=0.5).values.tolist()
    assert figure.axes[0].get_yscale() == "log"


def test_fan__quarters_without_a_report_are_left_out(history, quantiles):
    history[2] = np.nan
    history[7] = np.nan
    figure = fan(history, quantiles, title="t", unit="u", as_of="2026-02-28", sources="s")
    assert len(line(figure, "history")) == 6
    assert line(figure, "median")[0].tolist() == [when("2025Q3"), 56.0]


def test_fan__of_values_below_zero_keeps_them_in_view(quantiles):
    figure = fan(None, quantiles - 100, title="t", unit="u", as_of="2026-02-28", sources="s")
    assert figure.axes[0].get_ylim()[0] <= (quantiles - 100).min()


def test_fan__a_missing_quantile_is_an_error(quantiles):
    with pytest.raises(KeyError):
        fan(None, quantiles[:, 1:], title="t", unit="u", as_of="2026-02-28", sources="s")


@pytest.mark.parametrize("format", ["png", "svg"])
def test_render__same_figure_same_bytes_and_names_its_source(history, quantiles, format):
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 30}):  # a user's own settings change nothing
        first = fan(history, quantiles, title="t", unit="u", as_of="2026-02-28", sources="s")
        data = render(first, format, source="run 1a2b3c4d5e6f, commit 77")
    again = fan(history, quantiles, title="t", unit="u", as_of="2026-02-28", sources="s")
    assert (
        render(again, format, source="run 1a2b3c4d5e6f, commit 77")
        == data
        == render(first, format, source="run 1a2b3c4d5e6f, commit 77")
    )
    assert b"run 1a2b3c4d5e6f, commit 77" in data
    assert len(data) < 300_000
    assert data.startswith({"png": b"\x89PNG", "svg": b"<?xml"}[format])
    assert b"matplotlib v" not in data.lower()


@pytest.mark.parametrize("text", HOSTILE)
def test_render__hostile_text_is_only_text(history, quantiles, text):
    figure = fan(history, quantiles, title=text, unit=text, as_of="2026-02-28", sources=text)
    svg = render(figure, "svg", source=text)
    tags = {element.tag.split("}")[-1] for element in ET.fromstring(svg).iter() if isinstance(element.tag, str)}
    assert "script" not in tags
    assert b"<script" not in svg
    assert render(figure, "png", source=text)
    assert all(len(line) <= 150 for found in texts(figure) for line in found.splitlines())


def test_headline__has_a_panel_for_each_and_names_its_lines(history, quantiles):
    shipments = [Series("All suppliers", None, quantiles), Series("NVIDIA", None, quantiles / 2)]
    panels = [
        Panel("Shipments", "M H100e per quarter", "2026-02-28", shipments),
        Panel("Revenue", "bn USD per quarter", "2026-02-28", [Series("NVIDIA", history, quantiles)]),
    ]
    figure = headline(panels, title="AI accelerators", sources="filings")
    assert [axes.get_ylabel() for axes in figure.axes] == ["M H100e per quarter", "bn USD per quarter"]
    assert {"All suppliers\n126 (84.0–168)", "NVIDIA\n63.0 (42.0–84.0)", "median 126"} <= set(texts(figure))
    colours = {line.get_color() for line in figure.axes[0].lines if line.get_gid() == "median"}
    assert len(colours) == 2
    assert render(figure, "png") == render(figure, "png")
