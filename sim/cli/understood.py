"""Commands that tell why a forecast says what it says."""

import json
import sys
import time
from typing import Annotated

import typer

from sim.cli.options import AsOf, Json, seed_or, with_progress

__all__ = ["app"]

app = typer.Typer()


@app.command()
def sensitivity(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Folder of a run, or scenarios, a vintage or a file.")
    ] = "base",
    of: Annotated[
        list[str] | None, typer.Option(help="What is moved: output[label,period]; may be repeated.", show_default=False)
    ] = None,
    pairs: Annotated[int, typer.Option(help="Pairs of draws between which topics are exchanged.")] = 4_096,
    draws: Annotated[int, typer.Option(help="Draws of which medians are taken.")] = 20_480,
    seed: Annotated[str | None, typer.Option(help="Seed, a whole number; the run's own, else 0.")] = None,
    decide: Annotated[
        str | None, typer.Option(help='An event to decide on, "revenue[nvidia,2027] < 400": what is knowing worth?')
    ] = None,
    cost: Annotated[float, typer.Option(help="What a measure against the event costs, as a part of the loss.")] = 0.5,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Tell what moves an output: topics and single beliefs, over time, and what they rest on."""
    from dataclasses import asdict

    from rich.console import Console

    from sim import devices
    from sim import sensitivity as moving
    from sim.origin import origin

    began = time.perf_counter()
    found = origin(run, as_of=as_of)
    devices.cache_programs()
    told = with_progress(
        moving.work(draws, pairs),
        lambda progress: moving.sensitivity(
            found.world,
            of or ["revenue[nvidia,2027]"],
            draws=draws,
            pairs=pairs,
            seed=seed_or(seed, found.seed),
            decision=decide,
            cost=cost,
            progress=progress,
        ),
    )
    if as_json:
        print(json.dumps([asdict(each) for each in told], ensure_ascii=False, allow_nan=False))
    else:
        for each in told:
            Console(highlight=False).print(moving.page(each))
    print(f"Took {time.perf_counter() - began:.1f} s.", file=sys.stderr)
