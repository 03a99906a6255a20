"""Commands about runs on disk: list and check them, go on with them, tidy up, write tables."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from sim.cli.options import RUNS, Json, Out, with_progress

__all__ = ["app"]

app = typer.Typer()
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]


@app.command("list")
def list_(out: Out = RUNS, as_json: Json = False) -> None:
    """List the runs in a folder; damaged ones say so."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from sim import store
    from sim.errors import visible

    found = store.list_runs(out)
    if as_json:
        print(json.dumps(found, allow_nan=False))
        return
    if not found:
        print(f"no runs in {out}")
        return
    table = Table("id", "scenario", "as of", Column("draws", justify="right"), "created", "size", box=None)
    for row in found:
        done = "" if row["draws"] is None else f"{row['draws']:,}"
        draws = f"{done} of {row['asked']:,}" if row["problem"] and done else done
        size = "" if row["size"] is None else f"{row['size'] / 1e6:,.1f} MB"
        created = (row["created"] or "")[:16].replace("T", " ")
        texts = (row["id"], row["scenario"] or "", row["as_of"] or "", draws, created, size)
        table.add_row(*(Text(visible(str(text))) for text in texts))
    console = Console()
    console.print(table)
    for row in found:
        if row["problem"]:
            console.print(Text(visible(f"{row['id']}: {row['problem']}")), soft_wrap=True)


@app.command()
def verify(
    run: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folder of a run; may be repeated.")],
    as_json: Json = False,
) -> None:
    """Compare the SHA-256 of every file of a run with what was published; exit 4 if one differs."""
    from sim import store
    from sim.errors import ChipcastError

    worst, rows = 0, []
    for folder in run:
        row: dict[str, object] = {"run": str(folder), "files": 0, "problem": ""}
        try:
            row["files"] = store.verify(folder)
        except ChipcastError as error:
            worst = max(worst, error.exit_code)
            row["problem"] = str(error)
        rows.append(row)
        if not as_json:
            said = (
                f"chipcast: {row['problem']}" if row["problem"] else f"{folder}: {row['files']} files, all as published"
            )
            print(said, file=sys.stderr if row["problem"] else sys.stdout)
    if as_json:
        print(json.dumps(rows))
    if worst:
        raise typer.Exit(worst)


@app.command()
def resume(
    run: Run,
    repair: Annotated[
        bool, typer.Option("--repair", help="Also make again what is damaged, and nothing else.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Go on with a run that broke off, as it was asked; its draws are those of a run that never did."""
    from sim import forecast, store

    total = store.told_request(run).draws
    tree = with_progress(total, lambda progress: forecast.resume(run, repair=repair, progress=progress))
    told = {"run": str(run), "draws": int(tree.attrs["draws"]), "commit": str(tree.attrs["commit"])}
    print(json.dumps(told) if as_json else f"{run}: whole, {told['draws']:,} draws")


@app.command()
def gc(
    out: Out = RUNS,
    unfinished: Annotated[bool, typer.Option("--unfinished", help="Also the progress of unfinished runs.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Remove what dead processes left in a folder of runs, and what no commit names."""
    from sim import store

    found = store.gc(out, unfinished=unfinished, dry_run=dry_run)
    if as_json:
        print(json.dumps([{"path": str(path), "size": size, "why": why} for path, size, why in found]))
        return
    for path, size, why in found:
        print(f"{path}: {why}, {size / 1e6:,.1f} MB")
    verb = "would free" if dry_run else "freed"
    print(f"{verb} {sum(each.size for each in found) / 1e6:,.1f} MB in {out}")


@app.command()
def export(
    run: Run,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Folder for CSV tables, else a file; in the run's report folder if not given."),
    ] = None,
    format: Annotated[
        Literal["csv", "parquet", "netcdf"],
        typer.Option(
            "--format",
            help="csv, one table a variable; parquet, one long table of all outputs; netcdf, the whole summary.",
        ),
    ] = "csv",
    as_json: Json = False,
) -> None:
    """Write a run's summary for other tools: CSV, Parquet or netCDF."""
    from sim import forecast, store

    tree = forecast.open_(run)
    if format == "csv":
        folder = to or run / "report" / "csv"
        written = store.to_csv(tree, folder)
        said = f"{len(written)} tables in {folder}"
    else:
        name, write = store.FORMATS[format]
        path = to or run / "report" / name
        written = [write(tree, path / name if path.is_dir() else path)]
        said = str(written[0])
    print(json.dumps([str(path) for path in written]) if as_json else said)
