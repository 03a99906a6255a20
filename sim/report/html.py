"""A report as one HTML file: no network, no script, the same bytes for the same contents."""

import math
from collections.abc import Iterable
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from sim import figures
from sim.consensus import told as standing_told
from sim.consensus.page import place
from sim.report import numbers
from sim.report.contents import Contents
from sim.report.naming import Naming
from sim.report.pictures import Pictures
from sim.report.rows import QUANTILES, Row
from sim.report.sentences import behind, of_cell, sentences, strongest
from sim.report.strip import drawn
from sim.report.words import Words, told, words

if TYPE_CHECKING:
    from sim.compare import Difference

__all__ = ["html"]

FOLDER = Path(__file__).parent
SECTIONS = (
    *("answer", "charts", "tables", "chances", "binding", "drivers", "scenarios", "past", "others", "beliefs"),
    *("method", "provenance", "notices"),
)
FIRST = ("p05", "p10", "p25", "p50", "p75", "p90", "p95", "mean", "p50_error", "mean_error")
"""Figures of a row in a table."""


def html(contents: Contents, lang: str = "en") -> str:
    """The report in a language. BookError: there are no words in it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    w = words(lang)
    naming = Naming(w, contents.names)
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=lambda value: told(value) if isinstance(value, str) else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cap": _capital, "soft": _soft}
    page: str = environment.get_template("report.html").render(
        w=w,
        naming=naming,
        c=contents,
        first=contents.first,
        pictures=Pictures(contents, w, naming),
        sentences=sentences(contents, w, naming),
        sections=[name for name in SECTIONS if name != "scenarios" or len(contents.shown) > 1],
        style=_style(contents, w),
        n=numbers,
        figures=FIRST,
        quantiles=tuple(QUANTILES),
        blocks=_blocks(contents.first.rows),
        of_cell=of_cell,
        places=_places,
        strip=drawn,
        topics=_topics(contents, w),
        standing_told=standing_told,
        strongest=partial(strongest, contents),
        behind=partial(behind, contents, w),
        differences=_differences,
        relative=_relative,
        place=partial(_place, w),
    )
    return page


def _style(contents: Contents, w: Words) -> Markup:
    """The style sheet: the palette of the figures, the page, and what is printed on every sheet of paper."""
    light, dark = (
        "".join(f"--{name}:{colour};" for name, colour in palette.items()) for palette in (figures.LIGHT, figures.DARK)
    )
    first = contents.first
    running = w.plain("running", run=_hex(first.run), commit=_hex(first.commit)[:12])
    page = w.plain("page", page='" counter(page) "', pages='" counter(pages) "')
    sheet = (FOLDER / "report.css").read_text(encoding="utf-8")
    margins = f'@top-left{{content:"{running}"}}@top-right{{content:"{first.as_of}"}}@bottom-right{{content:"{page}"}}'
    palettes = f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return Markup(f"{palettes}{sheet}@page{{{margins}}}")


def _hex(text: str) -> str:
    """A hash as it may stand in a style sheet."""
    return "".join(sign for sign in text if sign in "0123456789abcdef")


def _blocks(rows: Iterable[Row]) -> dict[str, list[list[Row]]]:
    """Rows by output, and within it by label."""
    found: dict[str, list[list[Row]]] = {}
    for (output, _), some in groupby(rows, key=lambda row: (row.output, row.label)):
        found.setdefault(output, []).append(list(some))
    return found


def _places(rows: Iterable[Row], figures: Iterable[str]) -> dict[str, int]:
    """Decimals of each column: what the medians need, and of errors two digits of the largest."""
    listed = list(rows)
    scale = 100 if listed[0].unit == "1" else 1
    middle = numbers.aligned([scale * (row.figures["p50"] or row.figures["mean"] or 0) for row in listed])
    errors = {
        figure: numbers.decimals([scale * (row.errors[figure.removesuffix("_error")] or 0) for row in listed], 2)
        for figure in figures
        if figure.endswith("_error")
    }
    return {figure: errors.get(figure, middle) for figure in figures}


def _topics(contents: Contents, w: Words) -> list[tuple[str, str, list[Any]]]:
    """Priors by topic, the topics in the order of the drivers' shares."""
    order = {}
    if contents.sensitivities:
        ranked = sorted(contents.sensitivities[0].effects, key=lambda each: -each.shapley.value)
        order = {each.group: position for position, each in enumerate(ranked)}
    keys = sorted(w.keys("topics"), key=lambda key: order.get(key, len(order)))
    groups = ((key, [each for each in contents.beliefs if each.topic == key]) for key in keys)
    return [(key, w.of("topics", key), some) for key, some in groups if some]


def _place(w: Words, standing: Any) -> str:
    """The percentile at which a point stands, or on which side of all draws."""
    part = standing.below.value
    return w.plain("others.above_all" if part else "others.below_all") if part in (0, 1) else place(standing)


def _differences(contents: Contents) -> "list[Difference]":
    """The differences of what is asked first and of what holds buyers back, in the year asked and in the last."""
    assert contents.comparison is not None
    last = max(row.period for row in contents.first.rows if row.output == "revenue")
    wanted = [("revenue", contents.lead), ("h100e", "total"), ("capex", "reported"), ("revenue_share", contents.lead)]
    return [
        each
        for output, label in wanted
        for year in dict.fromkeys((contents.year, last))
        for each in contents.comparison.differences
        if (each.output, each.label, each.period) == (output, label, year)
    ]


def _relative(bias: float) -> str:
    """A logarithm as a part by which a figure is off, in per cent."""
    return f"{numbers.signed(100 * (math.exp(bias) - 1), 0)} %"


def _capital(text: str) -> str:
    """Text that begins with a capital."""
    return text[:1].upper() + text[1:]


def _soft(name: str) -> Markup:
    """A name that may be broken after its underscores."""
    return told(name).replace("_", Markup("_<wbr>"))
