"""What the inputs of the model are about: groups of priors whose effects are told together.

Inputs that split one thing between them (shares that sum to one, walks and their sizes) stand in one group, because
the variance of one of them alone says nothing.
"""

from sim.book.schema import Citation, Prior

__all__ = ["FOOTINGS", "TOPICS", "footing", "topic"]

TOPICS: dict[str, str] = {
    "capex": "growth of capital expenditure, its shocks and guidance",
    "cash": "operating cash flow and how much of it may be spent",
    "ai_share": "share of AI in capital expenditure",
    "users": "monthly active users and what is recommended to them",
    "tokens": "tokens that assistants serve",
    "training": "training runs",
    "use": "utilisation, efficiency and how use answers to price",
    "orders": "how far ahead buyers plan, and how restrained they are",
    "price_performance": "prices and performance of chips",
    "generations": "launches and ramps of chip generations",
    "mix": "who buys from which supplier",
    "supply": "packaging and memory capacity, lead times and lifetimes",
    "reported": "reading of reported revenue, and outlooks",
}
"""Every topic, in words."""

OF = {
    "capex": (
        *("capex_drift", "spending_drift", "capex_common_sd", "capex_own_sd", "capex_common_shock", "capex_own_shock"),
        *("shock_timing", "wave", "guidance_beat", "guidance_bridge", "spending_run_rate", "spending_past_growth"),
        *("capex_lead", "need_response"),
    ),
    "cash": (
        *("operating_cash_flow", "cash_growth", "cash_cycle", "cash_shock_sd", "cash_shock", "capex_ceiling"),
        *("net_income_share", "depreciation_life"),
    ),
    "ai_share": ("ai_share", "ai_share_2030", "share_walk_sd", "share_walk"),
    "users": (
        *("users", "users_growth", "visits", "recommendations", "recommendation_tokens", "recommender_parameters"),
        *("recommender_growth", "adoption_midpoint", "adoption_width"),
    ),
    "tokens": (
        *("tokens", "token_growth", "token_growth_later", "token_growth_relaxation", "assistant_parameters"),
        "assistant_parameters_growth",
    ),
    "training": (
        *("frontier_run", "training_runs", "training_duty", "training_share", "training_growth"),
        *("training_growth_later", "training_growth_relaxation"),
    ),
    "use": ("peak", "utilisation", "efficiency_step", "efficiency_drift", "elasticity", "fill"),
    "orders": ("planning_horizon", "headroom", "discipline", "order_cover"),
    "price_performance": (
        *("performance", "performance_8bit", "price", "price_decline", "system_power", "package_area", "memory"),
        *("successor_performance", "successor_performance_8bit", "successor_price", "successor_power"),
        *("successor_memory", "pue"),
    ),
    "generations": ("launch", "ramp", "ceiling", "retirement", "successor_cadence"),
    "mix": (
        *("owner_weight", "owner_weight_2022", "supplier_drift", "supplier_walk_sd", "supplier_walk"),
        *("pair_walk_sd", "pair_walk"),
    ),
    "supply": (
        *("capacity_use", "capacity_growth", "supply_response", "memory_use", "memory_growth", "backlog_start"),
        *("cancellation", "spill", "transit", "lifetime", "tier_content"),
    ),
    "reported": (
        *("reported_share", "hardware_share", "attach_share_2030", "revenue_band", "units_band", "revenue_run_rate"),
        *("revenue_past_growth", "nowcast_error", "outlook_share", "outlook_beat"),
    ),
}
TOPIC = {name: key for key, names in OF.items() for name in names}

FOOTINGS = ("cited", "cited_and_judged", "judged")
"""What a prior may rest on: published sources alone, these and a judgement of ours, or a judgement alone."""


def topic(prior: str) -> str:
    """The topic of an input."""
    return TOPIC[prior]


def footing(prior: Prior) -> str:
    """What a prior rests on, one of ``FOOTINGS``."""
    cited = {isinstance(each, Citation) for each in prior.source}
    return {frozenset({True}): "cited", frozenset({False}): "judged"}.get(frozenset(cited), "cited_and_judged")
