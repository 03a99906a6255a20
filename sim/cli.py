"""The command line: each command is one call of the package and a way of showing what it gave."""

import gc
import json
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

__all__ = ["main"]

app = typer.Typer(
    help="AI-compute hardware forecast forward, with honest uncertainty.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

fit_app = typer.Typer(help="Fit a process of the model to its record.", no_args_is_help=True)
app.add_typer(fit_app, name="fit")

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
INTERRUPTED = 130
GARBAGE = (100_000, 20, 100)
"""Thresholds of Python's garbage collector: at its own, it looks a thousand times in vain while a run starts."""


def main() -> NoReturn:
    """Run the command line; an error of ours is one message and its exit code, without a traceback."""
    from sim.errors import ChipcastError

    gc.set_threshold(*GARBAGE)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments, prog_name="chipcast")
    except ChipcastError as error:
        if debug:
            raise
        print(f"chipcast: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
        raise SystemExit(1) from None
    except OSError as error:
        if debug:
            raise
        print(f"chipcast: {error}; choose another path", file=sys.stderr)
        raise SystemExit(2) from None
    except Exception as error:
        if debug:
            raise
        kind = type(error).__name__
        print(f"chipcast: internal error, please report it: {kind}: {error}; --debug shows where", file=sys.stderr)
        raise SystemExit(1) from None
    except SystemExit as end:  # typer's way to end, also after Ctrl-C
        if end.code == INTERRUPTED:
            print("chipcast: interrupted; nothing was published, run the same command again", file=sys.stderr)
        raise
    raise SystemExit(0)


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
    world = forecast.load(scenario or BASE, as_of=as_of, overrides=_overrides(set_ or []))
    _say_which(world.book.as_of.isoformat(), as_of)
    tree = _with_progress(
        draws,
        lambda progress: forecast.run(
            world,
            draws=draws,
            seed=_seed(seed),
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
        for row in passed:
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

    world = forecast.load(scenario or BASE, as_of=as_of, overrides=_overrides(set_ or []))
    _say_which(world.book.as_of.isoformat(), as_of)
    devices.cache_programs()
    found = _with_progress(
        draws, lambda progress: explaining.explain(world, cell, draws=draws, seed=_seed(seed), progress=progress)
    )
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False, allow_nan=False))
    else:
        Console(highlight=False).print(explaining.page(found))


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


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder for the tables; the run's report folder if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a run's summary as CSV, one table a variable."""
    from sim import forecast, store

    tree = forecast.open_(run)
    written = store.to_csv(tree, to or run / "report" / "csv")
    if as_json:
        print(json.dumps([str(path) for path in written]))
    else:
        print(f"{len(written)} tables in {to or run / 'report' / 'csv'}")


@app.command()
def validate(
    scenario: Scenarios = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Check a book of priors, a vintage or scenarios laid over one, without running it."""
    from sim.book.load import validate as check

    book = check(scenario or BASE, as_of=as_of)
    _say_which(book.as_of.isoformat(), as_of)
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
    board = scoreboard.scoreboard(names or (), seed=_seed(seed), draws=draws, with_rolling=rolling, progress=tell)
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

    devices.cache_programs()
    world = forecast.load(scenario or BASE, as_of=as_of)
    _say_which(world.book.as_of.isoformat(), as_of)
    document = frozen.freeze(world, seed=_seed(seed), draws=draws)
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
    told = updating.review(rows, forecast.load(BASE), folder, document, seed=_seed(seed))
    if as_json:
        print(json.dumps(updating.as_json(told), default=str, allow_nan=False))
    else:
        Console(highlight=False).print(updating.table(told))
    if write:
        for path in updating.write(rows, told.checked, folder):
            print(f"Written: {path}; now run the tests", file=sys.stderr)


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
    _say_which(world.book.as_of.isoformat(), as_of)
    devices.cache_programs()
    found = _with_progress(
        draws,
        lambda progress: comparing.consensus(
            world, draws=draws, seed=_seed(seed), points=points, later=later, progress=progress
        ),
    )
    if as_json:
        print(json.dumps(comparing.as_json(found), ensure_ascii=False, allow_nan=False))
        return
    Console(highlight=False).print(comparing.table(found))
    for each in found:
        print(f"\n{comparing.told(each)}")


@app.command("list")
def list_(out: Out = RUNS, as_json: Json = False) -> None:
    """List the runs in a folder; damaged ones say so."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sim import store

    found = store.list_runs(out)
    if as_json:
        print(json.dumps(found, allow_nan=False))
        return
    if not found:
        print(f"no runs in {out}")
        return
    table = Table(box=None)
    columns = list(dict.fromkeys(key for entry in found for key in entry))
    for column in columns:
        table.add_column(column)
    for entry in found:
        table.add_row(*("" if entry.get(column) is None else escape(str(entry[column])) for column in columns))
    Console().print(table)


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


def _say_which(book: str, asked: str | None) -> None:
    """Tell which book answers for a date that is no book's own."""
    if asked is not None and asked != book:
        print(f"chipcast: the book of {book} is used for {asked}", file=sys.stderr)


def _seed(text: str) -> int:
    from sim.errors import BookError

    if not text.removeprefix("-").isdecimal() or len(text) > 4000:
        raise BookError("run-seed", f"--seed {text[:40]!r} is not a whole number", remedy="for example --seed 7")
    return int(text)


def _overrides(settings: list[str]) -> dict[str, object]:
    """``path=value`` settings by path; the loader reads the values. BookError: one without a path or a value."""
    from sim.errors import BookError

    overrides: dict[str, object] = {}
    for setting in settings:
        path, equals, value = setting.partition("=")
        if not (path and equals and value):
            raise BookError(
                "set-form", f"--set {setting!r} is no path=value", remedy="for example --set price.b200.p90=50"
            )
        if path in overrides:
            raise BookError("set-twice", f"--set {path} is given twice", remedy="keep one")
        overrides[path] = value
    return overrides


def _with_progress(total: int, work: Any) -> Any:
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
