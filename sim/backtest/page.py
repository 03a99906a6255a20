"""``python -m sim.backtest.page``: the results of docs/scoreboard.md, its pictures, the README's table, and the record.

What stands before the generated part was settled before anything was scored and is written by hand. The record,
``priors/backtest/scoreboard.json``, is what a report tells of the method's past without scoring it again.
"""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sim import devices
from sim.backtest import frozen, pictures, safety
from sim.backtest.scoreboard import HEADLINE, Scoreboard, as_json, dates, scoreboard, sentences
from sim.backtest.scored import OURS, Scored, Summary
from sim.backtest.vintages import CONSENSUS
from sim.book.load import priors_folder

__all__ = ["BEGIN", "END", "RECORD", "generated", "readme_table", "record", "written"]

BEGIN, END = "<!-- generated: scores -->", "<!-- end of what is generated -->"
PAGE, README = Path("docs/scoreboard.md"), Path("README.md")
RECORD = Path("priors/backtest/scoreboard.json")
README_BEGIN = "<!-- generated: scoreboard -->"
YEARS = ("2024", "2025")
DIGITS = 6
"""Significant digits of a figure in the record."""


def written(page: str, lines: Iterable[str], begin: str = BEGIN) -> str:
    """A page with its generated part made anew. ValueError: it has no such part."""
    before, _, rest = page.partition(begin)
    if END not in rest:
        raise ValueError(f"no {begin} with its {END}")
    return f"{before}{begin}\n" + "\n".join(lines) + f"\n{END}{rest.partition(END)[2]}"


def generated(board: Scoreboard, places: Iterable[safety.Place]) -> Iterator[str]:
    """The generated part of the scoreboard, line by line."""
    yield from ("", "## In words", "", *(f"- {each}" for each in sentences(board)), "")
    yield from ("![What each book said, and what came](scoreboard-vintages.png)", "")
    yield from ("## Dated books, by metric", "", *_summary(board.summary), "")
    yield from ("![How far the intervals held](scoreboard-calibration.png)", "")
    yield from ("## Capex process, rolling origins 2010 to 2024", "", *_summary(board.rolling_summary), "")
    yield from ("## Headline figures, every forecast", "", *_headline(board.rows), "")
    yield from ("## Safety check", "", *_safety(list(places)), "")
    yield from ("## Frozen", "", "| file | figures | sha256 |", "|---|---:|---|")
    for path in sorted((priors_folder() / "frozen").glob("*.json")):
        document = frozen.read(path)
        yield f"| priors/frozen/{path.name} | {len(document['figures'])} | `{document['sha256']}` |"


def _summary(rows: Iterable[Summary]) -> Iterator[str]:
    yield "| metric | forecast | cases | CRPS | log score | 50/80/90 % held | width | PIT | bias | our skill [90 %] |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        held = " / ".join(f"{100 * each:.0f}" for each in row.covered)
        yield (
            f"| {row.metric} | {row.method} | {row.cases} | {row.crps:.3f} | {row.log_score:.2f} | {held} "
            f"| {row.width:.2f} | {row.pit:.2f} | {row.bias:+.2f} | {_skill(row)} |"
        )


def _skill(row: Summary) -> str:
    if row.skill is None:
        return ""
    interval = "" if math.isnan(row.skill.low) else f" [{row.skill.low:+.2f}, {row.skill.high:+.2f}]"
    return f"{row.skill.skill:+.2f}{interval}"


def _headline(rows: Iterable[Scored]) -> Iterator[str]:
    yield "| figure | book | forecast | P5 | P50 | P95 | came | PIT | CRPS |"
    yield "|---|---|---|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        if row.quantity in HEADLINE:
            told = " | ".join(f"{each:,.0f}" for each in (row.p05, row.p50, row.p95, row.truth))
            yield f"| `{row.quantity}` | {row.made} | {row.method} | {told} | {row.pit:.3f} | {row.crps:.3f} |"


def _safety(places: list[safety.Place]) -> Iterator[str]:
    outside = [each for each in places if not each.inside]
    held = len(places) - len(outside)
    yield f"{held} of {len(places)} cells hold what came within P1 to P99 ({safety.DRAWS:,} draws each)."
    yield from (
        "",
        "| book | year | came | lowest and highest PIT | lowest P99 | outside |",
        "|---|---|---:|---:|---:|---|",
    )
    for book, year in dict.fromkeys((each.book, each.year) for each in places):
        some = [each for each in places if (each.book, each.year) == (book, year)]
        out = ", ".join(f"beat {each.beat:+.3f} scale {each.scale:g}" for each in some if not each.inside)
        span = f"{min(each.pit for each in some):.3f} to {max(each.pit for each in some):.3f}"
        least = min(each.p99 for each in some)
        yield f"| {book} | {year} | {some[0].came:,.1f} | {span} | {least:,.0f} | {out or 'none'} |"


def readme_table(board: Scoreboard) -> Iterator[str]:
    """The table of the README: each book's P5, P50, P95 of the headline figures, and what came."""
    names = ("four companies' capex 2024", "2025", "NVIDIA data centre 2024", "2025")
    yield from ("", f"| book | {' | '.join(names)} |", "|---|---|---|---|---|")
    ours = {(row.made, row.quantity): row for row in board.rows if row.method == OURS}
    for name in board.vintages:
        cells = (ours.get((name, text)) for text in HEADLINE)
        yield f"| {name} | " + " | ".join(_three(each) for each in cells) + " |"
    came = {row.quantity: row.truth for row in board.rows}
    yield "| *came* | " + " | ".join(f"{came[text]:,.0f}" for text in HEADLINE) + " |"
    others = {(row.made, row.quantity): row.p50 for row in board.rows if row.method == CONSENSUS}
    said = [f"{point:,.0f} ({made})" for (made, text), point in others.items() if text == HEADLINE[1]]
    yield from ("", f"Consensus for 2025: {', '.join(said)}.")


def _three(row: Scored | None) -> str:
    return f"{row.p05:,.0f} {row.p50:,.0f} {row.p95:,.0f} ({100 * row.pit:.0f} %)" if row else ""


def record(board: Scoreboard) -> dict[str, Any]:
    """What a report needs of a scoreboard: summaries, every forecast of the headline figures, and the sentences."""
    whole = as_json(board)
    kept = ("scored_by", "draws", "seed", "vintages", "levels", "summary", "rolling_summary", "sentences")
    headline = [row for row in whole["rows"] if row["quantity"] in HEADLINE]
    rounded: dict[str, Any] = _rounded({key: whole[key] for key in kept} | {"headline": headline})
    return rounded


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def main() -> None:
    """Write the pages, the pictures and the record."""
    devices.cache_programs()
    board = scoreboard(progress=lambda text: print(text, file=sys.stderr))
    came = {row.quantity[-5:-1]: row.truth for row in board.rows if row.quantity.startswith("capex[reported,20")}
    years = {year: came[year] for year in YEARS}
    places = [each for name in dates() for each in safety.places(name, years)]
    PAGE.with_name("scoreboard-vintages.png").write_bytes(pictures.vintages(board.rows))
    PAGE.with_name("scoreboard-calibration.png").write_bytes(pictures.calibration(board.rows, board.rolling))
    for path, lines, begin in ((PAGE, generated(board, places), BEGIN), (README, readme_table(board), README_BEGIN)):
        path.write_text(written(path.read_text(encoding="utf-8"), lines, begin), encoding="utf-8")
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(record(board), indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
