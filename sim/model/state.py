"""What a quarter is told, what is fixed within a draw, what one quarter hands to the next, and what it gives."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float

from sim.model.chips import Generations
from sim.model.stock import Stock
from sim.model.workloads import Workloads

__all__ = ["Beliefs", "Fixed", "Flows", "Known", "State"]

Beliefs = dict[str, Array]
"""Values of the priors by name; time-like axes are cut to the quarter at hand."""


class Known(NamedTuple):
    """What the record says of one quarter; the same in every draw."""

    year: Float[Array, ""]  # decimal year at mid-quarter
    ahead: Bool[Array, ""]  # after the hand-over
    quarters_ahead: Float[Array, ""]  # quarters since the hand-over, negative before it
    horizon: Float[Array, ""]  # quarters from the hand-over to the end of 2030
    progress: Float[Array, ""]  # 0 at the start of the axis, 1 from the hand-over on
    capex: Float[Array, " reported_buyer"]  # bn USD; 0 after the hand-over
    capex_growth: Float[Array, ""]  # of the reported buyers together, over two quarters, against the quarter before
    guided: Bool[Array, " reported_buyer"]  # an open quarter of a year with guidance
    reach: Float[Array, " reported_buyer"]  # how far the ceiling on spending is in force, 0 to 1
    line: Float[Array, " reported_supplier"]  # reported revenue line on the days it covers, bn USD
    outlook: Float[Array, " reported_supplier"]  # the supplier's own outlook on the days it covers, bn USD
    attach: Float[Array, " reported_supplier"]  # networking share of the line
    cover: Float[Array, " supplier"]  # part of the quarter's days that are reported, under outlook or elicited


class Fixed(NamedTuple):
    """What is fixed within a draw."""

    line_up: Generations
    workloads: Workloads
    raw_start: Float[Array, "buyer *draw"]  # raw need at the hand-over, M H100e
    guided: Float[Array, "reported_buyer *draw"]  # log growth a quarter in the guided year


class State(NamedTuple):
    """What one quarter hands to the next."""

    intended: Float[Array, "buyer *draw"]  # bn USD / quarter: spending before affordability
    spending: Float[Array, "buyer *draw"]  # bn USD / quarter: capex, or accelerator spend of direct buyers
    spending_before: Float[Array, "buyer *draw"]  # one quarter earlier
    cash: Float[Array, "buyer *draw"]  # bn USD / quarter: operating cash flow, or an index of direct buyers' spending
    share_start: Float[Array, "capex_buyer *draw"]  # log odds of accelerator over capex at the hand-over
    share_change: Float[Array, "capex_buyer *draw"]  # change of those log odds since
    weight: Float[Array, "pair *draw"]  # log weight of each pair in its buyer's budget
    revenue: Float[Array, "supplier *draw"]  # bn USD
    capacity: Float[Array, "2 supplier *draw"]  # M package areas and PB of HBM a quarter
    pressure: Float[Array, "supplier *draw"]  # what waited over what could be made
    backlog: Float[Array, "pair *draw"]  # bn USD ordered, not yet shipped
    installed_start: Float[Array, "buyer *draw"]  # M H100e in service at the hand-over
    stock: Stock


class Flows(NamedTuple):
    """Outputs of one quarter; units and long names stand in ``sim.axes.OUTPUTS``."""

    units: Float[Array, "supplier *draw"]
    h100e: Float[Array, "supplier *draw"]
    h100e8: Float[Array, "supplier *draw"]
    revenue: Float[Array, "supplier *draw"]
    capex: Float[Array, "capex_buyer *draw"]
    ai_capex: Float[Array, "capex_buyer *draw"]
    depreciation_added: Float[Array, "capex_buyer *draw"]
    net_income: Float[Array, "capex_buyer *draw"]
    accelerator_spend: Float[Array, "buyer *draw"]
    buyer_h100e: Float[Array, "buyer *draw"]
    installed: Float[Array, "buyer *draw"]
    power: Float[Array, "buyer *draw"]
    pair_h100e: Float[Array, "pair *draw"]
    chip_units: Float[Array, "chip *draw"]
    raw_need: Float[Array, "buyer *draw"]
    need: Float[Array, "buyer *draw"]
    shortfall: Float[Array, "buyer *draw"]
    backlog: Float[Array, "buyer *draw"]
    tokens_served: Float[Array, "buyer *draw"]
    bound_h100e: Float[Array, "constraint *draw"]
    bound_buyers: Float[Array, "constraint *draw"]
    tier_revenue: Float[Array, "tier *draw"]
