"""What buyers need: the workloads of a draw from the hand-over on, and their path over time (equations 6 to 9).

Paths are closed forms in time, so that a buyer can look ahead by its planning horizon. ``years`` is the time since the
hand-over, negative before it; it may differ from draw to draw.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax.nn import sigmoid
from jaxtyping import Array, Float

from sim.axes import WORKLOADS
from sim.model import need
from sim.model.constants import COMPUTE_GUARD, DAYS_PER_YEAR, H100_TFLOPS, MONTH_DAYS
from sim.model.structure import total

__all__ = ["Workloads", "adoption", "at_handover", "efficiency", "needed", "raw_need", "relaxing", "tokens"]

TRAINING, RECOMMENDER, ASSISTANT = (WORKLOADS.index(name) for name in ("training", "recommender", "assistant"))

Beliefs = dict[str, Array]


class Workloads(NamedTuple):
    """H100 equivalents that each workload keeps busy at the hand-over [M H100e], recommenders at full adoption."""

    training: Float[Array, "buyer *draw"]
    recommender: Float[Array, "buyer *draw"]
    assistant: Float[Array, "buyer *draw"]


def at_handover(beliefs: Beliefs) -> Workloads:
    """The workloads of every buyer at the hand-over (equations 6 to 8), over 989 TFLOP/s times utilisation."""
    mean = need.recommender_tokens(
        beliefs["users"],
        beliefs["visits"],
        beliefs["recommendations"],
        beliefs["recommendation_tokens"],
        jnp.full_like(beliefs["visits"], MONTH_DAYS),
    )
    peak = beliefs["peak"]
    everyone = jnp.ones_like(peak[RECOMMENDER])
    recommender = need.recommender_load(mean, beliefs["recommender_parameters"], everyone, peak[RECOMMENDER])
    assistant = need.assistant_load(beliefs["tokens"], beliefs["assistant_parameters"], peak[ASSISTANT])
    year = jnp.full_like(beliefs["training_duty"], DAYS_PER_YEAR)
    world = need.training_load(beliefs["frontier_run"], beliefs["training_runs"], year, beliefs["training_duty"])
    training = world * peak[TRAINING] * beliefs["training_share"] / total(beliefs["training_share"])
    busy = [
        need.accelerators(load, jnp.full_like(peak[i], H100_TFLOPS), beliefs["utilisation"][i])
        for i, load in enumerate((training, recommender, assistant))
    ]
    return Workloads(*busy)


def relaxing(
    now: Float[Array, "*draw"],
    later: Float[Array, "*draw"],
    relaxation: Float[Array, "*draw"],
    years: Float[Array, "*#draw"],
) -> Float[Array, "*draw"]:
    """Log growth over some years at a rate that relaxes from ``now`` to ``later`` [1] (equations 7 and 8).

        growth = later * years + (now - later) * relaxation * (1 - exp(-years / relaxation)),  now * years before 0

    Rates [1 / year], relaxation [year]. The rate at time t is later + (now - later) * exp(-t / relaxation).
    """
    ahead = jnp.maximum(years, 0)
    gone = -jnp.expm1(-ahead / relaxation)
    return now * jnp.minimum(years, 0) + later * ahead + (now - later) * relaxation * gone


def efficiency(
    step: Float[Array, "workload *draw"], drift: Float[Array, "workload *draw"], years: Float[Array, "*#draw"]
) -> Float[Array, "workload *draw"]:
    """Log fall of the FLOP per unit of use beyond its path [1] (equations 7 and 8).

        gain = step * min(years, 1) + drift * years,  0 before the hand-over

    The step comes within the first year.
    """
    ahead = jnp.maximum(years, 0)
    return step * jnp.minimum(ahead, 1) + drift * ahead


def adoption(
    midpoint: Float[Array, "buyer *draw"], width: Float[Array, "*draw"], year: Float[Array, "*#draw"]
) -> Float[Array, "buyer *draw"]:
    """Share of recommendations that generative models make [1], an S-curve of each buyer (equation 6).

    adoption = sigmoid((year - midpoint) / width)
    """
    return sigmoid((year - midpoint) / width)


def raw_need(
    beliefs: Beliefs, workloads: Workloads, year: Float[Array, "*#draw"], years: Float[Array, "*#draw"]
) -> Float[Array, "buyer *draw"]:
    """H100 equivalents that the workloads keep busy [M H100e], summed over workloads (equation 9).

        load = load at the hand-over * exp(growth + (elasticity - 1) * efficiency gain)

    ``year`` is the decimal year that lies ``years`` after the hand-over.
    """
    gain = (beliefs["elasticity"] - 1) * efficiency(beliefs["efficiency_step"], beliefs["efficiency_drift"], years)
    trained = relaxing(
        beliefs["training_growth"], beliefs["training_growth_later"], beliefs["training_growth_relaxation"], years
    )
    recommended = (beliefs["users_growth"] + beliefs["recommender_growth"]) * years
    asked = token_growth(beliefs, years) + beliefs["assistant_parameters_growth"] * years
    adopted = adoption(beliefs["adoption_midpoint"], beliefs["adoption_width"], year)
    return (
        workloads.training * jnp.exp(trained + gain[TRAINING])
        + workloads.recommender * adopted * jnp.exp(recommended + gain[RECOMMENDER])
        + workloads.assistant * jnp.exp(asked + gain[ASSISTANT])
    )


def token_growth(beliefs: Beliefs, years: Float[Array, "*#draw"]) -> Float[Array, "*draw"]:
    """Log growth of assistant tokens since the hand-over along their path [1] (equation 7)."""
    return relaxing(beliefs["token_growth"], beliefs["token_growth_later"], beliefs["token_growth_relaxation"], years)


def tokens(beliefs: Beliefs, years: Float[Array, "*#draw"]) -> Float[Array, "buyer *draw"]:
    """Assistant tokens asked for [bn tokens / second] (equation 7).

    tokens = tokens at the hand-over * exp(growth + elasticity * efficiency gain)
    """
    gain = efficiency(beliefs["efficiency_step"], beliefs["efficiency_drift"], years)[ASSISTANT]
    return beliefs["tokens"] * jnp.exp(token_growth(beliefs, years) + beliefs["elasticity"][ASSISTANT] * gain)


def needed(
    installed: Float[Array, "buyer *draw"],
    fill: Float[Array, "buyer *draw"],
    raw: Float[Array, "buyer *draw"],
    raw_start: Float[Array, "buyer *draw"],
) -> Float[Array, "buyer *draw"]:
    """H100 equivalents wanted in service [M H100e]: those at the hand-over, grown with raw need (equation 9).

        need = installed at the hand-over * fill * raw / raw at the hand-over

    Nothing for a buyer without any workload.
    """
    return installed * fill * raw / jnp.maximum(raw_start, COMPUTE_GUARD)
