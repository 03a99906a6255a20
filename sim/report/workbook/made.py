"""A workbook put together: a summary, charts, tables, and what the charts are drawn from."""

import datetime as dt
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from sim.figures import BLUE, INK, MUTED, ORANGE, TEAL
from sim.report.contents import Contents
from sim.report.sentences import sentences
from sim.report.workbook import charts, drawn
from sim.report.workbook.drawn import Drawn, Range
from sim.report.workbook.grounds import grounds, notes
from sim.report.workbook.reasons import compared, drivers, others, past
from sim.report.workbook.results import FAMILIES, answers, families, thresholds
from sim.report.workbook.voice import Voice, voice
from sim.report.workbook.writing import FONT, HIGH, Book, Table, height, plain

if TYPE_CHECKING:
    from xlsxwriter.chart import Chart  # type: ignore[import-untyped]
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

__all__ = ["workbook"]

OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
COLOURS = dict.fromkeys(FAMILIES, BLUE) | dict.fromkeys(("priors", "sources", "correlations"), TEAL)
"""Of tabs; others that tell why are orange."""
SIZE, BESIDE = (640, 380), (900, 290)
"""Of a chart among others, and beside the sentences [pixel]."""
CELL, SCALE = (64, 20), 60
"""Of an empty cell [pixel], and of the charts on paper [%]."""
TOP = 4
"""Row of the first sentence."""
INPUT, CHANGES = 2, (12, 13)
"""Columns of the tornado's table that are drawn."""


def workbook(contents: Contents, lang: str = "en") -> bytes:
    """The report as an xlsx file, the same bytes for the same contents. BookError: there are no words in the language.

    It holds no formula: numbers are written with all their digits, and text is text whatever it looks like.
    """
    from xlsxwriter import Workbook  # type: ignore[import-untyped]

    said, held = voice(lang, contents.names), BytesIO()
    tables = {table.key: table for table in _tables(contents, said) if table.rows}
    # a dict of its own: xlsxwriter writes into it, and the next workbook would have other bytes
    made = Workbook(held, {**OPTIONS, "default_format_properties": {"font_name": FONT, "font_size": 10}})
    book = Book(made, {key: said.own.raw(f"sheets.{key}") for key in said.own.keys("sheets")})
    made.set_properties(_properties(contents, said))
    summary, pictures = book.sheet("summary", INK), book.sheet("charts", INK)
    for table in tables.values():
        book.table(table, COLOURS.get(table.key, MUTED if table.key == "notes" else ORANGE))
    below = Drawn(book)
    first, *more = (charts.fan(book, below.put(each)) for each in drawn.fans(contents, said))
    _summarise(book, summary, contents, said, [first, more[0]])
    _hang(pictures, [*more[1:], *_pictures(book, below, contents, said, tables)])
    made.close()
    return held.getvalue()


def _tables(contents: Contents, said: Voice) -> Iterator[Table]:
    yield from families(contents, said)
    yield thresholds(contents, said)
    yield from drivers(contents, said)
    yield from compared(contents, said)
    yield from past(contents, said)
    yield others(contents, said)
    yield from grounds(contents, said)
    yield notes(contents, said)


def _properties(contents: Contents, said: Voice) -> dict[str, object]:
    """What the file says of itself; its date is that of the beliefs, because a file's own would never be the same."""
    first = contents.first
    told = {"as_of": first.as_of, "draws": f"{first.draws:,}", "run": first.run}
    return {
        "title": plain(said.own.plain("properties.title", name=first.name)),
        "subject": plain(said.own.plain("properties.subject", **told)),
        "author": "chipcast",
        "comments": plain(f"{first.commit} {said.report.all('notices')[0]}"),
        "created": dt.datetime.combine(dt.date.fromisoformat(first.as_of), dt.time()),
    }


