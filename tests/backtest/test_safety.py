"""The safety check: which beliefs are changed, and that percentiles move as they must."""

import pytest

from sim.backtest import safety
from sim.book.load import load
from sim.world import build

NAME = "2025-02-12"


@pytest.fixture(scope="module")
def book():
    return build(load(NAME))


def beliefs(changes):
    """Median of beats, and P95 of the shocks' sd, of the book with changes."""
    priors = load(NAME, overrides=changes).priors
    beat = priors["guidance_beat"].table[("meta",)]
    sds = priors["capex_common_sd"].table[()], priors["capex_own_sd"].table[("meta",)]
    width = beat.quantile(0.95) - beat.quantile(0.05)
    return (beat.quantile(0.05) + beat.quantile(0.95)) / 2, width, *(sd.quantile(0.95) for sd in sds)


def test_overrides__of_what_is_believed_are_none(book):
    """The book of February 2025 has beats about 0.085."""
    assert safety._overrides(book, 0.085, 1.0) == {}
    assert safety.BEATS[-1] == 0.085


@pytest.mark.parametrize(("beat", "scale"), [(-0.115, 0.75), (0.085, 1.25)])
def test_overrides__move_beats_as_wide_as_they_were_and_scale_shocks(book, beat, scale):
    middle, width, common, own = beliefs(safety._overrides(book, beat, scale))
    plain = beliefs({})
    assert middle == pytest.approx(beat, abs=1e-9)
    assert width == pytest.approx(plain[1])
    assert (common, own) == pytest.approx((scale * plain[2], scale * plain[3]))


@pytest.fixture(scope="module")
def places():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(safety, "DRAWS", 512)
        patch.setattr(safety, "SCALES", (0.75,))
        return list(safety.places(NAME, {"2024": 223.0, "2025": 372.6}, beats=(-0.05, 0.085)))


def test_places__are_every_cell_of_the_years_not_yet_over(places):
    cells = [(each.book, each.year, each.beat, each.scale) for each in places]
    assert cells == [(NAME, "2025", beat, 0.75) for beat in (-0.05, 0.085)]
    assert {each.came for each in places} == {372.6}


def test_places__what_came_falls_lower_where_more_beats_are_believed(places):
    few, many = places
    assert few.pit > many.pit
    assert few.p01 < many.p01
    assert few.p99 < many.p99


def test_place__is_inside_between_its_ends():
    place = safety.Place(NAME, "2025", 0.0, 1.0, p01=250.0, p99=400.0, came=372.6, pit=0.9)
    assert place.inside
    assert place._replace(came=250.0).inside
    assert not place._replace(came=249.9).inside
    assert not place._replace(came=400.1).inside
