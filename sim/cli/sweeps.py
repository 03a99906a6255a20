"""The command that makes many runs from one file."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.cli.options import RUNS, Json, Out

__all__ = ["app"]

app = typer.Typer()

PARTIAL = 5
"""Exit code of a sweep of which some variants failed."""


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(metavar="SWEEP.yaml", help="What to run: see docs/sweeps.md.")],
    out: Out = RUNS,
    workers: Annotated[int, typer.Option(help="Processes; one is this one with all its devices.", min=1)] = 1,
    device: Annotated[str, typer.Option(help="cpu, gpu or tpu; auto takes an accelerator if there is one.")] = "auto",
    cluster: Annotated[
        str | None, typer.Option(help="local: Dask workers on 127.0.0.1, as many as --workers.", show_default=False)
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, e.g. tcp://10.0.0.5:8786.", show_default=False)
    ] = None,
    tls_ca: Annotated[Path | None, typer.Option(help="Certificate authority of the cluster, PEM.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Our certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all books and say what it would take.")] = False,
    rate: Annotated[
        float | None, typer.Option(help="With --dry-run: draws a second of one worker; measured if left out.", min=1)
    ] = None,
    as_json: Json = False,
) -> None:
    """Run scenarios, vintages, values and seeds side by side; exit 5 if some variants failed and the others stand."""
    from rich.console import Console

    from sim import sweep as sweeping

    _check(cluster, scheduler, rate, dry_run)
    began, tls = time.perf_counter(), _tls(tls_ca, tls_cert, tls_key)
    if dry_run:
        prepared, found = sweeping.plan(file, out=out, workers=workers, device=device, rate=rate)
        if as_json:
            print(json.dumps({**found._asdict(), "labels": [each.variant.label for each in prepared]}))
        else:
            print("\n".join([each.variant.label for each in prepared] + sweeping.estimate_lines(found)))
        return
    with sweeping.watching() as watch:
        swept = sweeping.sweep(
            file, out=out, workers=workers, device=device, scheduler=scheduler, cluster=cluster, tls=tls, watch=watch
        )
    if as_json:
        print(json.dumps(sweeping.as_json(swept), allow_nan=False), flush=True)
    else:
        Console(highlight=False).print(sweeping.table(swept))
    said: Any = sys.stderr if as_json else sys.stdout
    if swept.folder is not None:
        print(f"Sweep: {swept.folder}\nTook {time.perf_counter() - began:.1f} s.", file=said)
    if swept.failures:
        count = f"{len(swept.failures)} variant{'s' if len(swept.failures) > 1 else ''}"
        print(f"chipcast: {count} failed; run the same command to go on", file=sys.stderr)
        raise typer.Exit(PARTIAL)


def _check(cluster: str | None, scheduler: str | None, rate: float | None, dry_run: bool) -> None:
    """BookError: options that do not go together."""
    from sim.errors import BookError

    if cluster not in (None, "local"):
        problem, remedy = f"--cluster {cluster!r} is none that can be started", "write --cluster local, or --scheduler"
        raise BookError("sweep-cluster", problem, remedy=remedy)
    if cluster and scheduler:
        raise BookError("sweep-cluster", "--cluster and --scheduler are two clusters", remedy="keep one")
    if rate is not None and not dry_run:
        raise BookError("sweep-rate", "--rate is for --dry-run", remedy="add --dry-run or leave it out")


def _tls(ca: Path | None, cert: Path | None, key: Path | None) -> Any:
    """The files that secure a cluster. BookError: some of them without the others, or one that is not there."""
    from sim.errors import BookError, Place
    from sim.sweep import Tls

    files = (ca, cert, key)
    if not any(files):
        return None
    for name, file in zip(("--tls-ca", "--tls-cert", "--tls-key"), files, strict=True):
        if file is None or not file.is_file():
            problem = "is missing" if file is None else f"{file} is no file"
            raise BookError("sweep-tls", problem, place=Place(name), remedy="give --tls-ca, --tls-cert and --tls-key")
    return Tls(*map(str, files))
