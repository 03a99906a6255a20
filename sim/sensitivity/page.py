"""What moves a cell as a page for a terminal."""

import math
from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from sim.headline import figure
from sim.reduce import Figure
from sim.sensitivity.decisions import Decision
from sim.sensitivity.sensitivity import Effect, Sensitivity
from sim.sensitivity.topics import TOPICS

__all__ = ["page"]

TOLD = 2.0
"""Standard errors of their difference beyond which the order of two topics is told."""
GROUNDS = {
    "cited": "published sources alone",
    "cited_and_judged": "published sources and a judgement of ours",
    "judged": "a judgement of ours alone",
}


def page(found: Sensitivity) -> Group:
    """The page: topics with their effects and over time, the priors that move the cell most, and what they rest on."""
    worth = () if found.decision is None else _decision(found.decision)
    parts = (*_head(found), _effects(found), *_grounds(found), *_swings(found), *_elasticities(found), *worth)
    said = f"{found.draws:,} draws, {found.pairs:,} pairs, seed {found.seed}, {found.scenario} as of {found.as_of}."
    return Group(*parts, Text(f"\n{_meant()}\n{said}", "dim"))


def _meant() -> str:
    """What the topics hold."""
    return "; ".join(f"{key}: {words}" for key, words in TOPICS.items()) + "."


def _head(found: Sensitivity) -> Iterator[Text]:
    told = "  ".join(f"{key.replace('p', 'P')} {_value(each.value, found.unit)}" for key, each in found.figures.items())
    yield Text.assemble((found.cell, "bold"), f"  {found.about}  ", (f"{_unit(found.unit)}\n", "dim"), told)
    yield Text("\nShares of the variance of its normal scores, %", "bold")


def _effects(found: Sensitivity) -> Table:
    """Topics with their effects, and their Shapley share in each year."""
    names = ("rank", "shapley", "+-", "alone", "total", *found.years)
    columns = [Column(name, justify="right", header_style="dim") for name in names]
    shown = Table(Column("", no_wrap=True), *columns, box=None, pad_edge=False)
    for each in found.effects:
        over_time = [f"{max(100 * share, 0):.0f}" for share in found.over_time[each.group]] if found.years else []
        error = f"{100 * each.shapley.error:.1f}"
        shares = (_percent(each.shapley), error, _percent(each.first), _percent(each.total))
        shown.add_row(each.group, _ranks(found.effects, each), *shares, *over_time)
    return shown


def _ranks(effects: Sequence[Effect], of: Effect) -> str:
    """Ranks that a topic may have: those of which it is not told apart by its error share them."""
    clear = [abs(each.shapley.value - of.shapley.value) > TOLD * _error(each, of) for each in effects]
    above = sum(far and each.shapley.value > of.shapley.value for far, each in zip(clear, effects, strict=True))
    last = len(effects) - sum(
        far and each.shapley.value < of.shapley.value for far, each in zip(clear, effects, strict=True)
    )
    return str(last) if above + 1 == last else f"{above + 1}-{last}"


def _error(one: Effect, other: Effect) -> float:
    return math.hypot(one.shapley.error, other.shapley.error)


def _grounds(found: Sensitivity) -> Iterator[Text]:
    told = "; ".join(f"{_percent(each.share)} % {GROUNDS[each.kind]}" for each in found.footing)
    yield Text(f"\nWhat that rests on: {told}.")


def _swings(found: Sensitivity) -> Iterator[Text]:
    yield Text("\nIts median where one number is near its P10, and near its P90", "bold")
    for each in found.swings:
        name = f"{each.entry} of {each.count}" if each.count > 1 else each.entry
        low, high = (_value(end.value, found.unit) for end in (each.low, each.high))
        ends = "".join(f"{figure(end, each.unit):>8}" for end in (each.p10, each.p90))
        told = f"{name[:36]:<36}{ends} {each.unit:<10.10}{low:>6} - {high:<7}{', '.join(each.sources)}"
        yield Text(told, no_wrap=True, overflow="ellipsis")


def _elasticities(found: Sensitivity) -> Iterator[Text]:
    if found.elasticities:
        yield Text("\nPer cent by which it answers to one per cent more: P50 of the draws (P5 to P95)", "bold")
        told = (f"{each.prior} {each.p50:+.2f} ({each.p05:+.2f} to {each.p95:+.2f})" for each in found.elasticities)
        yield Text("; ".join(told))


def _decision(found: Decision) -> Iterator[Text]:
    """What knowing more would save."""
    now = min(found.cost, found.probability.value)
    yield Text(f"\nWorth of knowing before deciding on {found.text}", "bold")
    yield Text(
        f"It has probability {_percent(found.probability)} %. If it brings a loss of 100 and a measure against it "
        f"costs {100 * found.cost:g}, who knows nothing more loses {100 * now:.1f}; to know the outcome would save "
        f"{100 * found.perfect:.1f}, to know a topic:"
    )
    clear = [f"{key} {_percent(each)}" for key, each in found.groups if each.value > 3 * each.error > 0]
    yield Text(", ".join(clear) if clear else "nothing that is told from chance")


def _percent(found: Figure) -> str:
    return f"{100 * found.value:.1f}"


def _unit(unit: str) -> str:
    return "%" if unit == "1" else unit


def _value(value: float, unit: str) -> str:
    return figure(100 * value if unit == "1" else value, unit)
