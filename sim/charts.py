"""The charts of a run: which outputs are drawn, with which history and sources."""

from pathlib import Path

import xarray as xr

from sim.figures import Panel, Series, after, by_quarter, fan, headline, render

__all__ = ["SOURCES", "charts", "drawn"]

SOURCES = (
    "company filings and results (capital expenditure, NVIDIA data centre, Broadcom AI); five broker and press "
    "reports 2024-25; price and revenue inputs by Epoch AI, CC BY; beliefs and judgements as cited in priors/. "
    "Not investment advice"
)
LEAD = "nvidia"
NAMES = {"nvidia": "NVIDIA"}
FILES = tuple(f"{name}.{kind}" for name in ("shipments", "revenue", "headline") for kind in ("png", "svg"))


def drawn(tree: xr.DataTree, folder: Path) -> bool:
    """Whether a folder holds all charts of a run, each naming the commit that the run was opened at."""
    commit, paths = str(tree.attrs["commit"]).encode(), [folder / name for name in FILES]
    return all(path.is_file() and commit in path.read_bytes() for path in paths)


def charts(tree: xr.DataTree) -> dict[str, bytes]:
    """File name -> contents of the fan charts of a run, PNG and SVG, each naming the commit it was made from."""
    source = f"run {tree.attrs.get('run', '-')}, commit {tree.attrs.get('commit', '-')}"
    sources = f"{SOURCES}. chipcast {source.split(', commit', maxsplit=1)[0]}"
    as_of = str(tree.attrs["as_of"])
    quarter = tree["prior_predictive/quarter"].to_dataset()
    h100e = by_quarter(quarter["h100e"])
    revenue = by_quarter(quarter["revenue"])
    reported = by_quarter(tree["observed_data"].to_dataset()["reported_line"])
    lead = LEAD if LEAD in h100e["supplier"].values else str(h100e["supplier"].values[0])
    name = NAMES.get(lead, lead)
    history = reported.sel(reported_supplier=lead) if lead in reported["reported_supplier"].values else None
    shipped = [
        Series("All suppliers", None, h100e.sel(supplier="total")),
        Series(name, None, h100e.sel(supplier=lead)),
    ]
    earned = Series("", history, after(revenue.sel(supplier=lead), history))
    shipments_title = "AI accelerators shipped per quarter, in H100 equivalents"
    revenue_title = f"{name} {'data-centre ' if lead == LEAD else ''}revenue per calendar quarter"
    figures = {
        "shipments": fan(
            None, h100e.sel(supplier="total"), title=shipments_title, unit="M H100e", as_of=as_of, sources=sources
        ),
        "revenue": fan(history, earned.quantiles, title=revenue_title, unit="bn USD", as_of=as_of, sources=sources),
        "headline": headline(
            [
                Panel(shipments_title, "M H100e, log scale", as_of, shipped, "log"),
                Panel(revenue_title, "bn USD", as_of, [earned]),
            ],
            title=f"AI compute to {str(h100e['time'].values[-1])[:4]}: {tree.attrs['scenario']}",
            sources=sources,
        ),
    }
    return {
        f"{name}.{kind}": render(figure, kind, source=source)
        for name, figure in figures.items()
        for kind in ("png", "svg")
    }
