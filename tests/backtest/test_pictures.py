"""What stands in the pictures is what was scored."""

import numpy as np
import pytest

from sim.backtest import pictures
from sim.backtest.scoreboard import HEADLINE
from sim.backtest.scored import OURS
from sim.backtest.vintages import CONSENSUS


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn, before they become pictures."""
    kept = []
    monkeypatch.setattr(pictures, "render", lambda figure, kind: kept.append(figure) or kind.encode())
    return kept


@pytest.fixture
def rows(row):
    """Two books and four figures; a consensus of the second book for the first figure."""
    made = [
        row(quantity=text, made=made, truth=200.0 + 10 * i, p05=150.0 + j, p50=190.0 + j, p95=260.0 + j)
        for i, text in enumerate(HEADLINE)
        for j, made in enumerate(("2024-02-08", "2024-05-27"))
    ]
    return [*made, row(made="2024-05-27", method=CONSENSUS, p50=175.0)]


def test_vintages__shows_each_book_its_consensus_and_what_came(drawn, rows):
    assert pictures.vintages(rows) == b"png"
    (figure,) = drawn
    panels = [axes for axes in figure.axes if axes.get_title(loc="left") in pictures.TITLES]
    assert len(panels) == 4
    for i, axes in enumerate(panels):
        ends = [list(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 2 and line.get_alpha()]
        assert ends == [[150, 260], [151, 261]]
        points = {(line.get_marker(), float(line.get_ydata()[0])) for line in axes.lines if line.get_marker() != "None"}
        assert points == {("o", 190), ("o", 191)} | ({("D", 175)} if i == 0 else set())
        (came,) = (line for line in axes.lines if list(line.get_xdata()) == [0, 1])
        assert list(came.get_ydata()) == [200 + 10 * i] * 2
        assert f"{200 + 10 * i} came" in [text.get_text() for text in axes.texts]


def test_calibration__counts_what_the_intervals_held(drawn, row):
    """Of four figures one, three and four held; their percentiles in tenths."""
    covers = [(True,) * 3, (False, True, True), (False, True, True), (False, False, True)]
    rows = [row(quantity=str(i), covered=c, pit=0.05 + 0.3 * i) for i, c in enumerate(covers)]
    other = [row(quantity="walk", method="last value", covered=(False,) * 3, pit=0.5)]
    assert pictures.calibration([*rows, *other], rows[:1]) == b"png"
    curve, *bars = (axes for axes in drawn[0].axes if axes.get_title(loc="left"))
    held = [np.asarray(line.get_ydata()).tolist() for line in curve.lines[1:]]
    assert held == [[25, 75, 100], [100, 100, 100]]
    heights = [[bar.get_height() for bar in axes.patches] for axes in bars]
    assert heights == [[1, 0, 0, 1, 0, 0, 1, 0, 0, 1], [1, *[0] * 9]]
    assert rows[0].method == OURS


def test_pictures__are_png(rows):
    for made in (pictures.vintages(rows), pictures.calibration(rows, rows)):
        assert made.startswith(b"\x89PNG")
