"""What the model reads and what it gives: every input and output declared once, with axes and units.

An input is a prior the book must hold, in the dims and the dimension stated here; the loader converts its
unit to the one the model works in. An output is one field of the model's ``Flows``. Nothing else in the
package retypes these names.
"""

from typing import NamedTuple

__all__ = [
    "CONSTRAINTS",
    "DERIVED",
    "INPUTS",
    "OUTPUTS",
    "QUARTERLY",
    "TIERS",
    "WORKLOADS",
    "Input",
    "Output",
]

WORKLOADS = ("training", "recommender", "assistant")
"""What accelerators are needed for (equations 6 to 8), in the order of the ``workload`` axis."""

TIERS = ("accelerator", "foundry", "hbm", "server", "network", "cooling_power")
"""The value chain (equation 13), in the order of the ``tier`` axis."""

CONSTRAINTS = ("budget", "need", "supply")
"""What holds a buyer's purchases back (equation 12), in the order of the ``constraint`` axis."""


class Input(NamedTuple):
    """A prior that the model reads: its dims and the unit the model works in."""

    dims: tuple[str, ...]
    unit: str


class Output(NamedTuple):
    """A quantity the model gives.

    Its dims, unit and name, how quarters make a year (``sum``, ``last``, ``mean`` or ``ratio``), and whether it says
    something of forecast years only.
    """

    dims: tuple[str, ...]
    unit: str
    long_name: str
    annual: str
    forecast_only: bool = False


INPUTS: dict[str, Input] = {
    # money: equations 1 to 3
    "capex_drift": Input((), "1 / year"),
    "spending_drift": Input(("buyer",), "1 / year"),
    "capex_common_sd": Input((), "1"),
    "capex_own_sd": Input(("buyer",), "1"),
    "capex_common_shock": Input(("year",), "1"),
    "capex_own_shock": Input(("buyer", "year"), "1"),
    "shock_timing": Input(("season",), "1"),
    "wave": Input(("year",), "1"),
    "need_response": Input((), "1 / year"),
    "guidance_beat": Input(("reported_buyer",), "1"),
    "guidance_bridge": Input(("reported_buyer",), "1"),
    "spending_run_rate": Input(("elicited_buyer",), "bn USD / quarter"),
    "spending_past_growth": Input(("elicited_buyer",), "1 / year"),
    "operating_cash_flow": Input(("capex_buyer",), "bn USD / year"),
    "cash_growth": Input(("buyer",), "1 / year"),
    "cash_cycle": Input((), "1"),
    "cash_shock_sd": Input((), "1"),
    "cash_shock": Input(("buyer", "year"), "1"),
    "capex_ceiling": Input(("buyer",), "1"),
    "net_income_share": Input(("capex_buyer",), "1"),
    "depreciation_life": Input((), "year"),
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
    "outlook_share": Input(("reported_supplier",), "1"),
    "outlook_beat": Input(("reported_supplier",), "1"),
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
    "memory": Input(("catalogue_chip",), "GB / unit"),
    "successor_cadence": Input(("successor_chip",), "year"),
    "successor_performance": Input(("successor_chip",), "1"),
    "successor_performance_8bit": Input(("successor_chip",), "1"),
    "successor_price": Input(("successor_chip",), "1"),
    "successor_power": Input(("successor_chip",), "1"),
    "successor_memory": Input(("successor_chip",), "1"),
    # need: equations 6 to 9
    "users": Input(("buyer",), "bn users"),
    "users_growth": Input((), "1 / year"),
    "visits": Input((), "1"),
    "recommendations": Input((), "1"),
    "recommendation_tokens": Input((), "1"),
    "recommender_parameters": Input((), "bn parameters"),
    "recommender_growth": Input((), "1 / year"),
    "adoption_midpoint": Input(("buyer",), "year"),
    "adoption_width": Input((), "year"),
    "tokens": Input(("buyer",), "bn tokens / second"),
    "token_growth": Input((), "1 / year"),
    "token_growth_later": Input((), "1 / year"),
    "token_growth_relaxation": Input((), "year"),
    "assistant_parameters": Input((), "bn parameters"),
    "assistant_parameters_growth": Input((), "1 / year"),
    "frontier_run": Input((), "EFLOP"),
    "training_runs": Input((), "1"),
    "training_duty": Input((), "1"),
    "training_share": Input(("buyer",), "1"),
    "training_growth": Input((), "1 / year"),
    "training_growth_later": Input((), "1 / year"),
    "training_growth_relaxation": Input((), "year"),
    "peak": Input(("workload",), "1"),
    "utilisation": Input(("workload",), "1"),
    "efficiency_step": Input(("workload",), "1"),
    "efficiency_drift": Input(("workload",), "1 / year"),
    "elasticity": Input(("workload",), "1"),
    "fill": Input(("buyer",), "1"),
    # orders: equation 10
    "planning_horizon": Input((), "quarter"),
    "headroom": Input((), "1"),
    "discipline": Input(("buyer",), "1"),
    "order_cover": Input((), "quarter"),
    # supply, stock and value chain: equations 11 and 13
    "capacity_use": Input(("supplier",), "1"),
    "capacity_growth": Input(("supplier", "year"), "1 / year"),
    "supply_response": Input((), "1 / year"),
    "memory_use": Input(("supplier",), "1"),
    "memory_growth": Input(("supplier", "year"), "1 / year"),
    "backlog_start": Input(("supplier",), "quarter"),
    "cancellation": Input((), "1"),
    "spill": Input((), "1"),
    "transit": Input((), "quarter"),
    "lifetime": Input((), "year"),
    "pue": Input((), "1"),
    "tier_content": Input(("tier",), "1"),
}

