"""The whole backtest: dated books and rolling origins, scored and put together."""

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group
from rich.table import Table

from sim import history
from sim.backtest import rolling, vintages
from sim.backtest.scored import LEVELS, OURS, Scored, Summary, scored, summaries
from sim.book.load import load, priors_folder, shipped
from sim.errors import BookError
from sim.fit.record import record
from sim.world import World, build

__all__ = ["ALL", "HEADLINE", "POOLED", "Scoreboard", "as_json", "dates", "scoreboard", "sentences", "table"]

ALL = "all"
POOLED = "all figures"
BASE = "base"
ROLLING_BLOCK = 3
"""Origins of a block of the bootstrap: forecasts reach three years ahead."""
VINTAGE_BLOCK = 1
HEADLINE = ("capex[reported,2024]", "capex[reported,2025]", "line[nvidia,2024]", "line[nvidia,2025]")
"""Figures that are told of one by one, as far as they came after a book."""
SAID = {"capex": "four companies' capex", "line": "NVIDIA data centre"}

READING = (
    "CRPS and log score of logarithms: smaller is better. 50/80/90 %: how many figures these intervals held. PIT: mean "
    "percentile of what came. Skill: 1 - our CRPS over the other's, with its 90 % interval."
)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Scoreboard:
    """Every scored forecast, and what they come to by metric and method."""

    scored_by: dt.date
    draws: int
    seed: int
    vintages: tuple[str, ...]
    rows: tuple[Scored, ...]
    summary: tuple[Summary, ...]
    rolling: tuple[Scored, ...]
    rolling_summary: tuple[Summary, ...]


def dates() -> list[str]:
    """Dates of the shipped vintages, in order; the base book has nothing after it to be scored on."""
    return sorted(name for name in shipped() if name != BASE)


def scoreboard(
    names: Sequence[str] = (),
    *,
    seed: int = 0,
    draws: int = vintages.DRAWS,
    with_rolling: bool = True,
    progress: Progress | None = None,
) -> Scoreboard:
    """Run and score the dated books (all if none is named), and the rolling origins of the capex process.

    What came is the record of the base book. BookError: no such vintage, or a seed below 0.
    """
    for name in names:
        if name not in dates():
            problem = f"no vintage {name!r} to score"
            raise BookError("backtest-vintage", problem, remedy=f"one of {', '.join(dates())}, or {ALL}")
    if seed < 0:
        raise BookError("backtest-seed", f"the seed {seed} is below 0", remedy="for example 0")
    tell = progress or (lambda _: None)
    later = build(load(BASE))
    rows: list[Scored] = []
    chosen = tuple(dict.fromkeys(names)) or tuple(dates())
    factors: dict[str, vintages.Factors] = {}
    for name in chosen:
        tell(f"as of {name}")
        rows += _vintage(build(load(name)), later, factors, seed, draws)
    rolled: list[Scored] = []
    if with_rolling:
        tell("rolling origins")
        known = record(_capex_rows(), as_of=later.book.as_of)
        rolled = [row for case in rolling.cases(known, as_of=later.book.as_of, seed=seed) for row in scored(case)]
    return Scoreboard(
        scored_by=later.book.as_of,
        draws=draws,
        seed=seed,
        vintages=chosen,
        rows=tuple(rows),
        summary=tuple(summaries(rows, block=VINTAGE_BLOCK, pooled=POOLED)),
        rolling=tuple(rolled),
        rolling_summary=tuple(summaries(rolled, block=ROLLING_BLOCK)),
    )


def _vintage(
    book: World, later: World, factors: dict[str, vintages.Factors], seed: int, draws: int
) -> Iterable[Scored]:
    """One book's rows; books with the same annual record share the spread factors learned from it."""
    annual = record(_capex_rows(), as_of=book.book.as_of)
    if annual.digest not in factors:
        factors[annual.digest] = rolling.factors(annual)
    folder = priors_folder() / "history"
    made = vintages.cases(book, later, folder, annual, factors[annual.digest], seed=seed, draws=draws)
    return [row for case in made for row in scored(case)]


def _capex_rows() -> list[history.Row]:
    return history.read(priors_folder() / "history" / "capex.csv")


def sentences(board: Scoreboard) -> list[str]:
    """One plain sentence for each vintage: what it said of the headline figures, what came, and what others said."""
    return [_sentence(board, name) for name in board.vintages]


def _sentence(board: Scoreboard, name: str) -> str:
    parts = []
    for text in HEADLINE:
        ours, consensus = (_row(board, name, text, method) for method in (OURS, vintages.CONSENSUS))
        if ours is not None:
            said = f"{SAID[text.split('[')[0]]} {text[-5:-1]} {ours.p50:,.0f} bn ({ours.p05:,.0f} to {ours.p95:,.0f})"
            others = f", consensus {consensus.p50:,.0f}" if consensus else ""
            parts.append(f"{said}{others}; {ours.truth:,.0f} came, the {_percentile(ours.pit)} percentile")
    return f"The book of {name} said: " + ". ".join(part[0].upper() + part[1:] for part in parts) + "."


def _row(board: Scoreboard, name: str, text: str, method: str) -> Scored | None:
    return next((r for r in board.rows if (r.made, r.quantity, r.method) == (name, text, method)), None)


def _percentile(pit: float) -> str:
    whole = min(max(round(100 * pit), 1), 99)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(whole % 10, "th") if whole not in (11, 12, 13) else "th"
    return f"{whole}{ending}"


def as_json(board: Scoreboard) -> dict[str, Any]:
    """Everything, for machines; what has no value is null."""
    document = asdict(board) | {"scored_by": board.scored_by.isoformat(), "levels": list(LEVELS)}
    for name in ("summary", "rolling_summary"):
        for each, row in zip(getattr(board, name), document[name], strict=True):
            row["skill"] = each.skill._asdict() if each.skill else None
    document["sentences"] = sentences(board)
    found: dict[str, Any] = _plain(document)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def table(board: Scoreboard) -> Group:
    """The summary as tables for a terminal, then a sentence for each vintage."""
    parts: list[Any] = [READING, "", _table("Dated books", board.summary)]
    if board.rolling_summary:
        parts.append(_table("Capex process, rolling origins, 1 to 3 years ahead", board.rolling_summary))
    return Group(*parts, "", *sentences(board))


def _table(title: str, rows: Iterable[Summary]) -> Table:
    """Rows by metric, in the 80 columns of a terminal."""
    made = Table(title=title, box=None, title_justify="left", padding=(0, 1, 0, 0))
    made.add_column("forecast", no_wrap=True)
    for name in ("cases", "CRPS", "log", "50/80/90 %", "PIT", "skill", "90 %"):
        made.add_column(name, justify="right", no_wrap=True)
    before = ""
    for row in rows:
        if row.metric != before:
            made.add_row(f"[bold]{row.metric}[/]")
            before = row.metric
        skill = row.skill
        made.add_row(
            row.method,
            str(row.cases),
            f"{row.crps:.3f}".removeprefix("0"),
            f"{row.log_score:.2f}",
            " ".join(f"{100 * each:.0f}" for each in row.covered),
            _short(row.pit, ""),
            _short(skill.skill) if skill else "",
            f"{_short(skill.low)} {_short(skill.high)}" if skill and not math.isnan(skill.low) else "",
        )
    return made


def _short(value: float, sign: str = "+") -> str:
    """Two decimals, without a leading zero."""
    return re.sub(r"^([+-]?)0\.", r"\1.", f"{value:{sign}.2f}")
