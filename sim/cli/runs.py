"""Commands that make runs and tell of what they say."""

import json
import sys
import time
from typing import Annotated

import typer

from sim.cli.options import BASE, RUNS, AsOf, Json, Out, Scenarios, overrides, say_which, seed_of, with_progress

__all__ = ["app"]

app = typer.Typer()


@app.command()
def run(
    scenario: Scenarios = None,
    draws: Annotated[int, typer.Option(help="Number of draws.")] = 100_000,
    seed: Annotated[str, typer.Option(help="Seed, a whole number of any size.")] = "0",
    as_of: AsOf = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="One value, e.g. price.b200.p90=50.")] = None,
    out: Out = RUNS,
    sampler: Annotated[
        str, typer.Option(help="mc for independent draws; sobol for a power of two of even ones, which say more.")
    ] = "mc",
    device: Annotated[str, typer.Option(help="cpu, gpu or tpu; auto takes an accelerator if there is one.")] = "auto",
    until: Annotated[
        list[str] | None,
        typer.Option(help='End once an error is met: "p95:revenue[nvidia,2027] < 0.5%"; --draws is then the most.'),
    ] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(help='Count how likely it is to be passed: "revenue[nvidia,2027] > 400".')
    ] = None,
    exact_quantiles: Annotated[
        bool, typer.Option("--exact-quantiles", help="Order statistics of all draws, which are made again for them.")
    ] = False,
    keep_draws: Annotated[bool, typer.Option("--keep-draws", help="Store every draw, not only the summary.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute again even if this run is finished.")] = False,
    as_json: Json = False,
) -> None:
    """Forecast shipments and supplier revenue as distributions, print the headline table and store the run."""
    from rich.console import Console

    from sim import charts, forecast, headline, store

    began = time.perf_counter()
    world = forecast.load(scenario or BASE, as_of=as_of, overrides=overrides(set_ or []))
    say_which(world.book.as_of.isoformat(), as_of)
    tree = with_progress(
        draws,
        lambda progress: forecast.run(
            world,
            draws=draws,
            seed=seed_of(seed),
            sampler=sampler,
            device=device,
            until=until or (),
            thresholds=threshold or (),
            exact_quantiles=exact_quantiles,
            out=out,
            keep_draws=keep_draws,
            fresh=fresh,
            progress=progress,
        ),
    )
    folder, rows, passed = out / str(tree.attrs["run"]), headline.rows(tree), headline.exceedances(tree)
    if as_json:
        print(json.dumps([*rows, *passed], allow_nan=False), flush=True)
    else:
        console = Console()
        console.print(headline.table(rows, str(tree.attrs["as_of"])))
        asked = [row for row in passed if row["threshold"] in (threshold or ())]
        if more := [row for row in passed if row not in asked]:
            console.print(headline.chances(more))
        for row in asked:
            print(f"P({row['threshold']}) = {row['probability']:.4f}, Monte Carlo error {row['error']:.4f}")
        print(f"{tree.attrs['draws']:,} draws, seed {tree.attrs['seed']}, as of {tree.attrs['as_of']}.", flush=True)
    if not charts.drawn(tree, folder / "report"):
        for name, contents in charts.charts(tree).items():
            store.write_report(folder, name, contents)
    seconds = time.perf_counter() - began
    if as_json:
        print(f"{folder}  {seconds:.1f} s", file=sys.stderr)
    else:
        print(f"Run: {folder}\nCharts: {folder / 'report' / 'headline.png'} and beside it\nTook {seconds:.1f} s.")


@app.command()
def explain(
    cell: Annotated[str, typer.Argument(help='What to explain: output[label,period], e.g. "revenue[nvidia,2027]".')],
    scenario: Scenarios = None,
    draws: Annotated[int, typer.Option(help="Number of draws.")] = 20_000,
    seed: Annotated[str, typer.Option(help="Seed, a whole number of any size.")] = "0",
    as_of: AsOf = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="One value, e.g. price.b200.p90=50.")] = None,
    as_json: Json = False,
) -> None:
    """Print the chain behind one number: equations, priors, sources, and what each prior contributes."""
    from dataclasses import asdict

    from rich.console import Console

    from sim import devices, forecast
    from sim import explain as explaining

    world = forecast.load(scenario or BASE, as_of=as_of, overrides=overrides(set_ or []))
    say_which(world.book.as_of.isoformat(), as_of)
    devices.cache_programs()
    found = with_progress(
        draws, lambda progress: explaining.explain(world, cell, draws=draws, seed=seed_of(seed), progress=progress)
    )
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False, allow_nan=False))
    else:
        Console(highlight=False).print(explaining.page(found))