OUTPUTS: dict[str, Output] = {
    "units": Output(("supplier",), "M unit", "accelerators shipped, in GPU or ASIC packages", "sum"),
    "h100e": Output(("supplier",), "M H100e", "shipments in H100 equivalents by dense 16-bit FLOP/s", "sum"),
    "h100e8": Output(("supplier",), "M H100e", "shipments in H100 equivalents by dense 8-bit OP/s", "sum"),
    "revenue": Output(
        ("supplier",), "bn USD", "supplier revenue from AI accelerators and what is sold with them", "sum"
    ),
    "capex": Output(("capex_buyer",), "bn USD", "capital expenditure", "sum"),
    "ai_capex": Output(("capex_buyer",), "bn USD", "capital expenditure on AI", "sum", forecast_only=True),
    "depreciation_added": Output(
        ("capex_buyer",), "bn USD", "yearly depreciation that the period's capex adds", "sum", forecast_only=True
    ),
    "net_income": Output(("capex_buyer",), "bn USD", "net income", "sum", forecast_only=True),
    "accelerator_spend": Output(("buyer",), "bn USD", "supplier revenue bought", "sum"),
    "buyer_h100e": Output(("buyer",), "M H100e", "shipments to the buyer in H100 equivalents", "sum"),
    "installed": Output(("buyer",), "M H100e", "H100 equivalents in service at the end of the period", "last"),
    "power": Output(("buyer",), "MW", "facility power of the installed base at the end of the period", "last"),
    "pair_h100e": Output(("pair",), "M H100e", "shipments by buyer and supplier in H100 equivalents", "sum"),
    "chip_units": Output(("chip",), "M unit", "shipments by chip generation", "sum"),
    "raw_need": Output(
        ("buyer",), "M H100e", "H100 equivalents that the workloads keep busy at the end of the period", "last"
    ),
    "need": Output(
        ("buyer",), "M H100e", "H100 equivalents wanted in service at the end of the period", "last", forecast_only=True
    ),
    "shortfall": Output(
        ("buyer",), "M H100e", "need beyond what is in service at the end of the period", "last", forecast_only=True
    ),
    "backlog": Output(
        ("buyer",), "M H100e", "ordered and not yet shipped at the end of the period", "last", forecast_only=True
    ),
    "tokens_served": Output(("buyer",), "bn tokens / second", "assistant tokens served", "mean", forecast_only=True),
    "bound_h100e": Output(
        ("constraint",), "M H100e", "shipments to buyers held back by each constraint", "sum", forecast_only=True
    ),
    "bound_buyers": Output(
        ("constraint",), "1", "share of buyers held back by each constraint", "mean", forecast_only=True
    ),
    "tier_revenue": Output(("tier",), "bn USD", "revenue of each tier of the value chain", "sum"),
}

DERIVED: dict[str, Output] = {
    "revenue_share": Output(("supplier",), "1", "share of the supplier in the revenue of all suppliers", "ratio"),
    "h100e_growth": Output(("supplier",), "1", "growth of shipments in H100 equivalents on the year before", "ratio"),
    "revenue_growth": Output(("supplier",), "1", "growth of supplier revenue on the year before", "ratio"),
    "binding": Output(
        ("constraint",), "1", "share of shipments to buyers held back by each constraint", "ratio", forecast_only=True
    ),
    "coverage": Output(("buyer",), "1", "raw need over the installed base at the end of the period", "ratio"),
    "depreciation_share": Output(
        ("capex_buyer",), "1", "depreciation added by the year's capex over net income", "ratio", forecast_only=True
    ),
    "h100e_price": Output(("supplier",), "bn USD / M H100e", "revenue per H100 equivalent shipped", "ratio"),
    "fiscal_revenue": Output(("fiscal_supplier",), "bn USD", "supplier revenue by its fiscal year", "sum"),
}
"""Made from joint draws of the outputs, by year: never from their quantiles."""

QUARTERLY = ("units", "h100e", "h100e8", "revenue")
"""Outputs whose summary is kept by quarter as well as by year, for suppliers with a quarterly record and the total."""
