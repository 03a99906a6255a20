"""Commands about books and the record: check them, recompute the reports, fit."""

import json
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.options import BASE, AsOf, Json, Scenarios, say_which

__all__ = ["app"]

app = typer.Typer()
fit_app = typer.Typer(help="Fit a process of the model to its record.", no_args_is_help=True)
app.add_typer(fit_app, name="fit")


@app.command()
def validate(
    scenario: Scenarios = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Check a book of priors, a vintage or scenarios laid over one, without running it."""
    from sim.book.load import validate as check

    book = check(scenario or BASE, as_of=as_of)
    say_which(book.as_of.isoformat(), as_of)
    sizes = {
        "priors": len(book.priors),
        **{axis: len(book.axes[axis]) for axis in ("buyer", "supplier", "chip", "pair")},
    }
    if as_json:
        print(json.dumps({"name": book.name, "as_of": book.as_of.isoformat(), "sha256": book.digest, **sizes}))
    else:
        counts = ", ".join(f"{size} {name}" for name, size in sizes.items())
        print(f"{book.name}: valid, as of {book.as_of}; {counts}; sha256 {book.digest[:12]}")


@app.command()
def replicate(as_json: Json = False) -> None:
    """Compute the five reports' published figures with the model's own functions; exit 1 if one fails."""
    from rich.console import Console

    from sim import replicate as reports

    rows = reports.replicate()
    if as_json:
        print(json.dumps(reports.as_json(rows), ensure_ascii=False, allow_nan=False))
    else:
        Console().print(reports.table(rows))
    if reports.count(rows)["fails"]:
        raise typer.Exit(1)


@fit_app.command("capex")
def fit_capex(
    as_of: Annotated[str, typer.Option(help="Date whose knowledge is used.")] = "2026-02-28",
    seed: Annotated[int, typer.Option(help="Seed, 0 or above.", min=0)] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="Folder; the shipped priors/fits if not given.")] = None,
    as_json: Json = False,
) -> None:
    """Fit annual capex growth to the record known by a date, check it, and store the posterior."""
    from sim import fit, history
    from sim.book.fields import parse_date
    from sim.book.load import priors_folder
    from sim.errors import BookError

    try:
        date = parse_date(as_of)
    except ValueError as error:
        raise BookError("fit-date", f"--as-of: {error}", remedy="for example 2026-02-28") from None
    rows = history.read(priors_folder() / "history" / "capex.csv")
    path = fit.write(fit.fit(rows, as_of=date, seed=seed), out or priors_folder() / "fits")
    document = fit.read(path)
    if as_json:
        print(json.dumps(document, default=str, allow_nan=False))
        return
    for name, values in document["parameters"].items():
        quantiles = "".join(f"{values[key]:9.3f}" for key in ("p05", "p50", "p95"))
        print(f"{name:8}{quantiles}   R-hat {values['rhat']:.3f}")
    for name, values in document["spread_factor"].items():
        print(f"spread factor, {name}: {values['shrunk']:.2f} (found {values['found']:.2f})")
    print(f"Fit: {path}")
