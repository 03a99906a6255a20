"""Tables of what the figures rest on: priors, sources, correlations, and how the workbook was made."""

from collections.abc import Iterable, Iterator

from sim.report import numbers
from sim.report.beliefs import LEVELS, Belief, Case
from sim.report.cited import Cited
from sim.report.contents import Contents, Shown
from sim.report.workbook.voice import Voice, heading
from sim.report.workbook.writing import Cell, Column, Number, Table, form

__all__ = ["grounds", "notes"]

JUDGEMENT = "judgement"
HUGE, SMALL = 1e7, 1e-3
TOLD = ("run", "commit", "as_of", "draws", "seed", "sampler", "device", "book", "history", "code")


def grounds(contents: Contents, voice: Voice) -> Iterator[Table]:
    """The priors of the first run and those that others have in their place, their sources, and correlations."""
    every = [
        (run.name, belief)
        for run, held in zip(contents.shown, (contents.beliefs, *contents.changed), strict=True)
        for belief in held
    ]
    rows: list[tuple[Cell, ...]] = [_case(run, belief, case, voice) for run, belief in every for case in belief.cases]
    yield Table("priors", _priors(voice), rows, fixed=2)
    columns: tuple[Column, ...] = (
        *(voice.column("scenario", 16), voice.column("prior", 28), voice.column("source_kind", 26)),
        *(voice.column("reference", 20), voice.column("where", 34), voice.column("title", 50)),
        *(voice.column("publisher", 24), voice.column("date", 12), voice.column("says", 70, wrap=True)),
        *(voice.column("link", 50), voice.column("note", 50, wrap=True)),
    )
    rows = [_source(run, belief.name, each, voice) for run, belief in every for each in belief.sources]
    yield Table("sources", columns, rows, fixed=2)
    columns = (
        *(voice.column("item", 50), voice.column("rho", 11, "0.00")),
        *(voice.column("reasoning", 90, wrap=True), voice.column("sources", 70, wrap=True)),
    )
    rows = [(each.subject, each.rho, each.reasoning, _cited(each.sources, voice)) for each in contents.correlated]
    yield Table("correlations", columns, rows)


def _priors(voice: Voice) -> tuple[Column, ...]:
    return (
        *(voice.column("scenario", 16), voice.column("prior", 28), voice.column("topic", 34)),
        *(voice.column("about", 60, wrap=True), voice.column("applies", 34, wrap=True)),
        voice.column("numbers", 9, "0"),
        *(voice.column("unit", 18), voice.column("family", 12), *(Column(heading(key)) for key in LEVELS)),
        *(voice.column("given", 26), voice.column("sources", 50, wrap=True)),
        *(voice.column("reasoning", 90, wrap=True), voice.column("as_of", 12)),
    )


def _case(run: str, belief: Belief, case: Case, voice: Voice) -> tuple[Cell, ...]:
    shown = _form(case.figures.values(), belief.unit)
    return (
        *(run, belief.name, voice.report.of("topics", belief.topic), belief.about),
        "; ".join(case.labels) or voice.own.raw("words.all"),
        Number(case.count, "0"),
        *(voice.unit(belief.unit), case.family),
        *(Number(case.figures[key], shown) for key in LEVELS),
        "; ".join(f"{name} {value}" for name, value in case.given),
        *(_cited(belief.sources, voice), belief.reasoning, belief.as_of),
    )


def _form(values: Iterable[float], unit: str) -> str:
    """How the percentiles of a prior are shown: dates to a hundredth of a year, others with three digits."""
    middle = sorted(values, key=abs)[1]
    if unit == "year":
        return "0.00"
    return "0.00E+00" if abs(middle) >= HUGE or 0 < abs(middle) < SMALL else form(numbers.decimals([middle]))


def _cited(sources: Iterable[Cited], voice: Voice) -> str:
    """Sources in short, each once."""
    judged = voice.own.raw("words.judgement")
    told = (judged if each.kind == JUDGEMENT else f"{each.key}: {each.where}" for each in sources)
    return "; ".join(dict.fromkeys(told))


def _source(run: str, prior: str, each: Cited, voice: Voice) -> tuple[Cell, ...]:
    kind = voice.report.of("kinds", each.kind)
    placed = (each.key, each.where, each.title, each.publisher, each.published)
    return run, prior, kind, *placed, each.says, each.link, each.note


def notes(contents: Contents, voice: Voice) -> Table:
    """How to read the workbook, the method, where each run comes from, and notices."""
    columns = (
        *(voice.column("section", 16), voice.column("scenario", 18), voice.column("item", 28)),
        voice.column("text", 110, wrap=True),
    )
    say = voice.report
    remade = [say.plain("provenance.verified"), say.plain("provenance.remade", draws=f"{contents.draws:,}")]
    told = [
        *(("reading", "", "", text) for text in voice.own.all("reading")),
        *(("method", "", "", text) for text in say.all("method.text")),
        *(("limits", "", "", text) for text in say.all("method.limits")),
        *(("run", "", "", text) for text in remade),
        *(row for run in contents.shown for row in _provenance(run, voice)),
        *(("notices", "", "", text) for text in say.all("notices")),
    ]
    rows = [(voice.own.raw(f"sections.{section}"), run, item, str(text)) for section, run, item, text in told]
    return Table("notes", columns, rows, fixed=1)


def _provenance(run: Shown, voice: Voice) -> Iterator[tuple[str, str, str, str]]:
    yield "run", run.name, voice.own.raw("columns.about"), run.about
    for item in TOLD:
        value = getattr(run, item)
        text = f"{value:,}" if isinstance(value, int) else str(value)
        yield "run", run.name, voice.report.raw(f"provenance.{item}"), text
    for path, value in run.overrides.items():
        yield "values", run.name, path, value
    for name, version in sorted(run.versions.items()):
        yield "versions", run.name, name, version
