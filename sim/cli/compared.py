"""The command that compares runs, scenarios and books."""

import json
from typing import Annotated

import typer

from sim.cli.options import AsOf, Json, seed_or, with_progress

__all__ = ["app"]

app = typer.Typer()


@app.command()
def compare(
    worlds: Annotated[
        list[str],
        typer.Argument(
            metavar="A B...",
            help="Folders of runs, names of scenarios (joined by +) or vintages, or files of priors; "
            "the first is compared with each of the others.",
        ),
    ],
    of: Annotated[
        list[str] | None,
        typer.Option(help='Cell to take apart prior by prior: "revenue[nvidia,2027]"; may be repeated.'),
    ] = None,
    draws: Annotated[int, typer.Option(help="Number of draws of each.")] = 20_480,
    seed: Annotated[str | None, typer.Option(help="Seed, a whole number; the first run's own, else 0.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Compare runs or books draw by draw: which beliefs differ, how far figures move, and which prior moved them."""
    from rich.console import Console

    from sim import compare as comparing
    from sim import devices
    from sim.origin import origin

    asked = [origin(name, as_of=as_of) for name in worlds]
    own = next((each.seed for each in asked if each.seed is not None), None)
    devices.cache_programs()
    found = with_progress(
        draws,
        lambda progress: comparing.compare(
            [each.world for each in asked],
            of=of or (),
            draws=draws,
            seed=seed_or(seed, own),
            progress=progress,
        ),
    )
    if as_json:
        print(json.dumps(comparing.as_json(found), ensure_ascii=False, allow_nan=False))
    else:
        Console(highlight=False).print(comparing.page(found))
