"""Every cell of a summary from the flows of some draws, once more in plain NumPy: totals, years, ratios, fiscal years.

Written to be read beside docs/model.md and ``sim/axes.py``. Flows and values come in any precision and keep it; flows
are [time, axis, draw] and cells [axis, period, draw], by period and output. Nothing is reduced over draws, so any
block of them gives the same cells. A cell is not a number where there is nothing to tell: growth in the first year, a
ratio to nothing, and forecast-only outputs in years that begin before the forecast.
"""

import numpy as np

from sim.axes import DERIVED, OUTPUTS, QUARTERLY

QUARTERS = 4


def cells(world, flows, values):
    """Cells [axis, period, draw] by (period, output) of flows [time, axis, draw] and values [entry, draw]."""
    yearly = {name: with_totals(world, name, by_year(world, name, flow)) for name, flow in flows.items()}
    yearly |= ratios(yearly)
    found = {}
    for name, rows in yearly.items():
        forecast_only = (OUTPUTS | DERIVED)[name].forecast_only
        found["year", name] = forecast_years(world, rows) if forecast_only else rows
    for name in QUARTERLY:
        found["quarter", name] = by_quarter(world, flows[name])
    if world.record.fiscal:
        rows = [fiscal_revenue(world, fiscal, flows["revenue"], values) for fiscal in world.record.fiscal]
        found["fiscal_year", "fiscal_revenue"] = np.stack(rows)
    return found


# Years


def first_quarters(world):
    """Index of the first quarter of each year that is wholly on the axis, by year."""
    quarters = list(world.book.axes["time"])
    whole = [year for year in world.book.axes["year"] if all(f"{year}Q{n}" in quarters for n in range(1, QUARTERS + 1))]
    return {year: quarters.index(f"{year}Q1") for year in whole}


def by_year(world, name, flow):
    """A flow by whole years: the sum, the mean or the last of its quarters."""
    how, years = OUTPUTS[name].annual, [flow[t : t + QUARTERS] for t in first_quarters(world).values()]
    if how == "last":
        return np.stack([year[-1] for year in years], axis=1)
    return np.stack([year.sum(axis=0) / (QUARTERS if how == "mean" else 1) for year in years], axis=1)


def forecast_years(world, rows):
    """Values of the years after the hand-over's; not a number before."""
    last = world.book.axes["time"][world.record.handover][:QUARTERS]
    rows = rows.copy()
    rows[:, [year <= last for year in first_quarters(world)]] = np.nan
    return rows


# Totals


def with_totals(world, name, rows):
    """Rows of a supplier or buyer with the total behind them; of capex buyers, those who report before it."""
    dim = OUTPUTS[name].dims[0]
    if dim == "capex_buyer":
        reporting = [list(world.book.axes[dim]).index(buyer) for buyer in world.book.axes["reported_buyer"]]
        return np.concatenate([rows, rows[reporting].sum(axis=0, keepdims=True), rows.sum(axis=0, keepdims=True)])
    return np.concatenate([rows, rows.sum(axis=0, keepdims=True)]) if dim in ("supplier", "buyer") else rows


def by_quarter(world, flow):
    """A flow of suppliers as quarterly series: of those with a record of each quarter, and of all together."""
    suppliers, carried_back = world.book.axes["supplier"], world.book.axes["backcast_supplier"]
    series = [flow[:, i] for i, supplier in enumerate(suppliers) if supplier not in carried_back]
    return np.stack([*series, flow.sum(axis=1)])


# Ratios, of a draw's own years


def ratios(yearly):
    """What is made of two yearly values of the same draw, totals among them."""
    revenue, h100e, bound = yearly["revenue"], yearly["h100e"], yearly["bound_h100e"]
    return {
        "revenue_share": revenue / revenue[-1],
        "revenue_growth": growth(revenue),
        "h100e_growth": growth(h100e),
        "h100e_price": over(revenue, h100e),
        "binding": over(bound, np.broadcast_to(bound.sum(axis=0), bound.shape)),
        "coverage": over(yearly["raw_need"], yearly["installed"]),
        "depreciation_share": over(yearly["depreciation_added"], yearly["net_income"]),
    }


def growth(rows):
    """Growth on the year before."""
    before = np.concatenate([np.zeros_like(rows[:, :1]), rows[:, :-1]], axis=1)
    return over(rows, before) - 1


def over(part, whole):
    """The ratio of two values, not a number where the second is 0."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


# Fiscal years


def common_fiscal_years(world):
    """Fiscal years that every supplier with a fiscal calendar has."""
    first, *others = world.record.fiscal
    return [year for year in first.years if all(year in other.years for other in others)]


def fiscal_revenue(world, fiscal, revenue, values):
    """Revenue [fiscal_year, draw] of a supplier: reported quarters as they are, parts of the model's on other days."""
    axes, chosen = world.book.axes, [fiscal.years.index(year) for year in common_fiscal_years(world)]
    stream = f"reported_share[{fiscal.supplier}]"
    share = values[[entry.stream for entry in world.entries].index(stream)]
    reported = world.record.line[:, list(axes["reported_supplier"]).index(fiscal.supplier)]
    modelled = revenue[:, list(axes["supplier"]).index(fiscal.supplier)] - np.outer(reported, share)
    total = np.outer(fiscal.known[chosen], share) + fiscal.weights[chosen] @ modelled
    return total.astype(revenue.dtype)
