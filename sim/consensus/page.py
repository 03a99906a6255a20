"""Standings for readers: a table, sentences, and JSON."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from sim.consensus.region import Side
from sim.consensus.standing import FEWEST, Belief, Standing
from sim.headline import figure

__all__ = ["as_json", "asked", "boxed", "place", "stated", "table", "told"]

TOLD, SHORT = 5, 3
"""Beliefs that are told of a point in sentences, and in short."""


def as_json(standings: Iterable[Standing]) -> list[dict[str, Any]]:
    """Standings as plain values, with the unit of the point and the sentences."""
    return [
        {
            **asdict(each),
            "point": {**each.point._asdict(), "date": each.point.date.isoformat(), "source": _sources(each)},
            "unit": each.point.unit,
            "below": each.below._asdict(),
            "beliefs": [{**asdict(belief), "shift": belief.shift._asdict()} for belief in each.beliefs],
            "region": _region(each),
            "told": told(each),
        }
        for each in standings
    ]


def _sources(standing: Standing) -> list[dict[str, str]]:
    return [each.model_dump() for each in standing.point.source]


def _region(standing: Standing) -> dict[str, Any] | None:
    if standing.region is None:
        return None
    sides = [{**side._asdict(), "belief": standing.beliefs[side.belief].entry} for side in standing.region.sides]
    return {**standing.region._asdict(), "sides": sides}


def table(standings: Sequence[Standing]) -> Table:
    """One line a point: what was published, our percentiles, and where it stands."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("published forecast")
    for name in ("point", "P5", "P50", "P95", "stands at"):
        shown.add_column(name, justify="right", no_wrap=True)
    for each in standings:
        marks = f"{', later' if each.later else ''}{', nowcast' if each.over else ''}"
        what = Text.assemble(each.point.quantity, "\n", (f"{each.point.who}, {each.point.date}{marks}", "dim"))
        percentiles = (figure(value, each.point.unit) for value in (each.p05, each.p50, each.p95))
        shown.add_row(what, stated(each), *percentiles, place(each))
    return shown


def stated(standing: Standing) -> str:
    """The point as its file has it, with its sign if it was published as a bound."""
    return f"{'> ' if standing.point.at_least else ''}{standing.point.value:,.6g}"


def place(standing: Standing) -> str:
    """The percentile of a point, such as P93, with as many digits as its tail asks for; or which side of all it is."""
    part = standing.below.value
    if part in (0, 1):
        return "above all" if part else "below all"
    tail = float(f"{100 * min(part, 1 - part):.1g}")
    return f"P{100 * part:.{max(0, -math.floor(math.log10(tail)))}f}"


def asked(standing: Standing) -> str:
    """The first beliefs in short: ``capex_drift +0.8 sd``."""
    found = [f"{each.entry} {each.shift.value:+.1f} sd" for each in standing.beliefs[:SHORT]]
    return ", ".join(found) or "nothing in particular"


def told(standing: Standing) -> str:
    """A point in sentences: where it stands, what the draws beyond it share, and the box that holds them."""
    return " ".join((*_where(standing), *_shared(standing), *_held(standing)))


def _where(standing: Standing) -> Iterator[str]:
    point, at = standing.point, place(standing)
    low, middle, high = (figure(value, point.unit) for value in (standing.p05, standing.p50, standing.p95))
    share, error = (_percent(part) for part in standing.below)
    yield f"{point.who}, {point.date}: {stated(standing)} {point.unit} for {point.quantity}."
    if standing.later:
        yield f"It was published after the book's date, {standing.as_of}."
    yield f"It stands {at if at.endswith('all') else f'at {at}'} of the book {standing.book}{_nowcast(standing)}:"
    yield f"{share} % of the draws (error {error}) lie below; P5, P50 and P95 are {low}, {middle} and {high}."
    if standing.outside:
        yield f"It is outside: {standing.beyond} of {standing.draws:,} draws lie {_beyond(standing)} it."


def _nowcast(standing: Standing) -> str:
    return ", for which the period was over and ours is a nowcast" if standing.over else ""


def _beyond(standing: Standing) -> str:
    return "at or above" if standing.above else "at or below"


def _shared(standing: Standing) -> Iterator[str]:
    if not standing.beliefs:
        yield "No belief of the draws beyond it can be told from those of all."
        return
    which = f"The {FEWEST} draws nearest it" if standing.outside else f"The draws {_beyond(standing)} it"
    yield f"{which} differ most in {'; '.join(_shifted(each) for each in standing.beliefs[:TOLD])}."


def _shifted(belief: Belief) -> str:
    shift, direction = belief.shift, "higher" if belief.shift.value > 0 else "lower"
    medians = f"median {figure(belief.median, belief.unit)}, of all {figure(belief.p50, belief.unit)}"
    unit = "" if belief.unit == "1" else f" {belief.unit}"
    return f"{belief.entry}, {abs(shift.value):.2f} sd {direction} (error {shift.error:.2f}; {medians}{unit})"


def _held(standing: Standing) -> Iterator[str]:
    found = standing.region
    if found is not None:
        yield f"{_percent(found.coverage)} % of them have {boxed(standing)}; where that holds,"
        yield f"{_percent(found.density)} % of the draws are among them, and {_percent(found.base)} % of all."


def boxed(standing: Standing) -> str:
    """The box that holds the draws beyond a point: each belief's range in its unit and as percentiles of the prior."""
    sides = standing.region.sides if standing.region else ()
    return " and ".join(_ranged(standing.beliefs[side.belief], side) for side in sides)


def _ranged(belief: Belief, side: Side) -> str:
    ends = (("above", side.low, side.low_percentile), ("below", side.high, side.high_percentile))
    told = (f"{word} {figure(end, belief.unit)} (P{100 * part:.0f})" for word, end, part in ends if end is not None)
    return f"{belief.entry} {' and '.join(told)}"


def _percent(part: float) -> str:
    """A share in per cent, to a tenth; smaller ones to their first digit."""
    return f"{100 * part:.1f}" if 100 * part >= 0.1 or part == 0 else f"{100 * part:.1g}"
