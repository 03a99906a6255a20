"""Contenders that do the same work take turns in one process; what counts is each one's ratio to a named baseline."""

import importlib
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["Contender", "Goal", "Result", "at_most", "contest", "goal", "optional", "result", "seconds", "table"]

Result = dict[str, Any]
"""What a benchmark gives, ready for JSON:

    about         what was measured, one sentence
    unit          what a contender's amount counts
    baseline      the contender all ratios are to, none if nobody took turns
    rounds        turns that each had
    contenders    by name: amount, first [s], seconds (median), fastest, slowest, rate [unit / s], ratio (median over
                  rounds of its rate to the baseline's in the same round), ratio_low, ratio_high
    skipped       by name: why it could not take part
    facts         by name: other numbers
    goals         by name: value, goal, sense (at least, at most) and whether it is met
    notes         sentences that belong to the numbers
"""


class Contender(NamedTuple):
    """Something that does an amount of work when it is called."""

    name: str
    work: Callable[[], object]
    amount: float


class Goal(NamedTuple):
    """A ratio of two contenders' rates that was promised."""

    faster: str
    slower: str
    least: float


def result(about: str, **parts: Any) -> Result:
    """A result whose other parts are empty."""
    empty = {
        "unit": "",
        "baseline": "",
        "rounds": 0,
        "contenders": {},
        "skipped": {},
        "facts": {},
        "goals": {},
        "notes": [],
    }
    return {"about": about, **empty, **parts}


def contest(
    contenders: Sequence[Contender], *, baseline: str, rounds: int, unit: str, goals: Iterable[Goal] = ()
) -> dict[str, Any]:
    """The parts of a result that come from taking turns; everybody has one turn beforehand that compiles."""
    first = {each.name: seconds(each.work) for each in contenders}
    turns: dict[str, list[float]] = {each.name: [] for each in contenders}
    for _ in range(rounds):
        for each in contenders:
            turns[each.name].append(seconds(each.work))
    rates = {each.name: [each.amount / taken for taken in turns[each.name]] for each in contenders}
    return {
        "unit": unit,
        "baseline": baseline,
        "rounds": rounds,
        "contenders": {
            each.name: _line(each.amount, first[each.name], turns[each.name], _ratios(rates, each.name, baseline))
            for each in contenders
        },
        "goals": {
            f"{each.faster} / {each.slower}": goal(
                statistics.median(_ratios(rates, each.faster, each.slower)), each.least
            )
            for each in goals
            if {each.faster, each.slower} <= rates.keys()
        },
    }


def _ratios(rates: dict[str, list[float]], name: str, other: str) -> list[float]:
    """Ratio of two rates in each round."""
    return [mine / theirs for mine, theirs in zip(rates[name], rates[other], strict=True)]


def _line(amount: float, first: float, turns: list[float], ratios: list[float]) -> dict[str, float]:
    median = statistics.median(turns)
    return {
        "amount": amount,
        "first": first,
        "seconds": median,
        "fastest": min(turns),
        "slowest": max(turns),
        "rate": amount / median,
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
    }


def goal(value: float, least: float) -> dict[str, Any]:
    """A value that must reach a goal."""
    return {"value": value, "goal": least, "sense": "at least", "met": value >= least}


def at_most(value: float, most: float) -> dict[str, Any]:
    """A value that must not exceed a goal."""
    return {"value": value, "goal": most, "sense": "at most", "met": value <= most}


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def optional(module: str, package: str, skipped: dict[str, str]) -> ModuleType | None:
    """A contender's module; none, with one line that says so, if its package is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name != package:
            raise
    skipped[package] = f'not installed; pip install -e ".[bench]" brings {package}'
    print(f"skipped {package}: {skipped[package]}", file=sys.stderr)
    return None


def table(name: str, found: Result) -> str:
    """A result to read."""
    lines = [f"## {name}", found["about"], ""]
    if found["contenders"]:
        lines += _contender_rows(found)
    if found["facts"]:
        lines += [
            "| | |",
            "|---|---|",
            *(f"| {what} | {_shown(value)} |" for what, value in found["facts"].items()),
            "",
        ]
    for what, each in found["goals"].items():
        verdict = "met" if each["met"] else "NOT met"
        lines.append(f"{what}: {_shown(each['value'])}, goal {each['sense']} {_shown(each['goal'])}: {verdict}")
    lines += [f"{what}: {why}" for what, why in found["skipped"].items()]
    return "\n".join([*lines, *found["notes"], ""])


def _contender_rows(found: Result) -> list[str]:
    unit = found["unit"]
    head = f"| {found['rounds']} rounds | {unit} | s | fastest to slowest | {unit}/s | x {found['baseline']} | spread |"
    rows = []
    for name, each in found["contenders"].items():
        line = {what: _shown(value) for what, value in each.items()}
        times = f"{line['amount']} | {line['seconds']} | {line['fastest']} to {line['slowest']}"
        rows.append(
            f"| {name} | {times} | {line['rate']} | {line['ratio']} | {line['ratio_low']} to {line['ratio_high']} |"
        )
    return [head, "|---|---|---|---|---|---|---|", *rows, ""]


def _shown(value: float | str) -> str:
    """Three digits; whole numbers from 100 on."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
