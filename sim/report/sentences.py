"""The headline in sentences, made from the numbers; a sentence whose numbers are not there is not said."""

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from sim.axes import CONSTRAINTS
from sim.backtest.scored import OURS
from sim.report.cited import Cited
from sim.report.contents import Contents, Shown
from sim.report.naming import LEAD, Naming
from sim.report.numbers import cell, decimals, percent, printed, signed
from sim.report.record import Pooled
from sim.report.rows import Row
from sim.report.words import Words

if TYPE_CHECKING:
    from sim.sensitivity import Sensitivity, Swing

__all__ = ["behind", "of_cell", "sentences", "strongest"]

SHORT = re.compile(r" ?[(;\[]|, ")
"""Where the short name of a row's source ends."""
STRONGEST = 3
"""Inputs that are named of a topic."""
WALK = "random walk with drift"
ALL = "all figures"
LEADS = "NVIDIA data centre, years"
"""The metric of the record that is nearest to what a report of NVIDIA says first."""


def of_cell(row: Row, figure: str, run: str, places: int | None = None) -> Markup:
    """A figure of a row as it is printed, in per cent where it is a share."""
    scale = 100 if row.unit == "1" else 1
    value = row.errors[figure.removesuffix("_error")] if figure.endswith("_error") else row.figures[figure]
    if value is None:
        return Markup("–")
    shown = value * scale
    if places is None:
        places = decimals([shown], 2 if figure.endswith("_error") else 3)
    return cell(printed(shown, places), row.cell, figure, run, scale)


def sentences(contents: Contents, words: Words, naming: Naming) -> list[Markup]:
    """What will happen, how sure that is, why, and how the method has done."""
    told = (_forecast, _binding, _drivers, _past, _scenarios)
    return [sentence for part in told for sentence in part(contents, words, naming)]


def _figures(row: Row, run: str, naming: Naming) -> dict[str, Any]:
    places = decimals([row.figures["p50"]])
    return {key: of_cell(row, key, run, places) for key in row.figures} | {"unit": naming.unit(row.unit)}


def _forecast(contents: Contents, words: Words, naming: Naming) -> Iterator[Markup]:
    first, lead, year = contents.first, contents.lead, contents.year
    revenue = first.row("revenue", lead, year)
    if revenue is not None:
        what = naming.what("revenue", lead)
        said = [words("answer.revenue", what=what, year=year, **_figures(revenue, first.run, naming))]
        before = first.row("revenue", lead, str(int(first.as_of[:4]) - 1))
        if before is not None and before.figures["p50"] and revenue.figures["p50"]:
            ratio = printed(revenue.figures["p50"] / before.figures["p50"], 1)
            said.append(words("answer.grown", ratio=ratio, base=before.period))
        last = max(
            (row for row in first.rows if (row.output, row.label) == ("revenue", lead)), key=lambda row: row.period
        )
        if last.period != year:
            said.append(words("answer.horizon", year=last.period, **_figures(last, first.run, naming)))
        yield Markup(" ").join(said)
    shipped, spent = first.row("h100e", "total", year), first.row("capex", "reported", year)
    if shipped is not None:
        yield words("answer.shipments", year=year, **_figures(shipped, first.run, naming))
    if spent is not None:
        names = (naming.label(str(each)) for each in first.tree["observed_data"].to_dataset()["reported_buyer"].values)
        buyers = f"{naming.label('reported')} ({', '.join(names)})"
        yield words("answer.capex", buyers=buyers, year=year, **_figures(spent, first.run, naming))


def _binding(contents: Contents, words: Words, naming: Naming) -> Iterator[Markup]:
    first = contents.first
    years = sorted({row.period for row in first.rows if row.output == "binding"})
    if contents.year not in years:
        return
    now, then = (_ranked(first, year) for year in (contents.year, years[-1]))
    yield words(
        "answer.binding",
        year=contents.year,
        first=naming.label(now[0].label),
        first_share=_share(now[0], first.run),
        second=naming.label(now[1].label),
        second_share=_share(now[1], first.run),
        last=years[-1],
        last_first=naming.label(then[0].label),
        last_share=_share(then[0], first.run),
    )


def _ranked(run: Shown, year: str) -> list[Row]:
    rows = [row for each in CONSTRAINTS if (row := run.row("binding", each, year)) is not None]
    return sorted(rows, key=lambda row: -(row.figures["mean"] or 0))


