"""Tables of what runs say: every output of every run by family, the answer by year, and thresholds."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sim.report import numbers
from sim.report.contents import Contents, Shown
from sim.report.rows import QUANTILES, Row
from sim.report.workbook.voice import Voice, heading
from sim.report.workbook.writing import PERCENT, Cell, Column, Number, Table, form
from sim.store.long import of_tree

__all__ = ["FAMILIES", "answers", "families", "thresholds"]

FAMILIES = {
    "shipments": (
        *("h100e", "h100e8", "units", "h100e_growth", "h100e_price"),
        *("buyer_h100e", "pair_h100e", "chip_units"),
    ),
    "installed": ("installed", "power"),
    "revenue": ("revenue", "fiscal_revenue", "revenue_share", "revenue_growth", "accelerator_spend"),
    "capex": ("capex", "ai_capex", "depreciation_added", "depreciation_share", "net_income"),
    "need": (
        *("binding", "bound_buyers", "bound_h100e", "need", "raw_need", "shortfall", "coverage"),
        *("backlog", "tokens_served"),
    ),
    "chain": ("tier_revenue",),
}
"""Outputs on each sheet, in order; what is in none of them stands on a sheet of its own."""
OTHER = "other"
FIGURES = (*QUANTILES, "mean")
ERRORS = ("p05", "p50", "p95", "mean")
"""Figures whose errors are told."""
KINDS = ("year", "fiscal_year", "quarter")
FINE = "0.00%"
"""How errors of shares are shown."""


def families(contents: Contents, voice: Voice) -> Iterator[Table]:
    """All outputs of all runs, a table for each family."""
    known = {output: family for family, outputs in FAMILIES.items() for output in outputs}
    found: dict[str, list[tuple[Cell, ...]]] = {family: [] for family in (*FAMILIES, OTHER)}
    order = list(known)
    for run in contents.shown:
        blocks = [columns for _, columns in of_tree(run.tree)]
        blocks.sort(key=lambda each: (_place(order, each["output"]), each["output"], KINDS.index(each["kind"])))
        for columns in blocks:
            found[known.get(columns["output"], OTHER)] += _block(run, columns, voice)
    for family, rows in found.items():
        yield Table(family, _columns(voice), rows, fixed=5)


def _place(order: Sequence[str], output: str) -> int:
    return order.index(output) if output in order else len(order)


def _columns(voice: Voice) -> tuple[Column, ...]:
    told = {figure: voice.own.raw("columns.mean") if figure == "mean" else heading(figure) for figure in FIGURES}
    return (
        voice.column("scenario", 18),
        voice.column("what", 42),
        voice.column("of", 26),
        voice.column("kind", 12),
        voice.column("period"),
        voice.column("unit", 14),
        *(Column(name) for name in told.values()),
        *(voice.column("error", 11, figure=told[figure]) for figure in ERRORS),
        voice.column("cell", 34),
    )


def _block(run: Shown, columns: dict[str, Any], voice: Voice) -> Iterator[tuple[Cell, ...]]:
    """The rows of one output by one kind of period, those without a value left out."""
    output, unit, kind = columns["output"], columns["unit"], voice.own.of("kinds", columns["kind"])
    what = voice.report.of("outputs", output)
    labels = [str(label) for label in columns["label"]]
    figures = {key: columns[key].tolist() for key in (*FIGURES, *(f"{figure}_error" for figure in ERRORS))}
    shown = _shown(unit, labels, figures)
    for row, (label, period) in enumerate(zip(labels, columns["period"], strict=True)):
        if figures["mean"][row] == figures["mean"][row]:
            known, error = shown[label]
            yield (
                *(run.name, what, voice.naming.label(label), kind, str(period), voice.unit(unit)),
                *(Number(figures[figure][row], known) for figure in FIGURES),
                *(Number(figures[f"{figure}_error"][row], error) for figure in ERRORS),
                f"{output}[{label},{period}]",
            )


def _shown(unit: str, labels: Sequence[str], figures: dict[str, list[float]]) -> dict[str, tuple[str, str]]:
    """How the figures of each label are shown, and how their errors."""
    if unit == "1":
        return dict.fromkeys(labels, (PERCENT, FINE))
    middles: dict[str, list[float]] = {label: [] for label in labels}
    errors: dict[str, list[float]] = {label: [] for label in labels}
    for label, middle, error in zip(labels, figures["p50"], figures["p50_error"], strict=True):
        middles[label].append(middle)
        errors[label].append(error)
    return {
        label: (form(numbers.aligned(middles[label])), form(numbers.decimals(errors[label], 2))) for label in middles
    }


def answers(contents: Contents, voice: Voice) -> Table:
    """What a reader asks first, by year."""
    asked = [(row.output, row.label) for row in contents.answers]
    rows = [row for of in asked for row in contents.first.rows if (row.output, row.label) == of]
    told = ("p05", "p25", "p50", "p75", "p90", "p95", "mean")
    columns = (
        voice.column("quantity", 62),
        voice.column("year", 8),
        voice.column("unit", 12),
        *(Column(voice.own.raw("columns.mean") if key == "mean" else heading(key)) for key in told),
        *(voice.column("error", 10, figure=name) for name in ("P50", "P90", voice.own.raw("columns.mean"))),
    )
    return Table("answers", columns, [_answer(row, rows, told, voice) for row in rows])


def _answer(row: Row, rows: Iterable[Row], told: Sequence[str], voice: Voice) -> tuple[Cell, ...]:
    own = [each for each in rows if (each.output, each.label) == (row.output, row.label)]
    known = form(numbers.aligned([each.figures["p50"] or 0 for each in own]))
    error = form(numbers.decimals([each.errors["p50"] for each in own], 2))
    what = voice.naming.what(row.output, row.label)
    return (
        what[:1].upper() + what[1:],
        row.period,
        voice.unit(row.unit),
        *(Number(row.figures[key], known) for key in told),
        *(Number(row.errors[key], error) for key in ("p50", "p90", "mean")),
    )


def thresholds(contents: Contents, voice: Voice) -> Table:
    """How likely thresholds are to be passed, in every run that counted them."""
    columns = (
        voice.column("scenario", 18),
        voice.column("quantity", 62),
        voice.column("probability", 12, PERCENT),
        voice.column("probability_error", 14, FINE),
        voice.column("why", 80, wrap=True),
        voice.column("threshold", 34),
    )
    rows = [
        (run.name, voice.naming.threshold(each.threshold), each.probability, each.error, each.about, each.threshold)
        for run in contents.shown
        for each in run.chances
    ]
    return Table("thresholds", columns, rows, fixed=2)
