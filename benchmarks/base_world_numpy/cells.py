"""The tuned contender's cells: added up in place while the model runs, totals and ratios made at its end."""

import numpy as np

from sim.axes import DERIVED, OUTPUTS, QUARTERLY
from sim.world import World
from tests import cells as plain

__all__ = ["Cells", "Places", "product"]

ONE_THREAD = 4 * 2**16  # multiplications that OpenBLAS leaves to one thread

RATIOS = {"h100e_price": ("revenue", "h100e"), "coverage": ("raw_need", "installed")}
RATIOS |= {"depreciation_share": ("depreciation_added", "net_income")}


class Places:
    """Where each table [axis, period] stands among the cells of a draw, and what its fiscal years are made of."""

    def __init__(self, world: World) -> None:
        axes, record = world.book.axes, world.record
        years, quarters = len(plain.first_quarters(world)), len(axes["time"])
        self.series = [i for i, name in enumerate(axes["supplier"]) if name not in axes["backcast_supplier"]]
        extra = {"capex_buyer": 2, "supplier": 1, "buyer": 1}
        shapes = {("quarter", name): (len(self.series) + 1, quarters) for name in QUARTERLY}
        for name, output in (OUTPUTS | DERIVED).items():
            dim = output.dims[0]
            if name != "fiscal_revenue":
                shapes["year", name] = len(axes[dim]) + extra.get(dim, 0), years
        self.fiscal = [fiscal_of(world, fiscal) for fiscal in record.fiscal]
        if self.fiscal:
            shapes["fiscal_year", "fiscal_revenue"] = len(self.fiscal), len(self.fiscal[0][2])
        ends = np.cumsum([axis * periods for axis, periods in shapes.values()]).tolist()
        self.tables = {
            key: (end - shape[0] * shape[1], shape) for (key, shape), end in zip(shapes.items(), ends, strict=True)
        }
        self.count, self.known_years = ends[-1], (record.handover + 1) // 4
        self.reporting = [axes["capex_buyer"].index(buyer) for buyer in axes["reported_buyer"]]


def fiscal_of(world: World, fiscal):
    """Supplier, its place among those that report, reported revenue and weights of its fiscal years, reported line."""
    axes, chosen = world.book.axes, [fiscal.years.index(year) for year in plain.common_fiscal_years(world)]
    reported = axes["reported_supplier"].index(fiscal.supplier)
    numbers = fiscal.known[chosen], fiscal.weights[chosen], world.record.line[:, reported]
    return axes["supplier"].index(fiscal.supplier), reported, *(each.astype(np.float32) for each in numbers)


class Cells:
    """The cells of one chunk, in ``block`` [cell, draw]."""

    def __init__(self, places: Places, block: np.ndarray) -> None:
        self.places, count = places, block.shape[1]
        self.of = {
            key: block[first : first + shape[0] * shape[1]].reshape(*shape, count)
            for key, (first, shape) in places.tables.items()
        }
        self.supplier_revenue = {}
        for name, output in OUTPUTS.items():
            if output.forecast_only:
                self.of["year", name][:, : places.known_years] = np.nan
        self.of["year", "chip_units"][...] = 0

    @staticmethod
    def ends_year(t: int) -> bool:
        """Whether a quarter is its year's last."""
        return t % 4 == 3

    def add(
        self, name: str, t: int, rows: np.ndarray, factor: np.ndarray | None = None, row: int | None = None
    ) -> None:
        """Add a quarter's rows [axis, draw], times a factor, to its year; set them, where its last quarter counts."""
        year, how = t // 4, OUTPUTS[name].annual
        if how == "last" and t % 4 < 3:
            return
        into = self.of["year", name]
        into = into[: len(rows), year] if row is None else into[row, year]
        rows = rows if factor is None else rows * factor
        if how == "last" or t % 4 == 0:
            into[...] = rows
        else:
            into += rows
        if how == "mean" and t % 4 == 3:
            into *= 0.25

    def add_supplier(self, name: str, t: int, rows: np.ndarray) -> None:
        """The same for an output of suppliers that is told by quarter, too."""
        self.add(name, t, rows)
        into = self.of["quarter", name]
        into[:-1, t] = rows[self.places.series]
        rows.sum(axis=0, out=into[-1, t])
        if name == "revenue":
            for supplier, *_ in self.places.fiscal:
                self.supplier_revenue[supplier, t] = rows[supplier]

    def put(self, name: str, t: int, quarters: np.ndarray, row: int) -> None:
        """Set one row of a year to the sum of its quarters [quarter, draw]."""
        quarters.sum(axis=0, out=self.of["year", name][row, t // 4])

    def finish(self, beliefs: dict[str, np.ndarray]) -> None:
        """Totals, then what is made of them."""
        year = {name: values for (period, name), values in self.of.items() if period == "year"}
        for name, output in OUTPUTS.items():
            if output.dims[0] == "capex_buyer":
                year[name][:-2].sum(axis=0, out=year[name][-1])
                year[name][self.places.reporting].sum(axis=0, out=year[name][-2])
            elif output.dims[0] in ("supplier", "buyer"):
                year[name][:-1].sum(axis=0, out=year[name][-1])
        np.divide(year["revenue"], year["revenue"][-1], out=year["revenue_share"])
        for name, (part, whole) in RATIOS.items():
            over(year[part], year[whole], year[name])
        over(year["bound_h100e"], year["bound_h100e"].sum(axis=0), year["binding"])
        for name in ("revenue", "h100e"):
            into = year[f"{name}_growth"]
            into[:, 0] = np.nan
            over(year[name][:, 1:], year[name][:, :-1], into[:, 1:])
            into[:, 1:] -= 1
        for i, (supplier, reported, known, weights, line) in enumerate(self.places.fiscal):
            share = beliefs["reported_share"][reported]
            revenue = np.stack([self.supplier_revenue[supplier, t] for t in range(len(line))])
            total = product(weights, revenue - line[:, None] * share)
            total += known[:, None] * share
            self.of["fiscal_year", "fiscal_revenue"][i] = total


def over(part: np.ndarray, whole: np.ndarray, into: np.ndarray) -> None:
    """The ratio of two values, not a number where the second is 0."""
    np.divide(part, whole, out=into)
    none = ~(whole > 0)
    if none.any():
        into[np.broadcast_to(none, into.shape)] = np.nan


def product(matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Matrix times rows, in pieces that BLAS does not spread over threads: on busy cores they wait for each other."""
    step = max(ONE_THREAD // matrix.size, 1)
    return np.concatenate([matrix @ rows[:, i : i + step] for i in range(0, rows.shape[1], step)], axis=1)
