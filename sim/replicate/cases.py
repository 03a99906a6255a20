"""The equations behind the published figures: the model's functions, put together as each report does.

A case takes a table's inputs by name, in the model's units, and gives its outputs by name; a table prints some of
them. Nothing here is a second model: what is not plain addition, multiplication or division is a call of ``sim.model``.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from jax import Array

from sim.model import money, need

__all__ = ["CASES", "Case", "Outputs"]

Outputs: TypeAlias = Mapping[str, Array]
Case: TypeAlias = Callable[..., Outputs]


def service(
    *,
    parameters: Array,
    tokens_per_parameter: Array,
    tokens_served: Array,
    tokens_tuned: Array,
    training_days: Array,
    serving_days: Array,
    performance: Array,
    utilisation: Array,
    cards: Array,
) -> Outputs:
    """Work, load, accelerators and servers of an LLM service: trained, fine-tuned and served (HT24:T55)."""
    pretraining = need.training_flop(parameters, tokens_per_parameter * parameters)
    tuning = need.training_flop(parameters, tokens_tuned)
    inference = need.inference_flop(parameters, tokens_served)
    loads = {
        "pretraining": need.load(pretraining, training_days),
        "tuning": need.load(tuning, training_days),
        "inference": need.load(inference, serving_days),
    }
    cards_of = {name: need.accelerators(load, performance, utilisation) for name, load in loads.items()}
    total = cards_of["pretraining"] + cards_of["tuning"] + cards_of["inference"]
    return {
        "total_work": need.work_days(pretraining + tuning + inference),
        "pretraining_work": need.work_days(pretraining),
        "tuning_work": need.work_days(tuning),
        "inference_work": need.work_days(inference),
        "inference_load": loads["inference"],
        "total_a100": total,
        "pretraining_a100": cards_of["pretraining"],
        "tuning_a100": cards_of["tuning"],
        "inference_a100": cards_of["inference"],
        "servers": need.servers(total, cards),
    }


def recommender(
    *,
    users: Array,
    visits: Array,
    recommendations: Array,
    tokens: Array,
    days: Array,
    adoption: Array,
    peak: Array,
    parameters: Array,
    performance: Array,
    utilisation: Array,
) -> Outputs:
    """Tokens, load, work and accelerators of generative recommenders; the peak load is held all month (HT24:T56)."""
    mean_tokens = need.recommender_tokens(users, visits, recommendations, tokens, days)
    load = need.recommender_load(mean_tokens, parameters, adoption, peak)
    peak_tokens = mean_tokens * adoption * peak
    return {
        "mean_tokens": mean_tokens,
        "peak_tokens": peak_tokens,
        "peak_tokens_per_month": need.work(peak_tokens, days),
        "load": load,
        "work": need.work_days(need.work(load, days)),
        "accelerators": need.accelerators(load, performance, utilisation),
    }


def training(parameters: Array, tokens: Array) -> Outputs:
    """Work of one training run, as FLOP and as FLOP/s-days (GH24:F16, TF24)."""
    flop = need.training_flop(parameters, tokens)
    return {"flop": flop, "work": need.work_days(flop)}


def training_run(accelerators: Array, days: Array, price: Array) -> Outputs:
    """Cost of one training run (GH24)."""
    return {"cost": money.training_run_cost(accelerators, days, price)}


def mfu(achieved: Array, performance: Array) -> Outputs:
    """Model FLOP utilisation (TF24)."""
    return {"mfu": need.mfu(achieved, performance)}


def units(revenue: Array, price: Array) -> Outputs:
    """Units that revenue implies (HT24:F57)."""
    return {"units": money.units_sold(revenue, price)}


def growth(before: Array, after: Array) -> Outputs:
    """Growth over one period (HT24:F2, CJ25)."""
    return {"growth": money.growth(before, after)}


def grown(before: Array, growth: Array) -> Outputs:
    """Level after one period of growth (CJ25)."""
    return {"level": money.grown(before, growth)}


def compound_growth(first: Array, last: Array, years: Array) -> Outputs:
    """Compound annual growth (HT24:F2, HT24:F15)."""
    return {"growth": money.compound_growth(first, last, years)}


def four_companies(microsoft: Array, alphabet: Array, amazon: Array, meta: Array) -> Outputs:
    """The four companies' sum (HT24, TF24)."""
    return {"total": microsoft + alphabet + amazon + meta}


def four_companies_growth(
    *,
    microsoft: Array,
    alphabet: Array,
    amazon: Array,
    meta: Array,
    microsoft_before: Array,
    alphabet_before: Array,
    amazon_before: Array,
    meta_before: Array,
) -> Outputs:
    """The four companies' sum and its growth on one definition (CJ25)."""
    total = microsoft + alphabet + amazon + meta
    before = microsoft_before + alphabet_before + amazon_before + meta_before
    return {"total": total, "growth": money.growth(before, total)}


def guided_year(quarter: Array, quarters: Array, before: Array) -> Outputs:
    """A year that repeats one quarter, and its growth on the year before (HT24)."""
    total = quarter * quarters
    return {"total": total, "growth": money.growth(before, total)}


def depreciation(capex: Array, life: Array, net_income: Array) -> Outputs:
    """Depreciation that a year's capex adds, and its share of net income (CJ25)."""
    return {
        "amount": money.depreciation(capex, life),
        "share": money.depreciation_share(capex, life, net_income),
    }


def difference(whole: Array, part: Array) -> Outputs:
    """What is left of a whole without a part."""
    return {"difference": whole - part}


def product(first: Array, second: Array) -> Outputs:
    """One factor times another."""
    return {"product": first * second}


def ratio(part: Array, whole: Array) -> Outputs:
    """A part over its whole."""
    return {"ratio": part / whole}


def share_of(whole: Array, share: Array) -> Outputs:
    """The part that a share is of a whole."""
    return {"part": whole * share}


CASES: Mapping[str, Case] = MappingProxyType(
    {
        case.__name__: case
        for case in (
            compound_growth,
            depreciation,
            difference,
            four_companies,
            four_companies_growth,
            growth,
            grown,
            guided_year,
            mfu,
            product,
            ratio,
            recommender,
            service,
            share_of,
            training,
            training_run,
            units,
        )
    }
)
"""Every case by name, the name the table writes."""
