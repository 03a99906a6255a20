from itertools import combinations

import numpy as np

from sim.figures import Row, intervals

TOLD = {"title": "t", "unit": "bn USD", "sources": "s"}
MARKERS = [("Visible Alpha", 300.0), ("Morgan Stanley", 312.0), ("Jefferies", 330.0), ("Bernstein", 331.0)]
ROWS = [Row("2026", 295, 320, 336, 352, 374, MARKERS), Row("2027", 313, 405, 471, 550, 667)]


def test_intervals__draws_each_row_and_writes_its_figures(shown):
    figure = intervals(ROWS, **TOLD)
    axes = figure.axes[0]
    ends = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
    assert ends == [(295, 374), (320, 352), (313, 667), (405, 550)]
    dots = [line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() == "o"]
    assert dots == [[336, 0], [471, 1]]
    assert {"336", "295–374", "471", "313–667", "bn USD"} <= set(shown(figure))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["2026", "2027"]


def test_intervals__markers_stand_at_their_values_and_their_names_do_not_meet():
    figure = intervals(ROWS, **TOLD)
    axes = figure.axes[0]
    diamonds = sorted(line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() == "D")
    assert diamonds == [[value, 0] for _, value in MARKERS]
    labels = [text for text in axes.texts if text.get_text() in [f"{name} {value:.0f}" for name, value in MARKERS]]
    assert len(labels) == len(MARKERS)
    boxes = [label.get_window_extent() for label in labels]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_intervals__a_long_name_is_cut_and_not_its_figure(shown):
    figure = intervals([ROWS[1]._replace(markers=[("Guidance of all companies, added up", 581.2)])], **TOLD)
    assert "Guidance of all companies, ad… 581" in shown(figure)


def test_intervals__begin_at_zero_unless_all_is_far_from_it():
    assert intervals(ROWS, **TOLD).axes[0].get_xlim()[0] == 0
    assert intervals([Row("a", 900, 950, 1000, 1010, 1050)], **TOLD).axes[0].get_xlim()[0] > 850
    low = intervals([Row("a", -30, -10, 0, 10, 50)], **TOLD).axes[0].get_xlim()[0]
    assert np.isclose(low, -30 - 0.05 * 80)
