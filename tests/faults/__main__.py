"""`python -m tests.faults NAME`: puts faults in and tells how many were met as `docs/reliability.md` promises."""

import argparse
import importlib
import json
import sys
from dataclasses import asdict

from tests.faults import Report

NAMES = ("kills", "power", "io", "corrupt", "writers", "workers", "inputs", "fuzz")


def main(arguments: list[str] | None = None) -> int:
    """Runs one kind of fault; 0 only if nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("name", choices=NAMES, help="the kind of fault")
    parser.add_argument("--n", type=int, default=None, help="how many; left out: the kind's own number")
    parser.add_argument("--seed", type=int, default=1, help="which of them")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    given = parser.parse_args(arguments)
    report: Report = importlib.import_module(f"tests.faults.{given.name}").run(given.n, given.seed)
    print(json.dumps({**asdict(report), "ok": report.ok}, indent=2) if given.json else _lines(report))
    return 0 if report.ok else 1


def _lines(report: Report) -> str:
    figures = {"injected": report.injected, "detected": report.detected, "lost": report.lost, **report.notes}
    return "\n".join(f"{name}: {value}" for name, value in figures.items())


if __name__ == "__main__":
    sys.exit(main())
