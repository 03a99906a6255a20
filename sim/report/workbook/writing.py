"""Cells as a workbook holds them: text that stays text, numbers to their last digit, tables with one header row.

xlsxwriter is imported where a workbook is opened, so that a report without one does not load it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from sim.errors import visible
from sim.figures import BLUE, GRID, INK, MUTED

if TYPE_CHECKING:
    from xlsxwriter.format import Format  # type: ignore[import-untyped]
    from xlsxwriter.workbook import Workbook  # type: ignore[import-untyped]
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

__all__ = ["FONT", "PERCENT", "Book", "Cell", "Column", "Exact", "Number", "Table", "form", "plain"]

FONT = "Arial"
LONGEST = 32_766
"""Characters that a cell of a workbook can hold, less one."""
CALCULATED = ("=", "+", "-", "@")
"""What a spreadsheet takes for a formula when someone edits the cell."""
PERCENT = "0.0%"
HIGH, LINE = 18, 15
"""Pixels of a row with a line of text, about, and of a further line."""
HIGHEST = 540
"""Pixels of the highest row there may be."""
A4 = 9
TABLE = "Table Style Light 1"


class Exact(float):
    """A float64 that is written with all its digits; xlsxwriter formats numbers with sixteen, one too few."""

    def __format__(self, spec: str) -> str:
        """The shortest text that reads back as the same number."""
        return float.__repr__(self).upper()


class Number(NamedTuple):
    """A number, or none, and how it is shown."""

    value: float | None
    form: str


Cell = str | float | Number | None


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, its width in characters, how its numbers are shown, whether text wraps."""

    title: str
    width: float = 10
    form: str = "General"
    wrap: bool = False


@dataclass(frozen=True)
class Table:
    """A table, the only thing on its sheet: its key among the words, its columns and rows."""

    key: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Cell]]
    fixed: int = 1
    """Columns that stay in sight."""


def form(decimals: int) -> str:
    """How numbers with so many decimals are shown."""
    return f"#,##0.{'0' * decimals}" if decimals else "#,##0"


def plain(text: object) -> str:
    """Text on one line, with what is not seen written as its escape, no longer than a cell can hold."""
    told = " ".join(str(text).split())
    told = told if told.isprintable() else visible(told)
    told = told if len(told) <= LONGEST else f"{told[: LONGEST - 1]}…"
    # xlsxwriter writes text between these tags as markup of its own; with a space behind it is text
    return f"{told} " if told.startswith("<r>") and told.endswith("</r>") else told


@dataclass
class Book:
    """A workbook being written: its sheets by key, and its formats, each made once."""

    made: "Workbook"
    names: Mapping[str, str]
    """Names of sheets by key."""
    sheets: "dict[str, Worksheet]" = field(default_factory=dict)
    formats: "dict[tuple[tuple[str, Any], ...], Format]" = field(default_factory=dict)

    def sheet(self, key: str, colour: str = MUTED) -> "Worksheet":
        """A new sheet at the end, set up for the screen and for paper."""
        sheet = self.made.add_worksheet(self.names[key])
        sheet.hide_gridlines(2)
        sheet.set_tab_color(colour)
        sheet.set_landscape()
        sheet.set_paper(A4)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        sheet.fit_to_pages(1, 0)
        sheet.set_footer("&L&8&A&R&8&P / &N")
        self.sheets[key] = sheet
        return sheet

    def style(self, **given: Any) -> "Format":
        """A format with these properties."""
        key = tuple(sorted(given.items()))
        if key not in self.formats:
            properties = {"font_name": FONT, "font_size": 9, "font_color": INK, "valign": "vcenter", **given}
            self.formats[key] = self.made.add_format(properties)
        return self.formats[key]

    def heading(self, over: Cell) -> "Format":
        """The format of a table's header over cells like this one."""
        ruled = {"bottom": 2, "bottom_color": BLUE, "bg_color": GRID, "text_wrap": True}
        aside = {"indent": 1} if isinstance(over, str) else {"align": "right"}
        return self.style(bold=True, **aside, **ruled)

    def text(self, sheet: "Worksheet", row: int, column: int, text: object, **given: Any) -> None:
        """Write text as text, whatever it looks like."""
        told = plain(text)
        quoted = {"quote_prefix": True} if told.startswith(CALCULATED) else {}
        if told:
            sheet.write_string(row, column, told, self.style(**given, **quoted))

    def cell(self, sheet: "Worksheet", row: int, column: int, cell: Cell, of: Column) -> None:
        """Write a cell; nothing where there is no number."""
        if isinstance(cell, str):
            self.text(sheet, row, column, cell, align="left", indent=1, **({"text_wrap": True} if of.wrap else {}))
            return
        value, shown = cell if isinstance(cell, Number) else (cell, of.form)
        if value is not None and math.isfinite(value):
            sheet.write_number(row, column, Exact(value), self.style(num_format=shown))

    def rows(self, sheet: "Worksheet", first: int, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> int:
        """Write rows from one on; the row after the last."""
        for row in rows:
            for number, (cell, column) in enumerate(zip(row, columns, strict=True)):
                self.cell(sheet, first, number, cell, column)
            wrapped = [_lines(each, of.width) for each, of in zip(row, columns, strict=True) if _wraps(each, of)]
            if max(wrapped, default=1) > 1:
                sheet.set_row_pixels(first, min(LINE * max(wrapped), HIGHEST))
            first += 1
        return first

    def listed(self, sheet: "Worksheet", first: int, table: Table) -> None:
        """Write a table with its header at a row, named, with filters."""
        last = self.rows(sheet, first + 1, table.columns, table.rows) - 1
        headings = [
            {"header": plain(column.title), "header_format": self.heading(cell)}
            for column, cell in zip(table.columns, table.rows[0], strict=True)
        ]
        options = {"name": f"chipcast_{table.key}", "columns": headings, "style": TABLE}
        sheet.add_table(first, 0, last, len(table.columns) - 1, options)
        sheet.set_row_pixels(first, HIGH * max(_lines(column.title, column.width - 2) for column in table.columns))

    def table(self, table: Table, colour: str = MUTED) -> None:
        """A sheet of its own for a table, whose header and first columns stay in sight."""
        sheet = self.sheet(table.key, colour)
        for number, column in enumerate(table.columns):
            sheet.set_column(number, number, column.width)
        self.listed(sheet, 0, table)
        sheet.freeze_panes(1, table.fixed)
        sheet.repeat_rows(0)


def _wraps(cell: Cell, of: Column) -> TypeGuard[str]:
    return of.wrap and isinstance(cell, str)


def _lines(text: str, width: float) -> int:
    """Lines that a text takes, broken at this many characters; those of Chinese are two wide."""
    return max(1, math.ceil(sum(1 if sign < "⺀" else 2 for sign in text) / width))


def height(text: str, width: float) -> int:
    """Pixels that wrapped text takes in a column of so many characters, with a line to spare between paragraphs."""
    return HIGH * _lines(text, 0.92 * width) + HIGH // 3
