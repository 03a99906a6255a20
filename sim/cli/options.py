"""Options that several commands share, and how they are read."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "BASE",
    "RUNS",
    "AsOf",
    "Json",
    "Out",
    "Scenarios",
    "overrides",
    "say_which",
    "seed_of",
    "seed_or",
    "with_progress",
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Out = Annotated[Path, typer.Option("--out", help="Folder that holds runs.")]
Scenarios = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SCENARIO",
        help="base (if none is given), a vintage's date, scenarios, or your own folders or files of priors; "
        "several are laid one after another.",
        show_default=False,
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(help="Date whose knowledge is used: the newest book dated on or before it, e.g. 2024-06-30."),
]
BASE = "base"
RUNS = Path("runs")


def say_which(book: str, asked: str | None) -> None:
    """Tell which book answers for a date that is no book's own."""
    if asked is not None and asked != book:
        print(f"chipcast: the book of {book} is used for {asked}", file=sys.stderr)


def seed_of(text: str) -> int:
    """The whole number of ``--seed``, of any size. BookError: it is none."""
    from sim.errors import BookError

    if not text.removeprefix("-").isdecimal() or len(text) > 4000:
        raise BookError("run-seed", f"--seed {text[:40]!r} is not a whole number", remedy="for example --seed 7")
    return int(text)


def seed_or(text: str | None, own: int | None) -> int:
    """The seed given, else a run's own, else 0. BookError: it is no whole number."""
    return (own or 0) if text is None else seed_of(text)


def overrides(settings: list[str]) -> dict[str, object]:
    """``path=value`` settings by path; the loader reads the values. BookError: one without a path or a value."""
    from sim.errors import BookError

    found: dict[str, object] = {}
    for setting in settings:
        path, equals, value = setting.partition("=")
        if not (path and equals and value):
            raise BookError(
                "set-form", f"--set {setting!r} is no path=value", remedy="for example --set price.b200.p90=50"
            )
        if path in found:
            raise BookError("set-twice", f"--set {path} is given twice", remedy="keep one")
        found[path] = value
    return found


def with_progress(total: int, work: Any) -> Any:
    """Do the work with a progress bar, on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("compiling", total=total)

        def progress(done: int, still: str = "") -> None:
            doing = "summarising" if done >= total else "simulating"
            bar.update(task, completed=done, description=f"{doing} {still}".rstrip())

        return work(progress)
