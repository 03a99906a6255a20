"""The command that writes a report of runs."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.options import Json

__all__ = ["app"]

app = typer.Typer()


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of runs: the first in full, others beside it.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File or folder to write; in the first run's report folder if not given."),
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also as PDF.")] = False,
    xlsx: Annotated[bool, typer.Option("--xlsx", help="Also as a workbook.")] = False,
    lang: Annotated[str, typer.Option(help="Language: en or zh.")] = "en",
    as_json: Json = False,
) -> None:
    """Write a report that can be sent to a reader: one HTML file that loads nothing, the same on paper, a workbook."""
    from sim import report as reporting
    from sim.report import files
    from sim.report.workbook import workbook

    began = time.perf_counter()
    reporting.words(lang)  # an unknown language is told before anything is computed
    contents = reporting.contents(runs)
    page = reporting.html(contents, lang)
    made = {".html": page.encode()}
    if pdf:
        made[".pdf"] = reporting.pdf(page)
    if xlsx:
        made[".xlsx"] = workbook(contents, lang)
    written = [str(path) for path in files.write(made, runs[0], out, lang)]
    if as_json:
        print(json.dumps(written))
        return
    for path in written:
        print(f"Report: {path}")
    print(f"Took {time.perf_counter() - began:.1f} s.")
