"""Charts that a spreadsheet draws itself, from the cells that hold their numbers."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sim.figures import BLUE, GRID, INK, LIGHT, MUTED, ORANGE, TEAL
from sim.report.workbook.drawn import Block, Range
from sim.report.workbook.writing import FONT, Book, plain

if TYPE_CHECKING:
    from xlsxwriter.chart import Chart  # type: ignore[import-untyped]

__all__ = ["fan", "grouped", "lines", "spanned", "stacked", "tornado", "waterfall"]

COLOURS = (BLUE, ORANGE, TEAL, LIGHT["pale_blue"], LIGHT["pale_orange"], LIGHT["pale_teal"], MUTED, GRID)
OUTER, INNER = "#c9d8e8", "#8dadd2"
"""Of bands: P5 to P95, and P25 to P75."""
SHARE = "0%"
MANY = 12
"""Categories from which not every one is named."""
ROOM = 0.6
"""Of the range of a waterfall, how much is shown below it."""


def _finished(chart: "Chart", title: str, hidden: Sequence[int] = (), **axes: dict[str, Any]) -> "Chart":
    small = {"name": FONT, "size": 9, "color": MUTED, "bold": False}
    large = {"name": FONT, "size": 11, "color": INK, "bold": True}
    chart.set_title({"name": "-", "overlay": False, "name_font": large})
    chart.title.name = plain(title[:1].upper() + title[1:])  # set_title takes text such as up!A1 for a place
    chart.set_legend({"position": "bottom", "font": small, "delete_series": list(hidden)})
    line = {"color": MUTED, "width": 0.75}
    x = {"num_font": small, "line": line, "major_tick_mark": "none", **axes.get("x", {})}
    grid = {"visible": True, "line": {"color": GRID, "width": 0.75}}
    y = {"num_font": small, "line": {"none": True}, "num_format": "#,##0", "major_gridlines": grid, **axes.get("y", {})}
    chart.set_x_axis(x)
    chart.set_y_axis(y)
    chart.set_chartarea({"border": {"color": GRID}})
    return chart


def _series(block: Block, column: int, **given: Any) -> dict[str, Any]:
    return {"name": block.name(column), "categories": block.values(0), "values": block.values(column), **given}


def _titled(block: Block) -> str:
    return f"{block.shape.title}, {block.shape.unit}" if block.shape.unit else block.shape.title


def _sparse(block: Block, every: int = 4) -> dict[str, Any]:
    return {"interval_unit": every, "interval_tick": every} if len(block.shape.rows) > MANY else {}


def fan(book: Book, block: Block) -> "Chart":
    """Bands as stacked areas upon one that is not seen, the median, and what is reported."""
    chart = book.made.add_chart({"type": "area", "subtype": "stacked"})
    chart.add_series(_series(block, 2, fill={"none": True}, border={"none": True}))
    for column, colour in ((3, OUTER), (4, INNER), (5, OUTER)):
        chart.add_series(_series(block, column, fill={"color": colour}, border={"none": True}))
    over = book.made.add_chart({"type": "line"})
    over.add_series(_series(block, 6, line={"color": BLUE, "width": 2.25}))
    known = any(row[1] is not None for row in block.shape.rows)
    if known:
        over.add_series(_series(block, 1, line={"color": INK, "width": 2.25}))
    chart.combine(over)
    return _finished(chart, _titled(block), [0], x={"position_axis": "on_tick", **_sparse(block)}, y={"min": 0})


def stacked(book: Book, block: Block) -> "Chart":
    """Shares of a whole by year."""
    chart = book.made.add_chart({"type": "column", "subtype": "stacked"})
    for column in range(1, len(block.shape.headings)):
        colour = COLOURS[(column - 1) % len(COLOURS)]
        chart.add_series(_series(block, column, fill={"color": colour}, border={"color": "white"}, gap=45))
    return _finished(chart, block.shape.title, y={"num_format": SHARE, "min": 0, "max": 1})


def lines(book: Book, block: Block) -> "Chart":
    """A line for each column."""
    chart = book.made.add_chart({"type": "line"})
    for column in range(1, len(block.shape.headings)):
        chart.add_series(_series(block, column, line={"color": COLOURS[(column - 1) % len(COLOURS)], "width": 2.25}))
    return _finished(chart, block.shape.title, y={"min": 0})


def grouped(book: Book, block: Block, names: int) -> "Chart":
    """Medians side by side with bars from P5 to P95; the first columns are the medians of so many runs."""
    from xlsxwriter.utility import xl_range_formula  # type: ignore[import-untyped]

    chart = book.made.add_chart({"type": "column"})
    for number in range(names):
        low, high = (xl_range_formula(*block.values(1 + number + shift)) for shift in (names, 2 * names))
        bars = {"type": "custom", "minus_values": f"={low}", "plus_values": f"={high}", "line": {"color": INK}}
        fill = {"color": COLOURS[number]}
        chart.add_series(_series(block, 1 + number, fill=fill, border={"none": True}, y_error_bars=bars, gap=60))
    return _finished(chart, _titled(block), y={"min": 0, "max": _ceiling(block, names)})


def _ceiling(block: Block, names: int) -> float:
    """Where the axis ends so that every bar is seen; spreadsheets look at the columns alone."""
    tops = [
        middle + up
        for row in block.shape.rows
        for middle, up in zip(row[1 : 1 + names], row[1 + 2 * names :], strict=True)
        if isinstance(middle, float) and isinstance(up, float)
    ]
    top = max(tops, default=1.0)
    unit = 10.0 ** math.floor(math.log10(top)) / 2
    return math.ceil(top / unit) * unit


def tornado(book: Book, title: str, inputs: Range, ends: Sequence[tuple[Range, Range]]) -> "Chart":
    """Changes of the median where each input is near its P10 and near its P90: names and cells of the two."""
    chart = book.made.add_chart({"type": "bar"})
    for (name, values), colour in zip(ends, (LIGHT["pale_blue"], BLUE), strict=True):
        series = {"name": name, "categories": inputs, "values": values, "fill": {"color": colour}}
        chart.add_series({**series, "border": {"none": True}, "overlap": 100, "gap": 40})
    line, none = {"color": GRID, "width": 0.75}, {"visible": False}
    across = {
        "num_format": "+#,##0;-#,##0;0",
        "line": {"none": True},
        "major_gridlines": {"visible": True, "line": line},
    }
    down = {"reverse": True, "label_position": "low", "crossing": "max", "major_gridlines": none, "line": line}
    return _finished(chart, title, x=across, y=down)  # of bars, x are the values


def waterfall(book: Book, block: Block) -> "Chart":
    """Levels at both ends, and between them what each step adds and takes away."""
    chart = book.made.add_chart({"type": "column", "subtype": "stacked"})
    for column, colour in ((2, None), (1, INK), (3, BLUE), (4, ORANGE)):
        fill = {"color": colour} if colour else {"none": True}
        chart.add_series(_series(block, column, fill=fill, border={"none": True}, gap=30))
    return _finished(chart, block.shape.title, [0], y={"min": _floor(block)})


def _floor(block: Block) -> float:
    """Where the axis of a waterfall begins, so that its steps are seen."""
    levels = [cell for row in block.shape.rows for cell in row[1:3] if isinstance(cell, float)]
    low, range_ = min(levels), max(levels) - min(levels)
    if low <= 0 or range_ == 0:
        return min(low, 0.0)
    unit = 10.0 ** math.floor(math.log10(range_))
    return max(0.0, math.floor((low - ROOM * range_) / unit) * unit)


def spanned(book: Book, block: Block) -> "Chart":
    """Ranges from P5 to P95 as columns upon what is not seen, the median, and what came or was published."""
    chart = book.made.add_chart({"type": "column", "subtype": "stacked"})
    chart.add_series(_series(block, 1, fill={"none": True}, border={"none": True}, gap=60))
    chart.add_series(_series(block, 2, fill={"color": INNER}, border={"none": True}))
    over = book.made.add_chart({"type": "line"})
    for column, mark, colour in ((3, "long_dash", INK), (4, "diamond", ORANGE)):
        marker = {"type": mark, "size": 9, "fill": {"color": colour}, "border": {"color": colour}}
        over.add_series(_series(block, column, line={"none": True}, marker=marker))
    chart.combine(over)
    return _finished(chart, _titled(block), [0], y={"min": 0})
