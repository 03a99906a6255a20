"""What a quarter is told, given and handed by the one before, what it comes to, and what it gives."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float

from sim.model.chips import Content, Generations
from sim.model.stock import Stock
from sim.model.workloads import Workloads

__all__ = ["Beliefs", "Course", "Fixed", "Flows", "Known", "Setting", "Spending", "State"]

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


class Setting(NamedTuple):
    """What a quarter is given, whatever became of those before it."""

    holds: Content  # what one bn USD of revenue holds
    attach: Float[Array, "supplier *draw"]  # share of revenue that is not accelerators
    reported: Float[Array, "supplier *draw"]  # revenue reported, under outlook or elicited, bn USD
    owner: Float[Array, "pair *draw"]  # share of that revenue that each of a supplier's buyers takes
    raw: Float[Array, "buyer *draw"]  # raw need, M H100e
    raw_ahead: Float[Array, "buyer *draw"]  # raw need at the planning horizon, M H100e
    tokens: Float[Array, "buyer *draw"]  # asked for, bn tokens / second
    growth: Float[Array, "buyer *draw"]  # log growth of spending before it answers need
    spent: Float[Array, "buyer *draw"]  # spending of a quarter of the record, bn USD
    cash_growth: Float[Array, "buyer *draw"]  # log growth of cash
    share_move: Float[Array, "capex_buyer *draw"]  # change of the log odds of the AI share
    weight_move: Float[Array, "pair *draw"]  # change of the log weights of pairs
    capacity_growth: Float[Array, "2 supplier *draw"]  # log growth a year before it answers pressure


class Spending(NamedTuple):
    """What buyers spend in one quarter [bn USD]."""

    intended: Float[Array, "buyer *draw"]
    spent: Float[Array, "buyer *draw"]
    cash: Float[Array, "buyer *draw"]


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


class Course(NamedTuple):
    """What was decided in one quarter and came of it: all that its flows are made of."""

    need: Float[Array, "buyer *draw"]  # M H100e
    paid: Spending
    share_change: Float[Array, "capex_buyer *draw"]  # of the log odds since the hand-over
    restraint: Float[Array, "buyer *draw"]  # how far need holds orders below budgets
    revenue: Float[Array, "supplier *draw"]  # bn USD
    bought: Float[Array, "pair *draw"]  # bn USD
    waiting: Float[Array, "pair *draw"]  # bn USD that would have been bought if capacity were no limit
    backlog: Float[Array, "pair *draw"]  # bn USD
    serving: Float[Array, "2 buyer *draw"]  # M H100e, MW


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
