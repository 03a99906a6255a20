"""Commands that hold forecasts against what came and what others said."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.options import BASE, RUNS, AsOf, Json, Out, Scenarios, say_which, seed_of, seed_or, with_progress

__all__ = ["app"]

app = typer.Typer()


@app.command()
def backtest(
    vintage: Annotated[
        list[str] | None, typer.Option(help="Date of a vintage, e.g. 2024-05-27; may be repeated. All if left out.")
    ] = None,
    draws: Annotated[int, typer.Option(help="Number of draws of each book.")] = 20_480,
    seed: Annotated[str, typer.Option(help="Seed, a whole number of any size.")] = "0",
    rolling: Annotated[bool, typer.Option(help="Also forecast the capex process from each year since 2010.")] = True,
    as_json: Json = False,
) -> None:
    """Run the dated books on what they knew and score them, beside simple forecasts, on what came."""
    from rich.console import Console

    from sim import devices
    from sim.backtest import scoreboard

    devices.cache_programs()
    names = [] if vintage in (None, [scoreboard.ALL]) else vintage
    tell = Console(stderr=True, highlight=False).print if sys.stderr.isatty() else None
    board = scoreboard.scoreboard(names or (), seed=seed_of(seed), draws=draws, with_rolling=rolling, progress=tell)
    if as_json:
        print(json.dumps(scoreboard.as_json(board), ensure_ascii=False, allow_nan=False))
    else:
        Console(highlight=False).print(scoreboard.table(board))


@app.command()
def freeze(
    scenario: Scenarios = None,
    draws: Annotated[int, typer.Option(help="Number of draws.")] = 102_400,
    seed: Annotated[str, typer.Option(help="Seed, a whole number of any size.")] = "0",
    as_of: AsOf = None,
    to: Annotated[Path, typer.Option("--to", help="File to write, never one that is there.")] = Path("frozen.json"),
) -> None:
    """Write a forecast down for good: quantiles of every scored figure, dated and hashed."""
    from sim import devices, forecast
    from sim.backtest import frozen

    frozen.refuse_existing(to)
    devices.cache_programs()
    world = forecast.load(scenario or BASE, as_of=as_of)
    say_which(world.book.as_of.isoformat(), as_of)
    document = frozen.freeze(world, seed=seed_of(seed), draws=draws)
    frozen.write(document, to)
    print(f"{to}: {len(document['figures'])} figures as of {document['as_of']}, sha256 {document['sha256'][:12]}")


@app.command()
def score(
    forecast: Annotated[Path, typer.Argument(metavar="FROZEN", help="A frozen forecast.")],
    actuals: Annotated[Path, typer.Option(help="CSV of metric,entity,period,value,error; error may be empty.")],
    as_json: Json = False,
) -> None:
    """Score a frozen forecast on what came; nothing is fitted again."""
    from dataclasses import asdict

    from rich.console import Console

    from sim.backtest import frozen

    rows = frozen.score(frozen.read(forecast), actuals)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], allow_nan=False))
    else:
        Console(highlight=False).print(frozen.table(rows))


@app.command()
def update(
    rows: Annotated[Path, typer.Argument(help="CSV of new rows, in the form of priors/history.")],
    frozen: Annotated[Path | None, typer.Option(help="A frozen forecast; the newest shipped one if left out.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Append the new rows to priors/history.")] = False,
    seed: Annotated[str, typer.Option(help="Seed, a whole number of any size.")] = "0",
    as_json: Json = False,
) -> None:
    """Check a new quarter's figures, score the frozen forecast on them and show what they move."""
    from rich.console import Console

    from sim import devices, forecast
    from sim import update as updating
    from sim.backtest import frozen as freezing
    from sim.book.load import priors_folder

    devices.cache_programs()
    folder = priors_folder() / "history"
    document = freezing.read(frozen or sorted((priors_folder() / "frozen").glob("*.json"))[-1])
    told = updating.review(rows, forecast.load(BASE), folder, document, seed=seed_of(seed))
    if as_json:
        print(json.dumps(updating.as_json(told), default=str, allow_nan=False))
    else:
        Console(highlight=False).print(updating.table(told))
    if write:
        for path in updating.write(rows, told.checked, folder):
            print(f"Written: {path}; now run the tests", file=sys.stderr)


@app.command()
def condition(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of a run, or the name of a scenario or a vintage.")],
    on: Annotated[Path, typer.Option("--on", help="CSV of observed figures: metric,entity,period,value,error.")],
    draws: Annotated[int | None, typer.Option(help="Number of draws; the run's own, else 100000.")] = None,
    seed: Annotated[str | None, typer.Option(help="Seed, a whole number; the run's own, else 0.")] = None,
    out: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Condition a run on observed figures: reweight its draws, tell which beliefs moved, and store the posterior."""
    from rich.console import Console

    from sim import conditioning
    from sim.origin import origin

    began = time.perf_counter()
    found = origin(run)
    count = draws or found.draws or 100_000
    tree = with_progress(
        count,
        lambda progress: conditioning.condition(
            found.world, on, draws=count, seed=seed_or(seed, found.seed), out=out, progress=progress
        ),
    )
    if as_json:
        print(json.dumps(conditioning.as_json(tree), allow_nan=False))
    else:
        Console().print(conditioning.page(tree))
    said = f"Run: {out / str(tree.attrs['run'])}\nTook {time.perf_counter() - began:.1f} s."
    print(said, file=sys.stderr if as_json else sys.stdout)


@app.command()
def consensus(
    scenario: Scenarios = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Your own list of points, in the form of priors/consensus.yaml.")
    ] = None,
    draws: Annotated[int, typer.Option(help="Number of draws.")] = 20_480,
    seed: Annotated[str, typer.Option(help="Seed, a whole number of any size.")] = "0",
    as_of: AsOf = None,
    later: Annotated[bool, typer.Option("--all", help="Also points published after the book's date, marked.")] = False,
    as_json: Json = False,
) -> None:
    """Say where published point forecasts stand among the draws, and what would have to be true for each."""
    from rich.console import Console

    from sim import consensus as comparing
    from sim import devices, forecast, published

    points = published.read(file) if file is not None else None
    world = forecast.load(scenario or BASE, as_of=as_of)
    say_which(world.book.as_of.isoformat(), as_of)
    devices.cache_programs()
    found = with_progress(
        draws,
        lambda progress: comparing.consensus(
            world, draws=draws, seed=seed_of(seed), points=points, later=later, progress=progress
        ),
    )
    if as_json:
        print(json.dumps(comparing.as_json(found), ensure_ascii=False, allow_nan=False))
        return
    Console(highlight=False).print(comparing.table(found))
    for each in found:
        print(f"\n{comparing.told(each)}")
