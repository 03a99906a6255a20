from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.figures import reading
from sim.figures.layout import spread

PLACES = st.lists(st.floats(0, 1), min_size=1, max_size=8).map(sorted)


@settings(max_examples=40)
@given(PLACES, st.floats(0.01, 0.1))
def test_spread__keeps_labels_apart_and_inside(wanted, size):
    placed = spread(wanted, [size] * len(wanted), 0.0, 1.0)
    assert all(low + size <= high + 1e-9 for low, high in pairwise(placed))
    assert placed[0] >= size / 2 - 1e-9
    assert placed[-1] <= 1 - size / 2 + 1e-9


def test_spread__moves_nothing_that_is_apart():
    assert spread([0.1, 0.5, 0.9], [0.1, 0.2, 0.1], 0, 1) == pytest.approx([0.1, 0.5, 0.9])


def test_spread__moves_labels_that_meet_to_both_sides():
    assert spread([0.5, 0.5, 0.9], [0.1] * 3, 0, 1) == pytest.approx([0.45, 0.55, 0.9])
    assert spread([], [], 0, 1) == []


def test_figures__name_themselves_and_say_how_they_are_read(draw, shown):
    for kind, figure in draw().items():
        assert figure.get_label() == "NVIDIA", kind
        assert reading(figure) in shown(figure), kind
        assert "Sources: NVIDIA" in shown(figure), kind


def test_figures__bare_leave_title_reading_and_sources_to_the_page(draw, shown):
    whole = draw()
    for kind, figure in draw(bare=True).items():
        assert reading(figure) == reading(whole[kind])
        assert reading(figure) not in shown(figure), kind
        assert not [text for text in shown(figure) if text.startswith("Sources")], kind
        assert figure.get_figheight() < whole[kind].get_figheight(), kind


def test_figures__nothing_leaves_the_sheet(draw):
    """With names of the length that runs have: titles, units, labels and feet end within the picture."""
    for bare in (False, True):
        for kind, figure in draw("efficiency_shock_no_jevons", bare=bare).items():
            figure.dpi = 72
            figure.draw_without_rendering()
            wide, high = figure.get_size_inches() * 72
            labels = [each for axes in figure.axes for each in (*axes.texts, axes.xaxis.label, axes.yaxis.label)]
            for text in (*figure.texts, *labels, *figure.axes[0].get_yticklabels()[:2]):
                if text.get_text() and text.get_visible():
                    box = text.get_window_extent()
                    inside = box.x0 >= 0 and box.x1 <= wide and box.y0 >= -1 and box.y1 <= high + 1
                    assert inside, (kind, bare, text.get_text(), box)