def _summarise(book: Book, sheet: "Worksheet", contents: Contents, said: Voice, beside: "list[Chart]") -> None:
    """What will happen in sentences with charts beside them, the answer by year, and what is on which sheet."""
    table, first = answers(contents, said), contents.first
    sheet.set_portrait()
    sheet.fit_to_pages(1, 1)
    wide = table.columns[0].width
    for number, column in enumerate(table.columns):
        sheet.set_column(number, number, column.width)
    told = {"run": first.run, "commit": first.commit[:12], "draws": f"{first.draws:,}", "seed": first.seed}
    book.text(sheet, 0, 0, said.own.plain("properties.title", name=first.name), bold=True, font_size=16)
    sheet.set_row_pixels(0, 2 * HIGH)
    book.text(sheet, 1, 0, said.report.plain("subtitle", as_of=first.as_of), font_color=MUTED)
    book.text(sheet, 2, 0, said.report.plain("meta", **told), font_color=MUTED)
    row, used = TOP, 0
    for sentence in sentences(contents, said.report, said.naming):
        text = plain(sentence.striptags())
        book.text(sheet, row, 0, text, text_wrap=True, font_size=10, valign="top")
        sheet.set_row_pixels(row, height(text, wide))
        row, used = row + 1, used + height(text, wide)
    room = max(BESIDE[1], (used - HIGH) // len(beside))
    for number, chart in enumerate(beside):
        _insert(sheet, TOP, 1, chart, (BESIDE[0], room - HIGH), above=number * room)
    sheet.set_row_pixels(row, max(HIGH, len(beside) * room - used + HIGH))
    book.text(sheet, row + 1, 0, said.own.raw("summary.table"), bold=True, font_size=12)
    book.listed(sheet, row + 2, table)
    _list_sheets(book, sheet, row + len(table.rows) + 4, said)


def _list_sheets(book: Book, sheet: "Worksheet", row: int, said: Voice) -> None:
    """What is on which sheet, each a click away."""
    book.text(sheet, row, 0, said.own.raw("summary.contents"), bold=True, font_size=12)
    for key, target in list(book.sheets.items())[1:]:
        row += 1
        name = target.get_name().replace("'", "''")
        link = book.style(font_color=BLUE, underline=1)
        sheet.write_url(row, 0, f"internal:'{name}'!A1", link, target.get_name())
        book.text(sheet, row, 1, said.own.raw(f"holds.{key}"))


def _pictures(book: Book, below: Drawn, contents: Contents, said: Voice, tables: dict[str, Table]) -> "Iterator[Chart]":
    """The charts that do not stand beside the sentences."""
    yield charts.stacked(book, below.put(drawn.binding(contents, said)))
    for found in contents.sensitivities[:1]:
        if len(found.years) > 1:
            yield charts.stacked(book, below.put(drawn.shares(found, said)))
    yield from _tornados(book, contents, said, tables)
    if contents.comparison:
        for shape in drawn.medians(contents, said):
            yield charts.grouped(book, below.put(shape), len(contents.shown))
        for fallen in contents.comparison.waterfalls:
            if fallen.steps and fallen.mean:
                yield charts.waterfall(book, below.put(drawn.steps(fallen, said)))
    yield charts.lines(book, below.put(drawn.chain(contents, said)))
    for shape in drawn.spans(contents, said):
        yield charts.spanned(book, below.put(shape))


def _tornados(book: Book, contents: Contents, said: Voice, tables: dict[str, Table]) -> "Iterator[Chart]":
    """A tornado of each answer, drawn from the rows of their table."""
    row, sheet = 1, book.names["tornado"]
    for found in contents.sensitivities:
        last = row + len(found.swings) - 1
        if last >= row:
            ends: list[tuple[Range, Range]] = [
                ([sheet, 0, column], [sheet, row, column, last, column]) for column in CHANGES
            ]
            what, unit = said.naming.cell(found.cell), said.naming.unit(found.unit)
            title = said.own.plain("charts.tornado", what=what, unit=unit)
            yield charts.tornado(book, title, [sheet, row, INPUT, last, INPUT], ends)
        row = last + 1


def _hang(sheet: "Worksheet", shown: "list[Chart]") -> None:
    """Charts two by two, four on a sheet of paper."""
    high = SIZE[1] // CELL[1] + 1
    for number, chart in enumerate(shown):
        row, column = divmod(number, 2)
        _insert(sheet, row * high, column * (SIZE[0] // CELL[0] + 1), chart, SIZE, above=CELL[1] // 4)
    sheet.set_print_scale(SCALE)
    sheet.set_h_pagebreaks([row * high for row in range(2, (len(shown) + 1) // 2, 2)])


def _insert(sheet: "Worksheet", row: int, column: int, chart: "Chart", size: tuple[int, int], above: int = 0) -> None:
    """Put a chart on a sheet; its title is what a screen reader says of it."""
    chart.set_size({"width": size[0], "height": size[1]})
    sheet.insert_chart(row, column, chart, {"object_position": 2, "y_offset": above, "description": chart.title.name})
