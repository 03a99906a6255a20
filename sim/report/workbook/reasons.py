"""Tables of why and against what: drivers, scenarios, the past, and what others say."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sim.report import numbers
from sim.report.contents import Contents
from sim.report.record import Pooled
from sim.report.sentences import strongest
from sim.report.workbook.voice import Voice
from sim.report.workbook.writing import PERCENT, Cell, Column, Number, Table, form

if TYPE_CHECKING:
    from sim.compare import Difference, Waterfall
    from sim.consensus import Standing
    from sim.sensitivity import Sensitivity

__all__ = ["compared", "drivers", "others", "past"]

FINE = "0.00%"
SHARE = "0.000"
NONE: tuple[Cell, ...] = (None, None)


def _near(values: Iterable[float | None]) -> str:
    """How figures of one quantity are shown: three digits of the largest."""
    return form(numbers.decimals(values))


def drivers(contents: Contents, voice: Voice) -> Iterator[Table]:
    """What moves the answers."""
    found = contents.sensitivities
    first = (voice.column("quantity", 40), voice.column("by", 24))
    share = [
        voice.column(key, 11, PERCENT if "error" not in key else FINE)
        for key in ("shapley", "shapley_error", "first", "first_error", "total", "total_error")
    ]
    ends = (voice.column("inputs", 60), voice.column("cell", 26))
    columns = (*first, voice.column("topic", 40), *share, *ends)
    yield Table("drivers", columns, [row for each in found for row in _effects(contents, each, voice)], fixed=3)
    columns = (
        *(voice.column("quantity", 40), voice.column("topic", 44), voice.column("year", 8)),
        *(voice.column("shapley", 12, PERCENT), voice.column("cell", 26)),
    )
    yield Table("over_time", columns, [row for each in found for row in _over_time(each, voice)], fixed=2)
    yield Table("tornado", _tornado(voice), [row for each in found for row in _swings(each, voice)], fixed=3)
    middle = [Column(name, 9, SHARE) for name in ("P5", "P50", "P95")]
    columns = (voice.column("quantity", 40), voice.column("prior", 30), *middle, voice.column("cell", 26))
    rows = [
        (voice.naming.cell(each.cell), own.prior, own.p05, own.p50, own.p95, each.cell)
        for each in found
        for own in each.elasticities
    ]
    yield Table("elasticities", columns, rows, fixed=2)


def _effects(contents: Contents, found: "Sensitivity", voice: Voice) -> Iterator[tuple[Cell, ...]]:
    """Shares by topic, then by what the inputs rest on, each the largest first."""
    what = voice.naming.cell(found.cell)
    for each in sorted(found.effects, key=lambda each: -each.shapley.value):
        inputs = ", ".join(swing.entry for swing in strongest(contents, found, each.group))
        topic = voice.report.of("topics", each.group)
        shares = (*each.shapley, *each.first, *each.total)
        yield what, voice.own.raw("words.topic"), topic, *shares, inputs, found.cell
    for ground in found.footing:
        kind = voice.report.of("footings", ground.kind)
        yield what, voice.own.raw("words.footing"), kind, *ground.share, *NONE, *NONE, None, found.cell


def _over_time(found: "Sensitivity", voice: Voice) -> Iterator[tuple[Cell, ...]]:
    for topic, shares in found.over_time.items():
        for year, share in zip(found.years, shares, strict=True):
            yield voice.what(found.cell), voice.report.of("topics", topic), year, share, found.cell


def _tornado(voice: Voice) -> tuple[Column, ...]:
    return (
        *(voice.column("quantity", 40), voice.column("rank", 7), voice.column("input", 32)),
        *(voice.column("at", figure=name) for name in ("P10", "P90")),
        *(voice.column("input_unit", 16), voice.column("base"), voice.column("unit", 12)),
        *(
            column
            for name in ("P10", "P90")
            for column in (voice.column("moved", 13, figure=name), voice.column("moved_error", 13, figure=name))
        ),
        *(voice.column("change", 13, figure=name) for name in ("P10", "P90")),
        *(voice.column("about", 60), voice.column("sources", 36), voice.column("prior", 28), voice.column("cell", 26)),
    )


def _swings(found: "Sensitivity", voice: Voice) -> Iterator[tuple[Cell, ...]]:
    base = found.figures["p50"].value
    shown = _near([base])
    error = form(numbers.decimals([end.error for each in found.swings for end in (each.low, each.high)], 2))
    for rank, each in enumerate(found.swings, 1):
        own = "0.00" if each.unit == "year" else _near([each.p10, each.p90])
        ends = [cell for end in (each.low, each.high) for cell in (Number(end.value, shown), Number(end.error, error))]
        yield (
            voice.naming.cell(found.cell),
            Number(rank, "0"),
            each.entry,
            *(Number(value, own) for value in (each.p10, each.p90)),
            voice.unit(each.unit),
            Number(base, shown),
            voice.unit(found.unit),
            *ends,
            *(Number(end.value - base, f"+{shown};-{shown};0") for end in (each.low, each.high)),
            *(each.about, ", ".join(each.sources), each.prior, found.cell),
        )


def compared(contents: Contents, voice: Voice) -> Iterator[Table]:
    """The further runs beside the first."""
    found = contents.comparison
    if found is None:
        return
    told = (voice.column("scenario", 18), voice.column("compared", 14))
    differences = [_difference(each, voice) for each in found.differences]
    yield Table("scenarios", (*told, *_differences(voice)), differences, fixed=3)
    steps = [row for each in found.waterfalls for row in _steps(each, voice)]
    columns = (
        *(voice.column("quantity", 40), voice.column("rank", 7), voice.column("step", 30), voice.column("unit", 12)),
        *(voice.column(key) for key in ("mean", "mean_error", "median", "median_error")),
        voice.column("cell", 26),
    )
    yield Table("waterfall", (*told, *columns), steps, fixed=3)
    columns = (
        *(voice.column("changed", 14), voice.column("item", 26), voice.column("words", 90, wrap=True)),
        voice.column("unit", 14),
        *(voice.column(side, 11, figure=name) for side in ("before", "after") for name in ("P5", "P50", "P95")),
        voice.column("labels", 40),
    )
    yield Table("changed", (told[0], *columns), list(_changed(contents, voice)), fixed=3)


def _differences(voice: Voice) -> tuple[Column, ...]:
    return (
        *(voice.column("quantity", 50), voice.column("year", 8), voice.column("unit", 14)),
        *(voice.column("median_of_first"), voice.column("median")),
        *(voice.column("difference", 11, figure=name) for name in ("P5", "P50", "P95")),
        *(voice.column("difference_mean"), voice.column("difference_error", 12)),
        *(voice.column("ratio", 9, SHARE, figure=name) for name in ("P5", "P50", "P95")),
        *(voice.column(key, 9, PERCENT) for key in ("higher", "equal", "lower")),
        *(voice.column("draws", 9, form(0)), voice.column("cell", 26)),
    )


def _difference(each: "Difference", voice: Voice) -> tuple[Cell, ...]:
    share = each.unit == "1"
    known = PERCENT if share else _near(each.medians)
    error = FINE if share else form(numbers.decimals([each.mean_error], 2))
    moved = (each.p05, each.p50, each.p95, each.mean)
    return (
        *(each.second, each.first, voice.naming.what(each.output, each.label), each.period, voice.unit(each.unit)),
        *(Number(value, known) for value in each.medians),
        *(Number(value, f"+{known};-{known};0") for value in moved),
        Number(each.mean_error, error),
        *(each.ratio or (None, None, None)),
        *(each.higher, each.equal, each.lower, each.draws, each.cell),
    )


def _steps(found: "Waterfall", voice: Voice) -> Iterator[tuple[Cell, ...]]:
    """From one end to the other; ends are levels, what lies between are changes."""
    if not (found.mean and found.median):
        return
    known = _near(found.mean)
    error = form(numbers.decimals([max((step.mean_error for step in found.steps), default=0)], 2))
    first = (found.second, found.first, voice.naming.cell(found.cell))
    start, end = (
        (voice.own.raw(f"words.{end}"), mean, None, median, None)
        for end, mean, median in zip(("from", "to"), found.mean, found.median, strict=True)
    )
    steps = [(step.name, step.mean, step.mean_error, step.median, step.median_error) for step in found.steps]
    for rank, (name, mean, mean_error, median, median_error) in enumerate((start, *steps, end)):
        shown = known if rank in (0, len(steps) + 1) else f"+{known};-{known};0"
        yield (
            *first,
            Number(rank, "0"),
            name,
            voice.unit(found.unit),
            *(Number(mean, shown), Number(mean_error, error), Number(median, shown), Number(median_error, error)),
            found.cell,
        )


def _changed(contents: Contents, voice: Voice) -> Iterator[tuple[Cell, ...]]:
    assert contents.comparison is not None
    for run, changes in zip(contents.shown[1:], contents.comparison.beliefs, strict=True):
        for each in changes:
            sides = (each.before, each.after)
            figures = [value for side in sides for value in ((side.p05, side.p50, side.p95) if side else (None,) * 3)]
            known = "0.00" if each.unit == "year" else _near(figures)
            shown = (Number(value, known) for value in figures)
            unit = voice.unit(each.unit) if each.unit else ""
            yield run.name, each.kind, each.name, each.words, unit, *shown, "; ".join(each.labels)


def past(contents: Contents, voice: Voice) -> Iterator[Table]:
    """What was forecast, what came, and the scores."""
    record = contents.past
    columns = (
        *(voice.column("quantity", 50), voice.column("made", 14), voice.column("method", 30)),
        *(Column(name) for name in ("P5", "P50", "P95")),
        *(voice.column("came"), voice.column("pit", 12, PERCENT), voice.column("cell", 26)),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            *(voice.naming.cell(each.quantity), each.made, voice.report.of("methods", each.method)),
            *(Number(value, form(0)) for value in (each.p05, each.p50, each.p95, each.truth)),
            each.pit,
            each.quantity,
        )
        for each in record.headline
    ]
    yield Table("past", columns, rows, fixed=3)
    columns = (
        *(voice.column("record", 16), voice.column("metric", 44), voice.column("method", 30)),
        *(voice.column("cases", 8, "0"), voice.column("crps", 9, SHARE)),
        *(voice.column("covered", 11, PERCENT, level=f"{100 * level:g} %") for level in record.levels),
        *(voice.column("mean_pit", 13, PERCENT), voice.column("bias", 13, "+0.000;-0.000;0")),
        *(voice.column(key, 13, "+0.00;-0.00;0") for key in ("skill", "skill_low", "skill_high")),
    )
    told = [(key, row) for key, rows in (("dated", record.dated), ("rolling", record.rolling)) for row in rows]
    yield Table("scores", columns, [_score(key, row, voice) for key, row in told], fixed=3)


def _score(key: str, row: Pooled, voice: Voice) -> tuple[Cell, ...]:
    return (
        *(voice.own.raw(f"words.{key}"), voice.report.of("metrics", row.metric)),
        voice.report.of("methods", row.method),
        *(row.cases, row.crps, *row.covered, row.pit, row.bias),
        *(row.skill or (None, None, None)),
    )


def others(contents: Contents, voice: Voice) -> Table:
    """Points published by others among the draws of the first run."""
    columns = (
        *(voice.column("quantity", 50), voice.column("who", 36), voice.column("date", 12), voice.column("point")),
        *(voice.column("unit", 12), voice.column("bound")),
        *(voice.column("below", 11, PERCENT), voice.column("below_error", 11, FINE)),
        *(Column(name) for name in ("P5", "P50", "P95")),
        *(voice.column("over"), voice.column("about", 70, wrap=True), voice.column("bridge", 50, wrap=True)),
        *(voice.column("sources", 40), voice.column("cell", 26)),
    )
    return Table("consensus", columns, [_standing(each, voice) for each in contents.standings], fixed=2)


def _standing(each: "Standing", voice: Voice) -> tuple[Cell, ...]:
    point = each.point
    known = _near([each.p50])
    cited = dict.fromkeys(f"{source.cite}: {source.where}" for source in point.source)
    return (
        *(voice.naming.cell(point.quantity), point.who, point.date.isoformat(), Number(point.value, known)),
        *(voice.unit(point.unit), voice.yes(point.at_least), *each.below),
        *(Number(value, known) for value in (each.p05, each.p50, each.p95)),
        *(voice.yes(each.over), point.about, point.bridge, "; ".join(cited), point.quantity),
    )
