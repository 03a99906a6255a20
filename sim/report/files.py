"""Where a report is written: into the first run's report folder, or where the user says."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sim import store
from sim.errors import Place, RefusedError
from sim.store import io

__all__ = ["write"]

NAME = "report"


def write(made: Mapping[str, bytes], run: Path, out: Path | None, lang: str = "en") -> list[Path]:
    """Write a report's files, given by suffix, whole or not at all; where each was written.

    ``out`` is a folder, or a file with the first suffix beside which the others are put. RefusedError: a file with
    another suffix.
    """
    name = NAME if lang == "en" else f"{NAME}.{lang}"
    if out is None:
        return [store.write_report(run, f"{name}{suffix}", data) for suffix, data in made.items()]
    paths = list(_paths(out, name, list(made)))
    for path, data in zip(paths, made.values(), strict=True):
        io.make_lasting(path.absolute().parent)
        io.replace(path, data)
    return paths


def _paths(out: Path, name: str, suffixes: list[str]) -> Iterator[Path]:
    if out.is_dir() or not out.suffix:
        yield from (out / f"{name}{suffix}" for suffix in suffixes)
        return
    if out.suffix not in suffixes:
        problem, remedy = f"a report has no file {out.suffix}", f"name a folder, or a file {suffixes[0]}"
        raise RefusedError("report-out", problem, place=Place(str(out)), remedy=remedy)
    yield from (out.with_suffix(suffix) for suffix in suffixes)
