import numpy as np
import pytest

from sim.figures import Bar, tornado, waterfall
from sim.figures.style import BLUE, ORANGE, PALE

TOLD = {"title": "t", "unit": "bn USD", "sources": "s"}
BARS = [Bar("drift", 80.0, 100.0, 130.0), Bar("supply", 110.0, 100.0, 95.0), Bar("use", 104.0, 100.0, 108.0)]


def spans(axes) -> list[tuple[float, float]]:
    """Ends of the bars, in the order in which they were drawn."""
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]


def written(axes) -> dict[str, tuple[float, float]]:
    return {text.get_text(): text.xy for text in axes.texts if hasattr(text, "xy")}


def test_tornado__draws_each_half_from_the_middle_to_its_end():
    axes = tornado(BARS, **TOLD).axes[0]
    ends = [(100, bar.low) for bar in BARS], [(100, bar.high) for bar in BARS]
    assert [tuple(sorted(span)) for span in spans(axes)] == [
        tuple(sorted(end)) for pair in zip(*ends, strict=True) for end in pair
    ]
    assert [patch.get_facecolor()[:3] for patch in axes.patches[:2]] == [
        tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)) for colour in (PALE[ORANGE], BLUE)
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["drift", "supply", "use"]
    assert axes.yaxis_inverted()  # the first is on top
    assert axes.get_xlabel() == "bn USD"


def test_tornado__writes_the_figure_at_each_end_and_which_side_is_which():
    axes = tornado(BARS, **TOLD).axes[0]
    at = written(axes)
    assert [at[text][0] for text in ("80.0", "130", "110", "95.0", "104", "108")] == [80, 130, 110, 95, 104, 108]
    sides = {text.get_text(): text.get_ha() for text in axes.texts}
    assert (sides["80.0"], sides["130"], sides["95.0"]) == ("right", "left", "right")
    assert (sides["input at P10"], sides["input at P90"]) == ("right", "left")
    other = {text.get_text(): text.get_ha() for text in tornado(BARS[1:], **TOLD).axes[0].texts}
    assert (other["input at P10"], other["input at P90"]) == ("left", "right")


def test_tornado__two_ends_on_one_side_do_not_cover_each_other():
    axes = tornado(BARS, **TOLD).axes[0]
    low, high = axes.patches[4:]
    assert low.get_y() + low.get_height() <= high.get_y() + 1e-9
    assert axes.patches[0].get_y() == axes.patches[1].get_y()


def test_tornado__a_figure_that_is_missing_is_a_dash():
    axes = tornado([Bar("a", np.nan, 100.0, 120.0)], **TOLD).axes[0]
    assert "–" in [text.get_text() for text in axes.texts]
    with pytest.raises(ValueError, match="at least one row"):
        tornado([], **TOLD)


def test_waterfall__each_step_begins_where_the_one_before_ended():
    steps = [("a", 5.0), ("b", -12.0), ("c", 3.5)]
    axes = waterfall(steps, start=("base", 100.0), end=("mine", 96.5), **TOLD).axes[0]
    assert [tuple(sorted(span)) for span in spans(axes)] == [(100, 105), (93, 105), (93, 96.5)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["base", "a", "b", "c", "mine"]
    assert {"100": 100.0, "96.5": 96.5}.items() <= {text: x for text, (x, _) in written(axes).items()}.items()
    assert {"+5.0", "−12.0", "+3.5"} <= written(axes).keys()


def test_waterfall__a_step_that_is_not_nothing_is_not_written_as_nothing():
    axes = waterfall([("a", -158.7), ("b", 0.31)], start=("base", 568.0), end=("mine", 409.61), **TOLD).axes[0]
    assert {"−158.7", "+0.3"} <= written(axes).keys()


def test_waterfall__the_smallest_of_many_steps_are_one_with_their_sum():
    steps = [(f"s{i}", float((-1) ** i * (i + 1))) for i in range(20)]
    end = 100 + sum(step for _, step in steps)
    axes = waterfall(steps, start=("base", 100.0), end=("mine", end), **TOLD).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["base", *(f"s{i}" for i in range(9, 20)), "other (9)", "mine"]
    signed = [patch.get_width() for patch in axes.patches]
    assert signed[-1] == sum(step for _, step in steps[:9])
    assert 100 + sum(signed) == end
