"""The value chain: what each tier earns of the accelerators sold (equation 13)."""

from jaxtyping import Array, Float

from sim.axes import TIERS
from sim.model.structure import pick_some, total

__all__ = ["tier_revenue"]

NETWORK = TIERS.index("network")


def tier_revenue(
    revenue: Float[Array, "supplier *draw"], attach: Float[Array, "supplier *draw"], content: Float[Array, "tier *draw"]
) -> Float[Array, "tier *draw"]:
    """Revenue of each tier [bn USD] (equation 13, S11).

        tier = content * sum over suppliers of revenue * (1 - attach),  network: + sum of revenue * attach

    ``attach`` is the share of a supplier's revenue that is networking. Foundry and memory are inside the accelerator's
    price, so the tiers overlap and do not add up.
    """
    networking = total(revenue * attach)
    sold = total(revenue) - networking
    return content * sold + pick_some(networking[None], [0 if tier == NETWORK else None for tier in range(len(TIERS))])
