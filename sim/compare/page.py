"""A comparison for a terminal or as JSON."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from sim.compare.beliefs import Changed
from sim.compare.comparison import Comparison
from sim.compare.differences import Difference
from sim.compare.waterfall import Step, Waterfall
from sim.headline import figure

__all__ = ["as_json", "page"]

MOST = 40
"""Differences of belief told of one pair on a terminal."""
SMALL = 0.01
"""Part of all movement below which a step is folded into the others on a terminal."""
CLEAR = 2.0
"""Monte Carlo errors below which it is folded too."""


def as_json(found: Comparison) -> dict[str, Any]:
    """Everything that was found, as plain values."""
    return asdict(found)


def page(found: Comparison) -> Group:
    """A comparison for a terminal, pair by pair."""
    parts: list[Any] = []
    for other, changes in zip(found.names[1:], found.beliefs, strict=True):
        title = f"[bold]{escape(found.names[0])}[/bold] -> [bold]{escape(other)}[/bold]"
        own = [each for each in found.differences if each.second == other]
        parts += ["", title, *_changes(changes), *_differences(own)]
        fallen = [each for each in found.waterfalls if each.second == other]
        for each in fallen:
            if not each.none:
                parts += ["", *_waterfall(each)]
        for why in dict.fromkeys(each.none for each in fallen if each.none):
            left = ", ".join(each.cell for each in fallen if each.none == why)
            parts += ["", f"[dim]not taken apart, because {escape(why)}: {escape(left)}[/dim]"]
    dates = ", ".join(dict.fromkeys(found.as_of))
    said = f"{found.draws:,} draws, seed {found.seed}, as of {dates}. Draw i of all is made of the same random numbers;"
    return Group(*parts, "", f"[dim]{said} a difference is the second less the first in each draw.[/dim]")


def _changes(changes: Sequence[Changed]) -> Iterator[str]:
    """What differs in belief, a line each; priors of which only the words differ on one line."""
    told = [each for each in changes if each.kind != "grounds"]
    yield from (f"  {escape(each.words)}" for each in told[:MOST])
    if len(told) > MOST:
        yield f"  [dim]and {len(told) - MOST} more; --json has all[/dim]"
    grounds = [each.name for each in changes if each.kind == "grounds"]
    if grounds:
        yield f"  [dim]same numbers, other sources or words: {escape(_few(grounds))}[/dim]"
    if not changes:
        yield "  [dim]no belief differs[/dim]"


def _few(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _differences(rows: Sequence[Difference]) -> Iterator[Any]:
    """A block for each output and label, a line a year; what is the same in every draw on one line."""
    blocks = [(key, list(lines)) for key, lines in groupby(rows, lambda row: (row.output, row.label))]
    for (output, label), lines in blocks:
        if not all(row.same for row in lines):
            unit = "%" if lines[0].unit == "1" else lines[0].unit
            yield ""
            yield f"[bold]{escape(_titled(output, label))}[/bold] [dim]{escape(unit)}[/dim]"
            yield _table(lines)
    same = [_titled(output, label) for (output, label), lines in blocks if all(row.same for row in lines)]
    if same:
        yield ""
        yield f"[dim]exactly the same in every draw: {escape(', '.join(same))}[/dim]"


def _titled(output: str, label: str) -> str:
    return f"{output}[{label}]"


def _table(rows: Sequence[Difference]) -> Table:
    shown = _columns("", "P50", "-> P50", "diff P5", "P50", "P95", "mean", "ratio P50", "higher", "same")
    for row in rows:
        if row.same:
            shown.add_row(row.period, *(_short(each, row.unit) for each in row.medians), "exactly 0 in every draw")
            continue
        figures = (*row.medians, row.p05, row.p50, row.p95, row.mean)
        ratio = f"{row.ratio[1]:.3f}" if row.ratio else "-"
        shares = (f"{100 * share:.0f} %" for share in (row.higher, row.equal))
        shown.add_row(row.period, *(_short(each, row.unit) for each in figures), ratio, *shares)
    return shown


def _columns(*names: str) -> Table:
    shown = Table(box=None, pad_edge=False)
    for i, name in enumerate(names):
        shown.add_column(name, justify="right" if i else "left", no_wrap=True, header_style="dim")
    return shown


def _waterfall(found: Waterfall) -> Iterator[Any]:
    """What each prior does to a cell; small steps together, those that do nothing by name only."""
    yield f"[bold]{escape(found.cell)}[/bold], what moved it [dim]{escape(found.unit)}[/dim]"
    assert found.mean is not None
    assert found.median is not None
    told, small, idle = _sorted(found.steps)
    shown = _columns("", "mean", "error", "median", "error")
    shown.add_row(escape(found.first), _short(found.mean[0], found.unit), "", _short(found.median[0], found.unit), "")
    for name, step in [(step.name, step) for step in told] + ([(f"{len(small)} others", _sum(small))] if small else []):
        figures = step.mean, step.mean_error, step.median, step.median_error
        shown.add_row(escape(name), *(_signed(each, found.unit, i % 2 == 0) for i, each in enumerate(figures)))
    shown.add_row(escape(found.second), _short(found.mean[1], found.unit), "", _short(found.median[1], found.unit), "")
    yield shown
    if idle:
        yield f"[dim]exactly 0: {escape(_few(idle))}[/dim]"


def _sorted(steps: Sequence[Step]) -> tuple[list[Step], list[Step], list[str]]:
    """Steps that are told, small ones, and the names of those that do nothing."""
    least = SMALL * math.fsum(abs(step.mean) for step in steps)
    moving = [step for step in steps if step.mean or step.median or step.mean_error]
    told = [step for step in moving if abs(step.mean) >= max(least, CLEAR * step.mean_error)]
    small = [step for step in moving if step not in told]
    return ([*told, *small], [], _idle(steps)) if len(small) == 1 else (told, small, _idle(steps))


def _idle(steps: Sequence[Step]) -> list[str]:
    return [step.name for step in steps if not (step.mean or step.median or step.mean_error)]


def _sum(steps: Sequence[Step]) -> Step:
    """Several steps as one; their errors as if they were independent."""
    means, medians = ([getattr(step, key) for step in steps] for key in ("mean", "median"))
    errors = (math.hypot(*(getattr(step, key) for step in steps)) for key in ("mean_error", "median_error"))
    return Step("others", math.fsum(means), next(errors), math.fsum(medians), next(errors))


def _short(value: float, unit: str) -> str:
    return figure(100 * value, "%") if unit == "1" else figure(value, unit)


def _signed(value: float, unit: str, with_sign: bool) -> str:
    return f"+{_short(value, unit)}" if with_sign and value > 0 else _short(value, unit)
