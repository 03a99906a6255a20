"""What the workloads need: FLOP, FLOP/s and accelerators (equations 6 to 8 of the model).

Units are chosen so that no conversion stands in an equation and float32 is exact enough: parameters, tokens and
users in billions (B), work in EFLOP (1e18 FLOP), load in EFLOP/s, one accelerator in TFLOP/s, accelerators in
millions. Billions times billions are exa; exa over tera are millions.
"""

from jaxtyping import Array, Float

from sim.model.constants import INFERENCE_FLOP, SECONDS_PER_DAY, TRAINING_FLOP

__all__ = [
    "accelerators",
    "assistant_load",
    "inference_flop",
    "load",
    "mfu",
    "recommender_load",
    "recommender_tokens",
    "servers",
    "training_flop",
    "training_load",
    "work",
    "work_days",
]


def training_flop(parameters: Float[Array, "*#draw"], tokens: Float[Array, "*#draw"]) -> Float[Array, "*#draw"]:
    """Work of training a dense model once over its tokens [EFLOP] (HT24:T55, GH24:F16).

        C = 6 * N * D

    Parameters [B], tokens [B].
    """
    return TRAINING_FLOP * parameters * tokens


def inference_flop(parameters: Float[Array, "*#draw"], tokens: Float[Array, "*#draw"]) -> Float[Array, "*#draw"]:
    """Work of serving tokens [EFLOP]; of tokens per second, the load [EFLOP/s] (HT24:T55, HT24:T56).

        C = 2 * N * tokens

    Active parameters [B]: embeddings do not multiply. Tokens [B], or [B / s].
    """
    return INFERENCE_FLOP * parameters * tokens


def load(work: Float[Array, "*#draw"], days: Float[Array, "*#draw"]) -> Float[Array, "*#draw"]:
    """Mean load of work spread evenly over some days [EFLOP/s] (HT24:T55).

        load = work / (days * 86,400 s)

    Work [EFLOP].
    """
    return work / (days * SECONDS_PER_DAY)


def work(load: Float[Array, "*#draw"], days: Float[Array, "*#draw"]) -> Float[Array, "*#draw"]:
    """Work that a load does when it is held for some days [EFLOP] (HT24:T56).

        work = load * days * 86,400 s

    Load [EFLOP/s].
    """
    return load * (days * SECONDS_PER_DAY)


def work_days(work: Float[Array, "*#draw"]) -> Float[Array, "*#draw"]:
    """Work in the reports' unit, the load that would finish it in one day [EFLOP/s-day] (HT24:T55, GH24:F16).

        work_days = work / 86,400 s

    Work [EFLOP].
    """
    return work / SECONDS_PER_DAY


def recommender_tokens(
    users: Float[Array, "*#draw"],
    visits: Float[Array, "*#draw"],
    recommendations: Float[Array, "*#draw"],
    tokens: Float[Array, "*#draw"],
    days: Float[Array, "*#draw"],
) -> Float[Array, "*#draw"]:
    """Mean tokens a generative recommender processes per second [B / s] (HT24:T56).

        mean = users * visits * recommendations * tokens / (days * 86,400 s)

    Monthly active users [B], visits per user and month, recommendations per visit, tokens per recommendation,
    days in the month.
    """
    return load(users * visits * recommendations * tokens, days)


def recommender_load(
    mean_tokens: Float[Array, "*#draw"],
    parameters: Float[Array, "*#draw"],
    adoption: Float[Array, "*#draw"],
    peak: Float[Array, "*#draw"],
) -> Float[Array, "*#draw"]:
    """Peak load of generative recommenders [EFLOP/s] (equation 6; HT24:T56).

        load = 2 * N * mean_tokens * adoption * peak

    Mean tokens [B / s] if every user were served this way, active parameters [B], adoption in [0, 1], peak over mean.
    """
    return inference_flop(parameters, mean_tokens * adoption * peak)


def assistant_load(
    mean_tokens: Float[Array, "*#draw"], parameters: Float[Array, "*#draw"], peak: Float[Array, "*#draw"]
) -> Float[Array, "*#draw"]:
    """Peak load of assistants, interfaces and agents sold to others [EFLOP/s] (equation 7; HT24:T55).

        load = 2 * N * mean_tokens * peak

    Mean tokens [B / s], active parameters [B], peak over mean.
    """
    return inference_flop(parameters, mean_tokens * peak)


def training_load(
    frontier_run: Float[Array, "*#draw"],
    runs: Float[Array, "*#draw"],
    days: Float[Array, "*#draw"],
    duty: Float[Array, "*#draw"],
) -> Float[Array, "*#draw"]:
    """Load of all the training of a year [EFLOP/s] (equation 8).

        load = frontier_run * runs / (days * 86,400 s * duty)

    Work of the year's largest run [EFLOP], the world's training work over that run, days in the year, the share of
    them in which the training fleet works.
    """
    return load(frontier_run * runs, days * duty)


def accelerators(
    load: Float[Array, "*#draw"], performance: Float[Array, "*#draw"], utilisation: Float[Array, "*#draw"]
) -> Float[Array, "*#draw"]:
    """Accelerators that carry a load [M unit] (HT24:T55, HT24:T56).

        accelerators = load / (performance * utilisation)

    Load [EFLOP/s], dense peak of one accelerator [TFLOP/s], utilisation in (0, 1].
    """
    return load / (performance * utilisation)


def servers(accelerators: Float[Array, "*#draw"], cards: Float[Array, "*#draw"]) -> Float[Array, "*#draw"]:
    """Servers that hold the accelerators [M unit] (HT24:T55).

        servers = accelerators / cards

    Accelerators [M unit], cards per server.
    """
    return accelerators / cards


def mfu(achieved: Float[Array, "*#draw"], performance: Float[Array, "*#draw"]) -> Float[Array, "*#draw"]:
    """Model FLOP utilisation, the share of the dense peak that does the model's own work [1] (TF24).

        mfu = achieved / performance

    Both per accelerator [TFLOP/s].
    """
    return achieved / performance
