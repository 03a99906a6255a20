"""What the model reads and what it gives: every input and output declared once, with axes and units.

An input is a prior the book must hold, in the dims and the dimension stated here; the loader converts its
unit to the one the model works in. An output is one field of the model's ``Flows``. Nothing else in the
package retypes these names.
"""

from typing import NamedTuple

__all__ = ["DERIVED", "INPUTS", "OUTPUTS", "QUARTERLY", "Input", "Output"]


class Input(NamedTuple):
    """A prior that the model reads: its dims and the unit the model works in."""

    dims: tuple[str, ...]
    unit: str


class Output(NamedTuple):
    """A quantity the model gives: its dims, unit, name and how quarters make a year (``sum``, ``last``, ``ratio``)."""

    dims: tuple[str, ...]
    unit: str
    long_name: str
    annual: str


INPUTS: dict[str, Input] = {
    # money: equations 1 and 3
    "capex_drift": Input((), "1 / year"),
    "spending_drift": Input(("buyer",), "1 / year"),
    "capex_common_sd": Input((), "1"),
    "capex_own_sd": Input(("buyer",), "1"),
    "capex_common_shock": Input(("year",), "1"),
    "capex_own_shock": Input(("buyer", "year"), "1"),
    "shock_timing": Input(("season",), "1"),
    "guidance_beat": Input(("reported_buyer",), "1"),
    "guidance_bridge": Input(("reported_buyer",), "1"),
    "spending_run_rate": Input(("elicited_buyer",), "bn USD / quarter"),
    "spending_past_growth": Input(("elicited_buyer",), "1 / year"),
    "capex_lead": Input((), "quarter"),
    "ai_share": Input(("capex_buyer",), "1"),
    "ai_share_2030": Input(("capex_buyer",), "1"),
    "share_walk_sd": Input((), "1"),
    "share_walk": Input(("capex_buyer", "year"), "1"),
    # who buys from whom
    "owner_weight": Input(("pair",), "1"),
    "owner_weight_2022": Input(("pair",), "1"),
    "supplier_drift": Input(("supplier",), "1 / year"),
    "supplier_walk_sd": Input(("supplier",), "1"),
    "supplier_walk": Input(("supplier", "year"), "1"),
    "pair_walk_sd": Input((), "1"),
    "pair_walk": Input(("pair", "year"), "1"),
    # supplier revenue known or elicited: equation 14
    "reported_share": Input(("reported_supplier",), "1"),
    "hardware_share": Input(("supplier",), "1"),
    "attach_share_2030": Input(("reported_supplier",), "1"),
    "revenue_band": Input(("band_supplier", "time"), "bn USD"),
    "units_band": Input(("units_supplier", "time"), "M unit"),
    "revenue_run_rate": Input(("backcast_supplier",), "bn USD / quarter"),
    "revenue_past_growth": Input(("backcast_supplier",), "1 / year"),
    "nowcast_error": Input(("supplier",), "1"),
    # chips: equations 4 and 5
    "launch": Input(("catalogue_chip",), "year"),
    "ramp": Input(("chip",), "year"),
    "ceiling": Input(("chip",), "1"),
    "retirement": Input(("retiring_chip",), "year"),
    "performance": Input(("catalogue_chip",), "TFLOP/s / unit"),
    "performance_8bit": Input(("catalogue_chip",), "TFLOP/s / unit"),
    "price": Input(("catalogue_chip",), "bn USD / M unit"),
    "price_decline": Input(("chip",), "1 / year"),
    "system_power": Input(("catalogue_chip",), "W / unit"),
    "package_area": Input(("catalogue_chip",), "1"),
    "successor_cadence": Input(("successor_chip",), "year"),
    "successor_performance": Input(("successor_chip",), "1"),
    "successor_performance_8bit": Input(("successor_chip",), "1"),
    "successor_price": Input(("successor_chip",), "1"),
    "successor_power": Input(("successor_chip",), "1"),
    # supply and stock: equations 11 and 13
    "capacity_use": Input(("supplier",), "1"),
    "capacity_growth": Input(("supplier", "year"), "1 / year"),
    "transit": Input((), "quarter"),
    "lifetime": Input((), "year"),
    "pue": Input((), "1"),
}

OUTPUTS: dict[str, Output] = {
    "units": Output(("supplier",), "M unit", "accelerators shipped, in GPU or ASIC packages", "sum"),
    "h100e": Output(("supplier",), "M H100e", "shipments in H100 equivalents by dense 16-bit FLOP/s", "sum"),
    "h100e8": Output(("supplier",), "M H100e", "shipments in H100 equivalents by dense 8-bit OP/s", "sum"),
    "revenue": Output(
        ("supplier",), "bn USD", "supplier revenue from AI accelerators and what is sold with them", "sum"
    ),
    "shortfall": Output(("supplier",), "M H100e", "orders of the quarter that capacity could not meet", "sum"),
    "capex": Output(("capex_buyer",), "bn USD", "capital expenditure", "sum"),
    "ai_capex": Output(("capex_buyer",), "bn USD", "capital expenditure on AI", "sum"),
    "accelerator_spend": Output(("buyer",), "bn USD", "supplier revenue bought", "sum"),
    "buyer_h100e": Output(("buyer",), "M H100e", "shipments to the buyer in H100 equivalents", "sum"),
    "installed": Output(("buyer",), "M H100e", "H100 equivalents in service at the end of the period", "last"),
    "power": Output(("buyer",), "MW", "facility power of the installed base at the end of the period", "last"),
    "pair_h100e": Output(("pair",), "M H100e", "shipments by buyer and supplier in H100 equivalents", "sum"),
    "chip_units": Output(("chip",), "M unit", "shipments by chip generation", "sum"),
}

DERIVED: dict[str, Output] = {
    "revenue_share": Output(("supplier",), "1", "share of the supplier in the revenue of all suppliers", "ratio"),
    "h100e_growth": Output(("supplier",), "1", "growth of shipments in H100 equivalents on the year before", "ratio"),
    "revenue_growth": Output(("supplier",), "1", "growth of supplier revenue on the year before", "ratio"),
    "fiscal_revenue": Output(("fiscal_supplier",), "bn USD", "supplier revenue by its fiscal year", "sum"),
}
"""Made from joint draws of the outputs, by year: never from their quantiles."""

QUARTERLY = ("units", "h100e", "h100e8", "revenue")
"""Outputs whose summary is kept by quarter as well as by year, for suppliers with a quarterly record and the total."""
