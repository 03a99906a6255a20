"""Money in the small: growth, depreciation, the cost of a training run, units from revenue.

Money in bn USD and accelerators in M units wherever both stand in an equation; a growth rate or a share is a
fraction, not percent.
"""

from jaxtyping import Array, Float

from sim.model.constants import HOURS_PER_DAY

__all__ = [
    "compound_growth",
    "depreciation",
    "depreciation_share",
    "grown",
    "growth",
    "training_run_cost",
    "units_sold",
]


def growth(before: Float[Array, "*#draw"], after: Float[Array, "*#draw"]) -> Float[Array, "*#draw"]:
    """Growth from one period to the next [1] (HT24:F2, CJ25).

        growth = after / before - 1

    Both in the same unit and on the same definition.
    """
    return after / before - 1


def grown(before: Float[Array, "*#draw"], growth: Float[Array, "*#draw"]) -> Float[Array, "*#draw"]:
    """Level after one period of growth, in the unit it began in (CJ25).

    after = before * (1 + growth)
    """
    return before * (1 + growth)


def compound_growth(
    first: Float[Array, "*#draw"], last: Float[Array, "*#draw"], years: Float[Array, "*#draw"]
) -> Float[Array, "*#draw"]:
    """Compound annual growth rate, CAGR [1 / year] (HT24:F2, HT24:F15).

        cagr = (last / first)^(1 / years) - 1

    Levels in the same unit; years between them, not the number of levels.
    """
    return (last / first) ** (1 / years) - 1


def depreciation(capex: Float[Array, "*#draw"], life: Float[Array, "*#draw"]) -> Float[Array, "*#draw"]:
    """Yearly straight-line depreciation that one year's capex adds [bn USD / year] (CJ25).

        depreciation = capex / life

    Capex [bn USD], life [year].
    """
    return capex / life


def depreciation_share(
    capex: Float[Array, "*#draw"], life: Float[Array, "*#draw"], net_income: Float[Array, "*#draw"]
) -> Float[Array, "*#draw"]:
    """The depreciation that one year's capex adds, over net income [1] (CJ25).

        share = capex / life / net_income

    Capex [bn USD], life [year], net income [bn USD / year].
    """
    return depreciation(capex, life) / net_income


def training_run_cost(
    accelerators: Float[Array, "*#draw"], days: Float[Array, "*#draw"], price: Float[Array, "*#draw"]
) -> Float[Array, "*#draw"]:
    """Rent of the accelerators that a training run keeps busy [bn USD] (GH24).

        cost = accelerators * days * 24 h * price

    Accelerators [M unit], rental price [bn USD / M unit / hour], that is thousand USD a unit and hour.
    """
    return accelerators * days * HOURS_PER_DAY * price


def units_sold(revenue: Float[Array, "*#draw"], price: Float[Array, "*#draw"]) -> Float[Array, "*#draw"]:
    """Units that a supplier's revenue implies at a mean selling price [M unit] (HT24:F57).

        units = revenue / price

    Revenue [bn USD], price [bn USD / M unit], that is thousand USD a unit.
    """
    return revenue / price
