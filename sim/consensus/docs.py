"""``python -m sim.consensus.docs [FILE]``: the tables of docs/consensus.md, one for each shipped book."""

import sys
from pathlib import Path

from sim import devices
from sim import world as worlds
from sim.book.load import load, shipped
from sim.consensus.page import asked, boxed, place, stated
from sim.consensus.standing import Standing, consensus
from sim.headline import figure

__all__ = ["BEGIN", "END", "section", "written"]

BEGIN, END = "<!-- generated: standings -->", "<!-- end of what is generated -->"
PAGE = Path("docs/consensus.md")
SEED = 0
HEAD = "| published | of | point | P5 | P50 | P95 | stands at | differs most in | half of them have | density |"
RULE = "|---|---|---:|---:|---:|---:|---:|---|---|---:|"


def written(page: str) -> str:
    """The page with its tables made anew, at its end if it has none."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    books = sorted(shipped(), key=lambda name: shipped()[name], reverse=True)
    tables = "\n\n".join(section(consensus(worlds.build(load(name)), seed=SEED)) for name in books)
    return f"{before.rstrip()}\n\n{BEGIN}\n{tables}\n{END}\n{after.lstrip()}"


def section(standings: list[Standing]) -> str:
    """The table of one book: what is to come first, then what was over and is nowcast."""
    first = standings[0]
    ordered = sorted(standings, key=lambda each: each.over)
    head = f"### Book {first.book}" + (f", as of {first.as_of}" if first.book != first.as_of else "")
    return "\n".join((head, "", HEAD, RULE, *map(_row, ordered)))


def _row(standing: Standing) -> str:
    point = standing.point
    of = f"`{point.quantity}`{' (nowcast)' if standing.over else ''}"
    percentiles = (figure(value, point.unit) for value in (standing.p05, standing.p50, standing.p95))
    at = f"{place(standing)}{', outside' if standing.outside else ''}"
    found = standing.region
    held = f"{100 * found.density:.0f} % for {100 * found.base:.2g} %" if found else ""
    cells = (
        f"{point.who}, {point.date}",
        of,
        stated(standing),
        *percentiles,
        at,
        asked(standing),
        boxed(standing),
        held,
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write the page."""
    devices.cache_programs()
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
