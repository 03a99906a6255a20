"""The charts of a run: which files, made of what, and naming the commit they were made from."""

import xml.etree.ElementTree as ET

import pytest

from sim import charts, figures


@pytest.fixture(scope="module")
def made(base_run):
    return charts.charts(base_run.tree)


@pytest.fixture
def panels(base_run, monkeypatch):
    """What is handed to the drawing functions, by title."""
    seen = {}

    def fan(history, quantiles, **words):
        seen[words["title"]] = (history, quantiles, words)
        return figures.fan(history, quantiles, **words)

    def headline(drawn, **words):
        seen["headline"] = (drawn, None, words)
        return figures.headline(drawn, **words)

    monkeypatch.setattr(charts, "fan", fan)
    monkeypatch.setattr(charts, "headline", headline)
    monkeypatch.setattr(charts, "render", lambda figure, kind, source: source.encode())
    charts.charts(base_run.tree)
    return seen


def test_charts__are_png_and_svg_of_three_figures(made):
    names = {f"{name}.{kind}" for name in ("headline", "shipments", "revenue") for kind in ("png", "svg")}
    assert set(made) == names
    for name, data in made.items():
        assert data.startswith(b"\x89PNG\r\n\x1a\n" if name.endswith("png") else b"<?xml")
        assert len(data) > 10_000
    for name in ("headline", "shipments", "revenue"):
        assert ET.fromstring(made[f"{name}.svg"]).tag.endswith("svg")


def test_charts__name_the_run_and_its_commit(made, base_run):
    run, commit = base_run.tree.attrs["run"].encode(), base_run.tree.attrs["commit"].encode()
    assert len(commit) == 64
    for name, data in made.items():
        assert run in data, name
        assert commit in data, name


def test_charts__same_run_same_bytes(made, base_run):
    again = charts.charts(base_run.tree)
    assert all(again[name] == data for name, data in made.items())


def test_drawn__needs_every_file_and_the_commit_in_each(made, base_run, tmp_path):
    assert not charts.drawn(base_run.tree, tmp_path / "report")
    for name, data in made.items():
        assert not charts.drawn(base_run.tree, tmp_path)
        (tmp_path / name).write_bytes(data)
    assert charts.drawn(base_run.tree, tmp_path)
    later = base_run.tree.copy()
    later.attrs["commit"] = "0" * 64
    assert not charts.drawn(later, tmp_path)
    for name, data in made.items():
        (tmp_path / name).write_bytes(data.replace(base_run.tree.attrs["commit"].encode(), b"0" * 64))
        assert not charts.drawn(base_run.tree, tmp_path)
        (tmp_path / name).write_bytes(data)


def test_charts__history_is_the_reported_line_and_the_forecast_follows_it(panels, base_run):
    line, quantiles, words = panels["NVIDIA data-centre revenue per calendar quarter"]
    assert words["as_of"] == "2026-02-28"
    known = line.dropna("time")
    assert known["time"].values[[0, -1]].tolist() == ["2022Q1", "2025Q4"]
    assert quantiles["time"].values[[0, -1]].tolist() == ["2026Q1", "2030Q4"]
    reported = base_run.world.record.line[:16, 0]
    assert known.values == pytest.approx(reported, rel=1e-6)
    stored = base_run.tree["prior_predictive/quarter"]["revenue"].sel(supplier="nvidia", time="2027-06-30")
    assert (quantiles.sel(time="2027Q2").values == stored.values).all()


def test_charts__shipments_are_the_total_of_all_suppliers(panels, base_run):
    line, quantiles, words = panels["AI accelerators shipped per quarter, in H100 equivalents"]
    assert line is None
    assert words["unit"] == "M H100e"
    stored = base_run.tree["prior_predictive/quarter"]["h100e"].sel(supplier="total")
    assert (quantiles.values == stored.values).all()
    assert quantiles["time"].values.tolist() == list(base_run.world.book.axes["time"])


def test_charts__headline_says_scenario_horizon_and_sources(panels, base_run):
    drawn, _, words = panels["headline"]
    assert words["title"] == "AI compute to 2030: base"
    assert "Epoch AI, CC BY" in words["sources"]
    assert "Not investment advice" in words["sources"]
    assert base_run.tree.attrs["run"] in words["sources"]
    assert [[series.name for series in panel.series] for panel in drawn] == [["All suppliers", "NVIDIA"], [""]]


@pytest.mark.parametrize("name", ["$\\foo$", "<script>alert(1)</script>", "_x", "日本 🚀", "a\nb\x07", "x" * 300])
def test_charts__a_hostile_scenario_name_is_only_text(base_run, name, monkeypatch):
    tree = base_run.tree.copy()
    tree.attrs["scenario"] = name
    kinds = []
    monkeypatch.setattr(charts, "render", lambda figure, kind, source: kinds.append((figure, kind)) or b"")
    charts.charts(tree)
    (figure,) = [figure for figure, kind in kinds[4:] if kind == "svg"]  # the headline, which shows the name
    data = figures.render(figure, "svg")
    assert b"<script" not in data
    ET.fromstring(data)
