"""``python -m sim.report.gallery``: docs/gallery.md and its pictures, each drawn by the code that stands beside it."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import xarray as xr

from sim import figures, forecast
from sim.compare import Waterfall, compare
from sim.consensus import Standing, consensus
from sim.sensitivity import Sensitivity, sensitivity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PICTURES", "page", "pictures"]

PAGE = Path("docs/gallery.md")
DRAWS = 20_480
CELL = "revenue[nvidia,2027]"
SCENARIOS = ("base", "brute_force", "efficiency_shock", "efficiency_shock_no_jevons", "supply_crunch")
AHEAD = ["2026", "2027", "2028", "2029", "2030"]
SOURCES = "beliefs as cited in priors/. Not investment advice"
COLOURS = 64
"""Colours that a picture of the page is kept in."""


def revenue(tree: xr.DataTree) -> "Figure":
    return tree.chipcast.fan("revenue", supplier="nvidia", title="NVIDIA data-centre revenue by quarter")


def capex(tree: xr.DataTree) -> "Figure":
    return tree.chipcast.fan("capex", buyer="reported", title="Capital expenditure of four companies by year")


def shipments(tree: xr.DataTree) -> "Figure":
    return tree.chipcast.fan("h100e", log=True, title="AI accelerators shipped by quarter, in H100 equivalents")


def binding(tree: xr.DataTree) -> "Figure":
    year = tree["prior_predictive/year"].to_dataset().sel(year=AHEAD)
    shares = year["binding_mean"].rename(constraint="group", year="time")
    return figures.stacked(shares, title="What holds buyers back", unit="% of shipments", sources=SOURCES)


def scenarios(trees: Mapping[str, xr.DataTree]) -> "Figure":
    years = {name: tree["prior_predictive/year"].to_dataset().sel(year=AHEAD) for name, tree in trees.items()}
    quantiles = {name: year["revenue"].sel(supplier="nvidia").rename(year="time") for name, year in years.items()}
    series = [figures.Series(name, None, each) for name, each in quantiles.items()]
    return figures.scenarios(series, title="NVIDIA revenue by scenario", unit="bn USD a year", sources=SOURCES)


def tornado(found: Sensitivity) -> "Figure":
    middle = found.figures["p50"].value
    bars = [figures.Bar(each.entry, each.low.value, middle, each.high.value) for each in found.swings[:10]]
    title = f"What moves {found.cell} most"
    return figures.tornado(bars, title=title, unit="bn USD, median", sources=SOURCES)


def variance(found: Sensitivity) -> "Figure":
    shares = xr.DataArray(list(found.over_time.values()), {"group": list(found.over_time), "time": list(found.years)})
    title = "Where the spread of NVIDIA revenue comes from"
    return figures.stacked(shares, title=title, unit="% of variance", sources=SOURCES)


def waterfall(found: Waterfall) -> "Figure":
    assert found.mean is not None
    return figures.waterfall(
        [(step.name, step.mean) for step in found.steps],
        start=(found.first, found.mean[0]),
        end=(found.second, found.mean[1]),
        title=f"From {found.first} to {found.second}: {found.cell}",
        unit="bn USD, mean",
        sources=SOURCES,
    )


def published(tree: xr.DataTree, standings: Sequence[Standing]) -> "Figure":
    table = tree.chipcast.table("capex", buyer="reported")
    rows = []
    for year in AHEAD[:2]:
        of_year = [each for each in standings if each.point.quantity == f"capex[reported,{year}]"]
        points = [(each.point.who, each.point.value) for each in of_year]
        quantiles = table.loc[year, ["p05", "p25", "p50", "p75", "p95"]].to_dict()
        rows.append(figures.Row(year, **quantiles, markers=points))
    title = "Capital expenditure of four companies, and what others published"
    return figures.intervals(rows, title=title, unit="bn USD", sources=SOURCES)


class Made(NamedTuple):
    """What the pictures are drawn from."""

    trees: dict[str, xr.DataTree]
    found: Sensitivity
    waterfall: Waterfall
    standings: Sequence[Standing]

    @property
    def tree(self) -> xr.DataTree:
        """The base run."""
        return self.trees["base"]


PICTURES: dict[str, tuple[Callable[..., "Figure"], Callable[[Made], "Figure"], str]] = {
    "Revenue by quarter": (
        revenue,
        lambda made: revenue(made.tree),
        "The record as a line, the forecast as bands. `tree` is what `sim.run` or `sim.open` gives.",
    ),
    "Capital expenditure by year": (
        capex,
        lambda made: capex(made.tree),
        "An output that is kept by year; its record is the sum of reported quarters.",
    ),
    "Shipments, on a logarithmic axis": (shipments, lambda made: shipments(made.tree), "Without a label: the total."),
    "Shares over time": (
        binding,
        lambda made: binding(made.tree),
        "Any array of shares with dims `group` and `time`.",
    ),
    "Scenarios side by side": (
        scenarios,
        lambda made: scenarios(made.trees),
        "Runs by name, the first one's medians in every panel.",
    ),
    "What moves a figure": (
        tornado,
        lambda made: tornado(made.found),
        f'`found` is `sim.sensitivity.sensitivity(sim.load("base"), ["{CELL}"])[0]`.',
    ),
    "Where the spread comes from": (variance, lambda made: variance(made.found), "Of the same, by year."),
    "From one book to another": (
        waterfall,
        lambda made: waterfall(made.waterfall),
        "`found` is one of the `waterfalls` of `sim.compare.compare([sim.load(name) for name in names])`.",
    ),
    "Beside what others say": (
        published,
        lambda made: published(made.tree, made.standings),
        '`standings` are `sim.consensus.consensus(sim.load("base"))`.',
    ),
}
"""By heading: the function that is shown, how it is called for the page, and what the page says of it."""


def made() -> Made:
    """Everything the pictures need, simulated with seed 0."""
    worlds = {name: forecast.load(name) for name in SCENARIOS}
    pair = [worlds["base"], worlds["efficiency_shock_no_jevons"]]
    return Made(
        trees={name: forecast.run(world, draws=DRAWS) for name, world in worlds.items()},
        found=sensitivity(worlds["base"], [CELL])[0],
        waterfall=compare(pair, of=["revenue[nvidia,2028]"]).waterfalls[0],
        standings=consensus(worlds["base"]),
    )


def pictures(made: Made) -> Iterator[tuple[str, bytes]]:
    """Name of a file and its contents, of each picture."""
    from PIL import Image

    for function, call, _ in PICTURES.values():
        with Image.open(BytesIO(figures.render(call(made), "png"))) as picture:
            file = BytesIO()
            picture.convert("RGB").quantize(COLOURS).save(file, "png", optimize=True)
        yield f"{function.__name__}.png", file.getvalue()


def page() -> str:
    """The page: each picture with the code that draws it."""
    parts = [
        "# Gallery",
        "",
        "Figures are functions of data that any script can call (`sim.figures`); a run's tree draws the usual ones",
        "itself: `tree.chipcast`, of any tree of `sim.run` and `sim.open`. Written by",
        "`./go python -m sim.report.gallery`, each picture by the code beside it, from 20,480 draws with seed 0.",
        "",
        "```python",
        "import sim",
        "from sim import figures",
        "",
        'tree = sim.run(sim.load("base"), draws=20_480)',
        'tree.chipcast.table("revenue", supplier="nvidia")  # a pandas DataFrame, periods by quantiles',
        "tree.chipcast.to_dataframe()  # every output, long, with Monte Carlo errors",
        'open("revenue.png", "wb").write(figures.render(tree.chipcast.fan("revenue", supplier="nvidia"), "png"))',
        "```",
    ]
    for heading, (function, _, about) in PICTURES.items():
        source = inspect.getsource(function).rstrip()
        parts += ["", f"## {heading}", "", about, "", f"![{heading}](gallery/{function.__name__}.png)", ""]
        parts += ["```python", source, "```"]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Write the page and its pictures."""
    folder = PAGE.with_suffix("")
    folder.mkdir(exist_ok=True)
    for name, data in pictures(made()):
        (folder / name).write_bytes(data)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
