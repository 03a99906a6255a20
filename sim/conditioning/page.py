"""What a posterior says, for a terminal or as JSON: figures before and after, beliefs that moved, how far to trust."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import xarray as xr
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from sim import headline

__all__ = ["Change", "as_json", "changes", "page"]

CLEAR = 4.0
"""Monte Carlo errors by which a belief's mean must have moved to be told: by chance one in ten runs has one such."""
SHOWN = 15
"""Beliefs shown on a terminal."""
AHEAD = 4
"""Years shown on a terminal after that of the book."""
ROWS = {("capex", "reported"), ("revenue", "nvidia"), ("revenue", "total"), ("h100e", "nvidia"), ("h100e", "total")}
"""Rows of the headline shown on a terminal."""
FIGURES = ("p05", "p50", "p95")
OF = ("supplier", "buyer", "tier", "constraint")


class Change(NamedTuple):
    """How far the observations moved one number of a prior."""

    belief: str
    unit: str
    mean_before: float
    sd_before: float
    mean: float
    sd: float
    shift: float
    """In standard deviations before."""
    shift_error: float
    sd_ratio: float


def changes(tree: xr.DataTree) -> list[Change]:
    """Beliefs whose mean moved beyond chance, the furthest first."""
    data = tree["posterior/moved"].to_dataset()
    rows = zip(*(data[name].values.tolist() for name in Change._fields), strict=True)
    found = [change for change in map(Change._make, rows) if abs(change.shift) > CLEAR * change.shift_error]
    return sorted(found, key=lambda each: -abs(each.shift))


def _rows(tree: xr.DataTree) -> list[dict[str, Any]]:
    """Rows of the headline table with their figures before and after."""
    groups = {f"/prior_predictive/{name}": node.to_dataset() for name, node in _after(tree).items()}
    after = xr.DataTree.from_dict({"/": xr.Dataset(attrs=tree.attrs), **groups})
    warning = {"warning": tree.attrs["warning"]} if tree.attrs["warning"] else {}
    figures = (*headline.QUANTILES, "mean")
    return [
        {key: value for key, value in old.items() if key not in figures}
        | {"before": {key: old[key] for key in figures}, "after": {key: new[key] for key in figures}, **warning}
        for old, new in zip(headline.rows(tree), headline.rows(after), strict=True)
    ]


def _after(tree: xr.DataTree) -> dict[str, xr.DataTree]:
    return {str(name): node for name, node in tree["posterior_predictive"].children.items()}


def _observed(tree: xr.DataTree) -> list[dict[str, Any]]:
    data = tree["observed_data/observations"].to_dataset()
    names = [str(name) for name in data["observation"].values]
    columns = {key: column.astype(object) for key, column in data.data_vars.items()}
    return [
        {"observation": name, **{str(key): column.values[i] for key, column in columns.items()}}
        for i, name in enumerate(names)
    ]


def as_json(tree: xr.DataTree) -> dict[str, Any]:
    """Everything the page shows and more, for JSON."""
    keys = ("method", "effective_draws", "weighted_effective_draws", "pareto_k", "stages", "acceptance", "warning")
    return {
        **{key: tree.attrs[key] for key in (*keys, "draws", "seed", "as_of", "scenario", "run") if key in tree.attrs},
        "observations": _observed(tree),
        "moved": [change._asdict() for change in changes(tree)],
        "figures": _rows(tree),
    }


def page(tree: xr.DataTree) -> Group:
    """The posterior for a terminal."""
    warning = str(tree.attrs["warning"])
    parts: list[Any] = ["[bold]observed[/bold]", _observed_table(tree)]
    for (output, label), rows in _blocks(tree).items():
        title = f"[bold]{escape(label)}[/bold], {headline.TITLES[output]} [dim]{escape(rows[0]['unit'])}[/dim]"
        parts += ["", title, *([f"[yellow]{escape(warning)}[/yellow]"] if warning else []), _before_after(rows)]
    found = changes(tree)
    more = f" [dim]{SHOWN} of {len(found)}[/dim]" if len(found) > SHOWN else ""
    parts += ["", f"[bold]beliefs that moved[/bold]{more}", _moved_table(found[:SHOWN])]
    return Group(*parts, "", *(f"[dim]{line}[/dim]" for line in _trust(tree)))


def _blocks(tree: xr.DataTree) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Rows that a terminal shows, by output and whom it is of."""
    last, blocks = int(str(tree.attrs["as_of"])[:4]) + AHEAD, dict[tuple[str, str], list[dict[str, Any]]]()
    for row in _rows(tree):
        key = str(row["output"]), next(str(row[name]) for name in OF if name in row)
        if key in ROWS and int(str(tree.attrs["as_of"])[:4]) <= int(row["period"]) <= last:
            blocks.setdefault(key, []).append(row)
    return blocks


def _table(*columns: str) -> Table:
    shown = Table(box=None, pad_edge=False)
    for i, column in enumerate(columns):
        shown.add_column(column, justify="right" if i else "left", no_wrap=not i, header_style="dim")
    return shown


def _observed_table(tree: xr.DataTree) -> Table:
    shown = _table("", "value", "error", "before", "sd", "after", "sd", "surprise")
    for row in _observed(tree):
        figures = ("value", "error", "mean_before", "sd_before", "mean_after", "sd_after")
        shown.add_row(escape(row["observation"]), *(_short(row[key]) for key in figures), f"{row['surprise']:+.1f}")
    return shown


def _before_after(rows: list[dict[str, Any]]) -> Table:
    shown = _table("", *(f"{key.upper()} before" for key in FIGURES), *(f"{key.upper()} after" for key in FIGURES))
    for row in rows:
        shown.add_row(row["period"], *(_short(row[side][key]) for side in ("before", "after") for key in FIGURES))
    return shown


def _moved_table(found: list[Change]) -> Table:
    shown = _table("", "mean before", "after", "moved, sd", "sd ratio", "unit")
    for each in found:
        figures = _short(each.mean_before), _short(each.mean), f"{each.shift:+.2f}", f"{each.sd_ratio:.2f}"
        shown.add_row(escape(each.belief), *figures, escape(each.unit))
    return shown


def _trust(tree: xr.DataTree) -> Iterator[str]:
    """How the posterior was made and what its diagnostics mean."""
    attrs = tree.attrs
    if attrs["method"] == "weights":
        yield (
            f"{attrs['draws']:,} draws reweighted are worth {attrs['effective_draws']:,.0f} independent ones. "
            f"Pareto k is {attrs['pareto_k']}: below 0.7 no few draws decide."
        )
    else:
        yield (
            f"Of {attrs['draws']:,} draws only {attrs['weighted_effective_draws']:,.0f} carried the weight "
            f"(Pareto k {attrs['pareto_k']}), so 4,096 particles were tempered in {attrs['stages']} stages; "
            f"they are worth {attrs['effective_draws']:,.0f} independent draws."
        )
    yield f"As of {attrs['as_of']} and the observations. Moved: beyond {CLEAR:g} Monte Carlo errors."


def _short(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return "-"
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{min(digits, 4)}f}"