def _share(row: Row, run: str) -> Markup:
    return of_cell(row, "mean", run, 0) + " %"


def _drivers(contents: Contents, words: Words, naming: Naming) -> Iterator[Markup]:
    if not contents.sensitivities:
        return
    found = contents.sensitivities[0]
    ranked = sorted(found.effects, key=lambda each: -each.shapley.value)[:3]
    if len(ranked) == 3:
        told = {
            f"{place}{suffix}": value
            for place, each in zip(("first", "second", "third"), ranked, strict=True)
            for suffix, value in (("", words.of("topics", each.group)), ("_share", percent(each.shapley.value)))
        }
        yield words("answer.drivers", what=naming.cell(found.cell), **told)
    inputs = [
        words(
            "answer.input",
            prior=Markup('<a href="#prior-{}">{}</a>').format(each.prior, each.entry),
            about=each.about.rstrip("."),
            sources=behind(contents, words, each.prior),
        )
        for each in strongest(contents, found, ranked[0].group)
    ]
    if inputs:
        topic = words.of("topics", ranked[0].group)
        yield words("answer.behind", topic=topic, inputs=Markup(", ").join(inputs))
    if found.footing:
        yield words("answer.grounds", **{each.kind: percent(each.share.value) for each in found.footing})


def strongest(contents: Contents, found: "Sensitivity", topic: str) -> "list[Swing]":
    """The inputs of a topic that move a figure most."""
    own = {each.name for each in contents.beliefs if each.topic == topic}
    return [each for each in found.swings if each.prior in own][:STRONGEST]


def behind(contents: Contents, words: Words, prior: str) -> Markup:
    """The sources of a prior in short, each once."""
    told = dict.fromkeys(_source(each, words) for each in contents.belief(prior).sources)
    return Markup("; ").join(told)


def _source(source: Cited, words: Words) -> Markup:
    """A source in short: who published it, or what it is called up to its first bracket, and when."""
    if source.kind == "judgement":
        return words("judgement")
    who = source.publisher or SHORT.split(source.title, maxsplit=1)[0]
    return words("answer.published", who=who, date=source.published, key=source.key)


def _past(contents: Contents, words: Words, naming: Naming) -> Iterator[Markup]:
    ours, walk = (_pooled(contents.past.dated, method) for method in (OURS, WALK))
    if ours is None:
        return
    said = [words("answer.past", books=len(contents.past.books), **_held(ours, words))]
    lead = _pooled(contents.past.dated, OURS, LEADS)
    if lead is not None and contents.names.get(contents.lead) == LEAD:
        said.append(words("answer.past_lead", metric=words.of("metrics", LEADS), **_held(lead, words)))
    if walk is not None and walk.skill is not None:
        skill = walk.skill[0]
        better = words("answer.smaller" if skill > 0 else "answer.larger")
        method = words.of("methods", WALK)
        said.append(words("answer.skill", method=method, skill=percent(abs(skill)), better=better))
    yield Markup(" ").join(said)


def _held(row: Pooled, words: Words) -> dict[str, object]:
    """How many cases there were, how many of them the ranges held, and on which side of the median they lay."""
    off = math.exp(-row.bias) - 1
    side = words("answer.above" if off > 0 else "answer.below")
    held = dict(zip(("c50", "c80", "c90"), map(percent, row.covered), strict=True))
    return {"count": row.cases, "bias": percent(abs(off)), "side": side, **held}


def _pooled(rows: tuple[Pooled, ...], method: str, metric: str = ALL) -> Pooled | None:
    return next((row for row in rows if (row.metric, row.method) == (metric, method)), None)


def _scenarios(contents: Contents, words: Words, naming: Naming) -> Iterator[Markup]:
    if contents.comparison is None:
        return
    of = ("revenue", contents.lead, contents.year)
    runs = {run.name: (run, run.row(*of)) for run in contents.shown}
    for each in contents.comparison.differences:
        (first, before), (second, after) = runs[each.first], runs[each.second]
        if (each.output, each.label, each.period) == of and before is not None and after is not None:
            places = decimals([before.figures["p50"]])
            yield words(
                "answer.scenario",
                name=each.second,
                base=each.first,
                what=naming.what(each.output, each.label),
                year=each.period,
                unit=naming.unit(each.unit),
                first=of_cell(before, "p50", first.run, places),
                second=of_cell(after, "p50", second.run, places),
                **{key: signed(getattr(each, key), places) for key in ("p05", "p50", "p95")},
            )
