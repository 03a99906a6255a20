"""A sweep's results for a terminal of 80 columns, and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from sim.headline import figure
from sim.sweep.batch import Failure, Swept
from sim.sweep.estimate import Estimate
from sim.sweep.results import QUANTILES, rows

__all__ = ["as_json", "estimate_lines", "failed_table", "table"]

TITLES = {"h100e": "shipments", "revenue": "revenue"}
LABEL, FIGURE = 30, 8
"""Widths of the columns."""
MINUTE, HOUR = 60, 3600


def table(swept: Swept) -> Group:
    """A block for each compared figure: a line for each variant, with the difference of its median from the first's."""
    parts: list[Any] = []
    found = rows(swept.tree) if swept.tree is not None else []
    blocks: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in found:
        blocks.setdefault((row["supplier"], row["output"], row["period"], row["unit"]), []).append(row)
    for (supplier, output, period, unit), lines in blocks.items():
        parts += [
            "",
            f"[bold]{escape(supplier)}[/bold], {TITLES[output]} {period} [dim]{escape(unit)}[/dim]",
            _lines(lines),
        ]
    if found:
        parts += ["", f"[dim]Difference of medians from {escape(found[0]['variant'])}.[/dim]"]
    return Group(*parts, *([failed_table(swept.failures)] if swept.failures else []))


def _lines(lines: Sequence[dict[str, Any]]) -> Table:
    shown = Table(box=None, pad_edge=False)
    shown.add_column("", width=LABEL, overflow="fold")
    for name in (*(key.upper() for key in QUANTILES), "diff"):
        shown.add_column(name, justify="right", width=FIGURE, header_style="dim")
    for row in lines:
        told = [_shown(row[key], row["unit"]) for key in QUANTILES]
        difference = _shown(row["difference"], row["unit"], sign=True) if row is not lines[0] else ""
        shown.add_row(escape(row["variant"]), *told, difference)
    return shown


def _shown(value: float | None, unit: str, *, sign: bool = False) -> str:
    if value is None:
        return "-"
    return ("+" if sign and value > 0 else "") + figure(value, unit) if value >= 0 else f"-{figure(-value, unit)}"


def failed_table(failures: Sequence[Failure]) -> Table:
    """Which variants failed, and why."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("failed", width=LABEL, overflow="fold", header_style="bold red")
    shown.add_column("why", overflow="fold")
    for each in failures:
        shown.add_row(escape(each.label), escape(each.message))
    return shown


def as_json(swept: Swept) -> dict[str, Any]:
    """The sweep's id, its variants with their runs, the compared figures and what failed."""
    variants: list[dict[str, Any]] = []
    if swept.tree is not None:
        known = swept.tree["variants"].to_dataset()
        names = ("scenario", "run", "commit", "book", "as_of", "seed", "draws")
        variants = [
            dict(zip(names, each, strict=True))
            for each in zip(*(known[name].values.tolist() for name in names), strict=True)
        ]
    return {
        "sweep": swept.folder.name if swept.folder else None,
        "variants": variants,
        "rows": rows(swept.tree) if swept.tree is not None else [],
        "failed": [each._asdict() for each in swept.failures],
    }


def estimate_lines(found: Estimate) -> list[str]:
    """What a sweep will take, in words."""
    todo, several = found.variants - found.finished, "s" if found.workers > 1 else ""
    takes = f"about {_time(found.seconds)} on {found.workers} worker{several}, {found.core_hours:,.2f} core-hours"
    return [
        f"{found.variants} variants, {found.finished} finished before; {found.tasks} tasks, {found.draws:,} draws",
        takes if todo else "nothing to do",
        f"about {found.bytes / 1e9:,.3f} GB of disk; {found.free / 1e9:,.1f} GB are free",
    ]


def _time(seconds: float) -> str:
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:,.1f} h"
