"""The whole model once more, written from docs/model.md alone, to be read beside it, section by section.

NumPy in float64, plain loops over quarters, buyers, suppliers and chips by name; only draws are arrays. Nothing here
comes from ``sim.model``, so where the two agree the specification was read twice the same way. Every quantity is a
dictionary by label and quarter, as ``capex["meta", t]`` for the page's capex[b,t]; numbers in brackets are its
equations.
"""

from functools import cache

import jax.numpy as jnp
import numpy as np
from scipy import linalg, optimize, special, stats

from sim import draws
from sim.axes import CONSTRAINTS, INPUTS, OUTPUTS, TIERS, WORKLOADS

TFLOPS, TFLOPS8 = 989.0, 1979.0  # of an H100, dense 16-bit and 8-bit [TFLOP/s]
MONTH, YEAR = 30 * 86_400, 365.25 * 86_400  # s
PRICE_YEAR = 2022  # declines count from here at the earliest
STAGES = 4  # of life
LIMITS = {"area": ("capacity_use", "capacity_growth"), "memory": ("memory_use", "memory_growth")}
LEAST_LEFT = 0.25  # of the last quarter's capex, for what guidance leaves to each open quarter
BINDS = 0.05  # log; a smaller excess binds nothing


class Model:
    """What is given, by label, and what has been worked out: a dictionary by label and quarter [draw] for each name."""

    def __init__(self, world, beliefs):
        self.axes, self.spec, self.record, self.beliefs = world.book.axes, world.book.world, world.record, beliefs
        self.place = {dim: {label: i for i, label in enumerate(labels)} for dim, labels in self.axes.items()}
        self.quarters, self.h = self.axes["time"], self.record.handover
        self.buyers, self.suppliers = self.axes["buyer"], self.axes["supplier"]
        self.chips = {s: [k for k, chip in self.spec.chips.items() if chip.supplier == s] for s in self.suppliers}
        self.pairs = [tuple(pair.split("/")) for pair in self.axes["pair"]]
        self.of_buyer = {b: [p for p in self.pairs if p[0] == b] for b in self.buyers}
        self.of_supplier = {s: [p for p in self.pairs if p[1] == s] for s in self.suppliers}
        self.to_2030 = max(4 * 2030 + 3 - self.number(self.h), 1)  # H, quarters from h to 2030Q4
        self.draws = np.shape(beliefs["capex_drift"])[-1]

    def __call__(self, name, *labels):
        """Draws of the prior at these labels."""
        dims = INPUTS[name].dims
        return self.beliefs[name][tuple(self.place[dim][label] for dim, label in zip(dims, labels, strict=True))]

    def __getattr__(self, name):
        """A new dictionary for a quantity named for the first time."""
        return self.__dict__.setdefault(name, {})

    def is_a(self, kind, label):
        """Whether a buyer or supplier is of this kind."""
        return label in self.place[kind]

    def number(self, t):
        """Quarters since year 0."""
        return 4 * int(self.quarters[t][:4]) + int(self.quarters[t][-1]) - 1

    def y(self, t):
        """Calendar year of a quarter, as a label."""
        return self.quarters[t][:4]

    def year(self, t):
        """Decimal year at mid-quarter."""
        return (self.number(t) + 0.5) / 4

    def tau(self, t):
        """Years from the hand-over."""
        return (t - self.h) / 4

    def timing(self, t):
        """Part of the year's shocks that falls in the quarter."""
        return self("shock_timing", self.quarters[t][-2:])


def path(world, beliefs):
    """Every quarter of every draw, as a ``Model``."""
    m = Model(world, beliefs)
    facts = chip_facts(m)
    for t in range(len(m.quarters)):
        contents(m, facts, t)
        known_revenue(m, facts, t)
        (ahead if t > m.h else up_to_handover)(m, t)
        account(m, t)
        if t == m.h:
            hand_over(m)
        if t >= m.h:
            ai_capex_of(m, t)
        if t > m.h:
            binding(m, t)
    return m


def up_to_handover(m, t):
    """A quarter of history: spending and revenue are given, open days are carried on."""
    for b in m.axes["capex_buyer"]:
        spend_known(m, b, t)
    for s in m.suppliers:
        carried = carried_on(m, s, t)
        m.revenue[s, t] = m.known[s, t] + carried
        for p in m.of_supplier[s]:
            m.bought[p, t] = m.owner[p, t] * m.revenue[s, t]
            m.backlog[p, t] = m("backlog_start", s) * m.bought[p, t]


def ahead(m, t):
    """A quarter of the forecast: spending, orders, then what is shipped and bought."""
    for b in m.buyers:
        m.need[b, t] = need(m, b, m.tau(t))
        spend_ahead(m, b, t)
        split(m, b, t)
        order(m, b, t)
    ship(m, t)
    for s in m.suppliers:
        m.revenue[s, t] = m.known[s, t] + sum(m.shipped[p, t] for p in m.of_supplier[s])
        for p in m.of_supplier[s]:
            m.bought[p, t] = m.owner[p, t] * m.known[s, t] + m.shipped[p, t]


def hand_over(m):
    """[15] Every process starts from what history implies in that draw."""
    h = m.h
    for b in m.buyers:
        spent = sum(m.bought[p, h] for p in m.of_buyer[b])
        if m.is_a("direct_buyer", b):
            m.intended[b, h] = m.cash[b, h] = spent
        else:
            m.start[b] = special.logit(np.clip(spent / led(m, b, h), 1e-4, 1 - 1e-4))
        if m.is_a("reported_buyer", b):
            m.guided_growth[b] = root_of_guidance(m, b)
    for b, s in m.pairs:
        m.weight[(b, s), h] = np.log(np.maximum(m.bought[(b, s), h], 1e-9))
    for s in m.suppliers:
        m.pressure[s, h] = np.ones(m.draws)
        for limit, (use, _) in LIMITS.items():
            m.capacity[limit, s, h] = m.revenue[s, h] * m.per_bn[limit, s, h] / m(use, s)


# Spending [1, 2]


def spend_known(m, b, t):
    """Capex up to h as reported, or carried back from the run rate [bn USD]."""
    if m.is_a("reported_buyer", b):
        m.intended[b, t] = np.full(m.draws, m.record.capex[t, m.place["reported_buyer"][b]])
    else:
        m.intended[b, t] = m("spending_run_rate", b) * np.exp(m("spending_past_growth", b) * m.tau(t))
    m.capex[b, t] = m.intended[b, t]
    m.cash[b, t] = m("operating_cash_flow", b) / 4


def common_shock(m, t):
    """The log growth that all buyers share in a year."""
    return m("capex_common_sd") * m("capex_common_shock", m.y(t)) + m("wave", m.y(t))


def log_growth(m, b, t):
    """[1] growth[b] of a quarter."""
    own = m("capex_own_sd", b) * m("capex_own_shock", b, m.y(t))
    short = np.clip(np.log(m.need[b, t] / m.installed[b, t - 1]), -1, 1)
    drift = m("capex_drift") + m("spending_drift", b)
    return drift / 4 + (common_shock(m, t) + own) * m.timing(t) + m("need_response") * short / 4


def guided_total(m, b):
    """What the open quarters of the guided year add up to [bn USD]."""
    i = m.place["reported_buyer"][b]
    guide = m.record.guidance
    return guide.target[i] * m("guidance_bridge", b) * np.exp(m("guidance_beat", b)) - guide.reported[i]


def root_of_guidance(m, b):
    """Growth g with sum over open i of capex[h] exp(i g) = the guided total, by halving an interval."""
    openings = 1 + np.flatnonzero(m.record.guidance.open_quarters[:, m.place["reported_buyer"][b]])
    wanted = np.maximum(guided_total(m, b) / m.capex[b, m.h], LEAST_LEFT * len(openings))
    low, high = np.full(m.draws, -10.0), np.full(m.draws, 10.0)
    for _ in range(70):
        middle = (low + high) / 2
        is_less = sum(np.exp(i * middle) for i in openings) < wanted
        low, high = np.where(is_less, middle, low), np.where(is_less, high, middle)
    return (low + high) / 2


def cash_growth(m, b, t):
    """[2] Log growth of a buyer's cash in a quarter."""
    own = m("cash_shock_sd") * m("cash_shock", b, m.y(t))
    shared = m("cash_cycle") * m("capex_common_sd") * m("capex_common_shock", m.y(t))
    return m("cash_growth", b) / 4 + (shared + own) * m.timing(t)


def borne(intended, limit, reach):
    """[2] intended (1 + (intended / limit)^4)^(-reach / 4)."""
    return intended * (1 + (intended / limit) ** 4) ** (-reach / 4)


def reach(m, b, t):
    """How far the ceiling is in force: not in a guided year, by quarters more after it, always for other buyers."""
    if not m.is_a("reported_buyer", b):
        return 1
    guided = np.flatnonzero(m.record.guidance.guided[:, m.place["reported_buyer"][b]])
    return np.clip((t - guided[-1]) / 4, 0, 1) if guided.size else 1


def spend_ahead(m, b, t):
    """[1, 2] Intended spending, cash and what is spent in a quarter ahead [bn USD]."""
    is_guided = m.is_a("reported_buyer", b) and m.record.guidance.guided[t, m.place["reported_buyer"][b]]
    step = m.guided_growth[b] if is_guided else log_growth(m, b, t)
    m.intended[b, t] = m.intended[b, t - 1] * np.exp(step)
    m.cash[b, t] = m.cash[b, t - 1] * np.exp(cash_growth(m, b, t))
    m.spent[b, t] = borne(m.intended[b, t], m("capex_ceiling", b) * m.cash[b, t], reach(m, b, t))
    if not m.is_a("direct_buyer", b):
        m.capex[b, t] = m.spent[b, t]
        m.depreciation_added[b, t] = m.capex[b, t] / m("depreciation_life")  # bn USD a year
        m.net_income[b, t] = m.cash[b, t] * m("net_income_share", b)


# Accelerators within capex [3]


def led(m, b, t):
    """Capex ``capex_lead`` quarters ago [bn USD]."""
    lead = m("capex_lead")
    now, two = np.maximum(1 - lead, 0), np.maximum(lead - 1, 0)
    capex = [m.capex[b, max(t - i, 0)] for i in range(3)]
    return now * capex[0] + (1 - now - two) * capex[1] + two * capex[2]


def share_step(m, b, t):
    """Change of a buyer's log odds of accelerators in capex in a quarter."""
    trend = (special.logit(m("ai_share_2030", b)) - special.logit(m("ai_share", b))) / m.to_2030
    return trend * (t - m.h <= m.to_2030) + m("share_walk_sd") * m("share_walk", b, m.y(t)) / 4


def weight_step(m, p, t):
    """Change of a pair's log odds in a quarter."""
    common = m("supplier_drift", p[1]) + m("supplier_walk_sd", p[1]) * m("supplier_walk", p[1], m.y(t))
    return (common + m("pair_walk_sd") * m("pair_walk", "/".join(p), m.y(t))) / 4


def softmax(weights):
    """Shares that sum to one."""
    parts = [np.exp(weight - np.max(weights, axis=0)) for weight in weights]
    return [part / sum(parts) for part in parts]


def split(m, b, t):
    """[3] Budget of each pair of a buyer [bn USD of supplier revenue]."""
    total = m.spent[b, t]
    if not m.is_a("direct_buyer", b):
        m.change[b, t] = m.change.get((b, t - 1), 0) + share_step(m, b, t)
        total = led(m, b, t) * special.expit(m.start[b] + m.change[b, t])
    for p in m.of_buyer[b]:
        m.weight[p, t] = m.weight[p, t - 1] + weight_step(m, p, t)
    for p, part in zip(m.of_buyer[b], softmax([m.weight[p, t] for p in m.of_buyer[b]]), strict=True):
        m.mix[p, t] = part
        m.budget[p, t] = total * part


def ai_capex_of(m, t):
    """Capex on AI [bn USD]; at h, where the change is 0, the same equation."""
    for b in m.axes["capex_buyer"]:
        part = special.expit(special.logit(m("ai_share", b)) + m.change.get((b, t), 0))
        m.ai_capex[b, t] = np.maximum(m.capex[b, t] * part, m.accelerator_spend[b, t])


# Chips [4, 5]


def chip_facts(m):
    """What each chip is, by name and chip; a successor is multiples of the chip it follows."""
    same = ("launch", "performance", "performance_8bit", "price", "system_power", "package_area", "memory")
    facts = {(name, k): m(name, k) for name in same for k in m.axes["catalogue_chip"]}
    waiting = list(m.axes["successor_chip"])
    while waiting:
        k = waiting.pop(0)
        before = m.spec.chips[k].follows
        if ("launch", before) not in facts:
            waiting.append(k)
            continue
        facts["launch", k] = facts["launch", before] + m("successor_cadence", k)
        facts["package_area", k] = facts["package_area", before]
        for name in ("performance", "performance_8bit", "price", "memory"):
            facts[name, k] = facts[name, before] * m(f"successor_{name}", k)
        facts["system_power", k] = facts["system_power", before] * m("successor_power", k)
    return facts


def ramp(year, start, length):
    """x^2 (3 - 2 x), x = clip((year - start) / length, 0, 1)."""
    x = np.clip((year - start) / length, 0, 1)
    return x**2 * (3 - 2 * x)


def taken(m, facts, k, year):
    """[4] r_k: what a chip takes of its supplier's revenue from those before it."""
    r = m("ceiling", k) * ramp(year, facts["launch", k], m("ramp", k))
    return r * (1 - ramp(year, m("retirement", k), m("ramp", k))) if m.spec.chips[k].retires else r


def chip_shares(m, facts, s, year):
    """[4] share_k of each chip of a supplier, from the last down."""
    left, shares = 1.0, {}
    for k in reversed(m.chips[s]):
        r = 1.0 if k == m.chips[s][0] else taken(m, facts, k, year)
        shares[k] = r * left
        left = left * (1 - r)
    return shares


def chip_price(m, facts, k, year):
    """[5] Price of a chip [bn USD / M unit]."""
    age = np.maximum(year - np.maximum(facts["launch", k], PRICE_YEAR), 0)
    return facts["price", k] * np.exp(-m("price_decline", k) * age)


def attached(m, s, t):
    """Networking as a share of the supplier's revenue."""
    if not m.is_a("reported_supplier", s):
        return 0.0
    last = m.record.attach[t, m.place["reported_supplier"][s]]
    return last + (m("attach_share_2030", s) - last) * np.clip((t - m.h) / m.to_2030, 0, 1)


def measures(facts, k):
    """What one unit of a chip holds, in H100e, H100e by 8 bit, W, package areas and GB."""
    return {
        "h100e": facts["performance", k] / TFLOPS,
        "h100e8": facts["performance_8bit", k] / TFLOPS8,
        "watts": facts["system_power", k],
        "area": facts["package_area", k],
        "memory": facts["memory", k],
    }


def contents(m, facts, t):
    """What one bn USD of each supplier's revenue holds: ``per_bn`` by measure, and M units by chip."""
    for s in m.suppliers:
        m.attach[s, t] = attached(m, s, t)
        hardware = m("hardware_share", s) * (1 - m.attach[s, t])  # of one bn USD of revenue
        total = dict.fromkeys(("units", "h100e", "h100e8", "watts", "area", "memory"), 0.0)
        for k, share in chip_shares(m, facts, s, m.year(t)).items():
            units = hardware * share / chip_price(m, facts, k, m.year(t))
            m.per_bn["units", k, t] = units
            total["units"] = total["units"] + units
            for measure, each in measures(facts, k).items():
                total[measure] = total[measure] + units * each
        for measure, value in total.items():
            m.per_bn[measure, s, t] = value


# Need [6-9]


def load_now(m, w, b):
    """[6-8] Load of a workload at h [EFLOP/s], of the recommender at full adoption."""
    if w == "recommender":
        per_user = m("visits") * m("recommendations") * m("recommendation_tokens") / MONTH  # tokens / s
        return 2 * m("recommender_parameters") * m("users", b) * per_user * m("peak", w)
    if w == "assistant":
        return 2 * m("assistant_parameters") * m("tokens", b) * m("peak", w)
    world = m("frontier_run") * m("training_runs") / (YEAR * m("training_duty"))
    return world * m("training_share", b) / sum(m("training_share", other) for other in m.buyers) * m("peak", w)


def relaxing(now, later, relaxation, tau):
    """G: log growth over tau years, from ``now`` a year towards ``later``; the past grew as fast as now."""
    grown = later * tau + (now - later) * relaxation * -np.expm1(-np.maximum(tau, 0) / relaxation)
    return np.where(tau > 0, grown, now * tau)


def token_growth(m, tau):
    """G(token growth)."""
    return relaxing(m("token_growth"), m("token_growth_later"), m("token_growth_relaxation"), tau)


def efficiency(m, w, tau):
    """d: log efficiency gained beyond its path."""
    return np.where(tau > 0, m("efficiency_step", w) * np.minimum(tau, 1) + m("efficiency_drift", w) * tau, 0)


def jevons(m, w, tau):
    """(elasticity - 1) d: log change of a load by efficiency beyond its path."""
    return (m("elasticity", w) - 1) * efficiency(m, w, tau)


def adoption(m, b, tau):
    """Share of generative recommenders at a buyer."""
    return special.expit((m.year(m.h) + tau - m("adoption_midpoint", b)) / m("adoption_width"))


def load(m, w, b, tau):
    """Load of a workload tau years from h [EFLOP/s]."""
    now = load_now(m, w, b)
    if w == "recommender":
        grown = (m("users_growth") + m("recommender_growth")) * tau
        return now * np.exp(grown + jevons(m, w, tau)) * adoption(m, b, tau)
    if w == "assistant":
        grown = token_growth(m, tau) + m("assistant_parameters_growth") * tau
        return now * np.exp(grown + jevons(m, w, tau))
    grown = relaxing(m("training_growth"), m("training_growth_later"), m("training_growth_relaxation"), tau)
    return now * np.exp(grown + jevons(m, w, tau))


def raw_need(m, b, tau):
    """[9] H100e that the workloads keep busy [M H100e]."""
    return sum(load(m, w, b, tau) / (TFLOPS * m("utilisation", w)) for w in WORKLOADS)


def need(m, b, tau):
    """[9] H100e wanted in service [M H100e]."""
    return m.installed[b, m.h] * m("fill", b) * raw_need(m, b, tau) / m.raw_need[b, m.h]


# Orders [10]


def over(part, whole, otherwise):
    """Ratio of two quantities, ``otherwise`` where the second is 0."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(whole.shape, otherwise), where=whole > 0)


def planned_need(m, b, t):
    """Need when what is ordered now is in place [M H100e]."""
    return need(m, b, m.tau(t) + m("planning_horizon") / 4)


def survivors(m, b, t):
    """What is there or on its way, and still will be when what is ordered now is in place [M H100e]."""
    backlog = sum(m.backlog[p, t - 1] * m.per_bn["h100e", p[1], t] for p in m.of_buyer[b])
    there = m.installed[b, t - 1] + m.in_transit["h100e", b, t - 1] + backlog
    return there * np.exp(-m("planning_horizon") / (4 * m("lifetime")))


def order(m, b, t):
    """[10] Orders of each pair of a buyer [bn USD]."""
    affordable = sum(m.budget[p, t] * m.per_bn["h100e", p[1], t] for p in m.of_buyer[b])
    missing = planned_need(m, b, t) * (1 + m("headroom")) - survivors(m, b, t)
    wanted = np.maximum(0, missing) / m("planning_horizon")
    r = np.clip(over(wanted, affordable, 1.0), 1e-6, 1)
    m.l_need[b, t] = -m("discipline", b) * np.log(r)
    for p in m.of_buyer[b]:
        m.ordered[p, t] = m.budget[p, t] * r ** m("discipline", b) * room(m, b, t)


def room(m, b, t):
    """Part of a buyer's orders that its waiting ones leave room for."""
    waits = sum(m.backlog[p, t - 1] for p in m.of_buyer[b])
    quarters = over(waits, sum(m.budget[p, t] for p in m.of_buyer[b]), -np.inf)
    return np.clip(1 + m("order_cover") - quarters, 0, 1)


# What can be made, and what waits [11]


def answer(m, s, t):
    """What makers add to the growth of capacity under the pressure of the quarter before [1 / year]."""
    with np.errstate(divide="ignore"):
        return m("supply_response") * np.clip(np.log(m.pressure[s, t - 1]), -1, 1)


def grow_capacity(m, s, t):
    """Capacity by limit, at least what an outlook says will be shipped [M package areas, PB]."""
    for limit, (use, growth) in LIMITS.items():
        capacity = m.capacity[limit, s, t - 1] * np.exp((m(growth, s, m.y(t)) + answer(m, s, t)) / 4)
        if m.is_a("reported_supplier", s) and m.record.outlook[t, m.place["reported_supplier"][s]] > 0:
            covered = m.known[s, t] * m.per_bn[limit, s, t] / (1 - m.open[s, t])
            capacity = np.maximum(capacity, covered / m(use, s))
        m.capacity[limit, s, t] = capacity


def fill(m, s, t, waiting):
    """What part of what waits at a supplier is shipped, and what part of its capacity is idle."""
    asked = sum(waiting[p] for p in m.of_supplier[s])  # bn USD
    loads = [asked * m.per_bn[limit, s, t] for limit in LIMITS]
    bounds = [m.open[s, t] * m.capacity[limit, s, t] for limit in LIMITS]
    ratios = [over(bound, load, 1.0) for bound, load in zip(bounds, loads, strict=True)]
    m.filled[s, t] = np.minimum(1, np.min(ratios, axis=0))
    if m.open[s, t] > 0:
        ratios = [over(load, bound, np.inf) for bound, load in zip(bounds, loads, strict=True)]
        m.pressure[s, t] = np.max(ratios, axis=0)
        m.slack[s, t] = np.maximum(0, 1 - m.pressure[s, t])
    else:
        m.pressure[s, t], m.slack[s, t] = m.pressure[s, t - 1], 0.0


def unfilled(m, p, t, waiting):
    """What of a pair's orders is shipped, cancelled, or freed for other suppliers [bn USD]."""
    m.shipped[p, t] = m.filled[p[1], t] * waiting
    m.left[p, t] = waiting - m.shipped[p, t]
    m.cancelled[p, t] = m.open[p[1], t] * m("cancellation") * m.left[p, t]
    m.freed[p, t] = m.open[p[1], t] * m("spill") * (m.left[p, t] - m.cancelled[p, t])


def replace_orders(m, b, t):
    """What a buyer's freed orders find room for goes to suppliers with slack [bn USD]."""
    pool = sum(m.freed[p, t] for p in m.of_buyer[b])
    placed = sum(m.mix[p, t] * m.slack[p[1], t] for p in m.of_buyer[b])
    for p in m.of_buyer[b]:
        m.received[p, t] = pool * m.mix[p, t] * m.slack[p[1], t]
        m.spilled[p, t] = m.freed[p, t] * placed


def next_backlog(m, p, t):
    """What a pair still waits for [bn USD]."""
    return m.left[p, t] - m.cancelled[p, t] - m.spilled[p, t] + m.received[p, t]


def ship(m, t):
    """[11] One quarter of the market."""
    waiting = {p: m.backlog[p, t - 1] + m.open[p[1], t] * m.ordered[p, t] for p in m.pairs}
    for s in m.suppliers:
        grow_capacity(m, s, t)
        fill(m, s, t, waiting)
    for p in m.pairs:
        unfilled(m, p, t, waiting[p])
    for b in m.buyers:
        replace_orders(m, b, t)
    for p in m.pairs:
        m.backlog[p, t] = next_backlog(m, p, t)


# Revenue and hand-over [14, 15]


def known_revenue(m, facts, t):
    """Revenue of the days that are reported, under outlook or elicited, who bought it, and how many are left."""
    for s in m.suppliers:
        m.open[s, t] = 1 - m.record.cover[t, m.place["supplier"][s]]
        m.known[s, t] = reported_days(m, facts, s, t) + np.zeros(m.draws)
        weights = [owner_weight(m, "/".join(p), t) for p in m.of_supplier[s]]
        for p, weight in zip(m.of_supplier[s], weights, strict=True):
            m.owner[p, t] = weight / sum(weights)


def reported_days(m, facts, s, t):
    """[14] Revenue of covered days [bn USD]; elicited revenue stops at h."""
    if m.is_a("reported_supplier", s):
        i = m.place["reported_supplier"][s]
        outlook = m.record.outlook[t, i] * m("outlook_share", s) * np.exp(m("outlook_beat", s))
        return (m.record.line[t, i] + outlook) * m("reported_share", s)
    if t > m.h:
        return 0
    if m.is_a("band_supplier", s):
        return m("revenue_band", s, m.quarters[t])
    if m.is_a("units_supplier", s):
        return m("units_band", s, m.quarters[t]) / m.per_bn["units", s, t]
    first = m.chips[s][0]
    started = ramp(m.year(t), facts["launch", first], m("ramp", first))
    return m("revenue_run_rate", s) * np.exp(m("revenue_past_growth", s) * m.tau(t)) * started


def carried_on(m, s, t):
    """Revenue of open days up to h: the quarter before, grown as reported capex did [bn USD]."""
    before = m.revenue.get((s, t - 1), 0)
    return before * m.record.capex_growth[t] * np.exp(m("nowcast_error", s)) * m.open[s, t]


def owner_weight(m, p, t):
    """Weight of a pair's buyer among its supplier's, log-linear from 2022 to h."""
    progress = min(t / m.h, 1)
    return m("owner_weight_2022", p) ** (1 - progress) * m("owner_weight", p) ** progress


# Which constraint binds [12]


def binding(m, t):
    """[12] What holds each buyer back, in H100e bought and in buyers."""
    held = {(name, b): 0.0 for name in CONSTRAINTS for b in m.buyers}
    for b in m.buyers:
        waited = sum(m.backlog[p, t - 1] + m.open[p[1], t] * m.ordered[p, t] for p in m.of_buyer[b])
        given = sum(m.owner[p, t] * m.known[p[1], t] for p in m.of_buyer[b])
        m.l_supply[b, t] = np.log((waited + given) / sum(m.bought[p, t] for p in m.of_buyer[b]))
        l_need, l_supply = m.l_need[b, t], m.l_supply[b, t]
        binds = np.maximum(l_need, l_supply) > BINDS
        held["need", b] = binds & (l_need >= l_supply)
        held["supply", b] = binds & (l_need < l_supply)
        held["budget", b] = ~binds
    for name in CONSTRAINTS:
        m.bound_h100e[name, t] = sum(held[name, b] * m.buyer_h100e[b, t] for b in m.buyers)
        m.bound_buyers[name, t] = sum(held[name, b] for b in m.buyers) / len(m.buyers)


def margin(m):
    """How near each buyer is to another constraint in a quarter ahead [time, buyer, draw], in logs."""
    nearest = np.full((len(m.quarters), len(m.buyers), m.draws), np.inf)
    for t in range(m.h + 1, len(m.quarters)):
        for i, b in enumerate(m.buyers):
            larger, apart = np.maximum(m.l_need[b, t], m.l_supply[b, t]), np.abs(m.l_need[b, t] - m.l_supply[b, t])
            nearest[t, i] = np.minimum(np.abs(larger - BINDS), np.where(larger > BINDS, apart, np.inf))
    return nearest


# Stock, power, value chain [13], and what follows from them


def age(m, measure, b, t, shipped):
    """[13] What is in transit and in each stage of life at the end of a quarter."""
    waiting = m.in_transit.get((measure, b, t - 1), 0) + shipped
    moved = waiting / (1 + m("transit"))
    m.in_transit[measure, b, t] = waiting - moved
    part = np.minimum(1, 1 / m("lifetime"))  # of a stage, a quarter
    for i in range(STAGES):
        before = m.stage.get((measure, b, i, t - 1), 0)
        m.stage[measure, b, i, t] = before - part * before + moved
        moved = part * before
    m.stock[measure, b, t] = sum(m.stage[measure, b, i, t] for i in range(STAGES))


def account(m, t):
    """What a quarter's revenue is in units, H100e, stock, power and along the value chain."""
    for s in m.suppliers:
        for name in ("units", "h100e", "h100e8"):
            getattr(m, name)[s, t] = m.revenue[s, t] * m.per_bn[name, s, t]
        for k in m.chips[s]:
            m.chip_units[k, t] = m.revenue[s, t] * m.per_bn["units", k, t]
    for b in m.buyers:
        received(m, b, t)
        if t > m.h:
            unmet(m, b, t)
    sold = sum(m.revenue[s, t] * (1 - m.attach[s, t]) for s in m.suppliers)
    network = sum(m.revenue[s, t] * m.attach[s, t] for s in m.suppliers)
    for tier in TIERS:
        m.tier_revenue[tier, t] = m("tier_content", tier) * sold + (network if tier == "network" else 0)


def received(m, b, t):
    """What a buyer got, and what it has in service at the end of the quarter."""
    for p in m.of_buyer[b]:
        m.pair_h100e["/".join(p), t] = m.bought[p, t] * m.per_bn["h100e", p[1], t]
    m.accelerator_spend[b, t] = sum(m.bought[p, t] for p in m.of_buyer[b])
    m.buyer_h100e[b, t] = sum(m.pair_h100e["/".join(p), t] for p in m.of_buyer[b])
    age(m, "h100e", b, t, m.buyer_h100e[b, t])
    age(m, "watts", b, t, sum(m.bought[p, t] * m.per_bn["watts", p[1], t] for p in m.of_buyer[b]))
    m.installed[b, t] = m.stock["h100e", b, t]
    m.power[b, t] = m.stock["watts", b, t] * m("pue")  # MW
    m.raw_need[b, t] = raw_need(m, b, m.tau(t))


def unmet(m, b, t):
    """What a buyer lacks and waits for, and the tokens it serves, at the end of a quarter ahead."""
    asked = m("tokens", b) * np.exp(
        token_growth(m, m.tau(t)) + m("elasticity", "assistant") * efficiency(m, "assistant", m.tau(t))
    )
    m.shortfall[b, t] = np.maximum(0, m.need[b, t] - m.installed[b, t])
    m.backlog_h100e[b, t] = sum(m.backlog[p, t] * m.per_bn["h100e", p[1], t] for p in m.of_buyer[b])
    m.tokens_served[b, t] = asked * np.minimum(1, m.installed[b, t] / m.need[b, t])


def outputs(m):
    """Every output [time, axis, draw]; 0 up to h for those of forecast years only."""
    found = {}
    for name, output in OUTPUTS.items():
        made = m.backlog_h100e if name == "backlog" else getattr(m, name)
        labels, first = m.axes[output.dims[0]], m.h + 1 if output.forecast_only else 0
        found[name] = np.zeros((len(m.quarters), len(labels), m.draws))
        for t in range(first, len(m.quarters)):
            for i, label in enumerate(labels):
                found[name][t, i] = made[label, t]
    return found


def simulate(world, beliefs):
    """Every output [time, axis, draw] of beliefs [*dims, draw], by name."""
    return outputs(path(world, beliefs))


# From uniform words to beliefs


def values(world, seed, count):
    """Beliefs of the first draws, from the engine's random words alone: uniforms, copula and quantiles made here."""
    book, beliefs = world.book, {}
    z = correlated(book, scores(world, seed, count))
    for name, prior in book.priors.items():
        beliefs[name] = np.empty((*world.shapes[name], count))
        for labels, member in prior.table.items():
            stream, place = (
                (prior.stream(labels), element_of(book, prior.dims, labels)),
                place_of(book, prior.dims, labels),
            )
            beliefs[name][place] = quantile(member, z.get(stream))
    return beliefs


def place_of(book, dims, labels):
    """Indices of labels on their axes."""
    return tuple(book.axes[dim].index(label) for dim, label in zip(dims, labels, strict=True))


def element_of(book, dims, labels):
    """Place of a number in its stream: its quarter or year."""
    places = [book.axes[dim].index(label) for dim, label in zip(dims, labels, strict=True) if dim in ("time", "year")]
    return places[0] if places else 0


def scores(world, seed, count):
    """Standard normal scores [draw] by stream and element, of u = (bits + 1/2) / 2^32."""
    plan = draws.plan(world.entries, *world.book.correlation)
    elements, key = jnp.asarray(plan.numbers.elements), jnp.asarray(draws.keys(plan.streams, seed))
    bits = np.asarray(draws.bits(key, elements, jnp.uint32(0), count))
    z = special.ndtri((bits.astype(np.float64) + 0.5) / 2**32)
    return dict(zip(zip(plan.streams, plan.numbers.elements.tolist(), strict=True), z, strict=True))


def correlated(book, z):
    """Scores with the streams of a copula mixed: equally correlated ones share a factor, others by a symmetric root."""
    names, rank = book.correlation
    pearson = 2 * np.sin(np.pi / 6 * rank)
    np.fill_diagonal(pearson, 1)
    mixed = dict(z)
    for group in groups_of(pearson):
        streams, block = [names[i] for i in group], pearson[np.ix_(group, group)]
        own, rho = np.stack([z[stream, 0] for stream in streams]), block[0, -1]
        if rho > 0 and np.array_equal(block, np.where(np.eye(len(group)) == 1, 1, rho)):
            new = np.sqrt(1 - rho) * own + np.sqrt(rho) * z[factor_of(streams), 0]
        else:
            new = np.real(linalg.sqrtm(block)) @ own
        mixed |= {(stream, 0): row for stream, row in zip(streams, new, strict=True)}
    return mixed


def groups_of(matrix):
    """Indices that hang together, each group of them in order."""
    left, groups = set(range(len(matrix))), []
    while left:
        group, reached = set(), {min(left)}
        while reached - group:
            group |= reached
            reached = {int(j) for i in group for j in np.flatnonzero(matrix[i])}
        groups.append(sorted(group))
        left -= group
    return groups


def factor_of(streams):
    """Stream of the factor that equally correlated ones share."""
    priors = {stream.split("[")[0] for stream in streams}
    return f"{priors.pop()}[*]" if len(priors) == 1 else f"copula({', '.join(streams)})"


def quantile(member, z):
    """Value at a score, by SciPy from what the file gives; forms that no shipped prior uses by the family's own."""
    has = member.model_dump(exclude_none=True)
    family = has.pop("family")
    if family == "fixed":
        return member.value
    known = law(family, tuple(sorted(has.items())))
    if known is None:
        return member.ppf(special.ndtr(z))
    if known.dist.name == "norm":
        value = known.args[0] + known.args[1] * z
    else:
        value = np.where(z < 0, known.ppf(special.ndtr(z)), known.isf(special.ndtr(-z)))
    return np.exp(value) if family == "lognormal" else value


@cache
def law(family, items):
    """The distribution in SciPy, of the logarithm for a lognormal; None for a form that is not written here."""
    has = dict(items)
    levels = [int(name[1:]) / 100 for name in has if name[1:].isdigit()]
    wanted = [value for name, value in items if name[1:].isdigit()]
    if family == "uniform":
        return stats.uniform(has["lower"], has["upper"] - has["lower"])
    if family in ("triangular", "pert"):
        low, width = has["min"], has["max"] - has["min"]
        mode = (has["mode"] - low) / width
        return (
            stats.beta(1 + 4 * mode, 5 - 4 * mode, low, width) if family == "pert" else stats.triang(mode, low, width)
        )
    straight = {"normal": stats.norm(), "lognormal": stats.norm(), "student_t": stats.t(has.get("df", 1))}.get(family)
    if straight and len(levels) == 2:
        first, last = np.log(wanted) if family == "lognormal" else wanted
        scale = (last - first) / np.ptp(straight.ppf(levels))
        return straight.dist(*straight.args, (first + last) / 2, scale)
    if family in ("normal", "student_t") and not levels:
        return straight.dist(*straight.args, has.get("mean", has.get("location")), has.get("sd", has.get("scale")))
    return bent(family, has, np.array(levels), np.array(wanted)) if len(levels) == 2 and not straight else None


def bent(family, has, levels, wanted):
    """Beta, gamma or truncated normal with these two quantiles, by least squares; None for any other family."""
    low, high = has.get("lower", -np.inf), has.get("upper", np.inf)
    mean, sd = wanted.mean(), np.ptp(wanted) / np.ptp(special.ndtri(levels))

    def made(x):
        if family == "beta":
            sizes = (mean - low) * (high - mean) / sd**2 * np.array([mean - low, high - mean]) / (high - low)
            return stats.beta(*(sizes * np.exp(x)), low, high - low)
        if family == "gamma":
            return stats.gamma((mean / sd) ** 2 * np.exp(x[0]), 0, sd**2 / mean * np.exp(x[1]))
        shift, scale = mean + sd * x[0], sd * np.exp(x[1])
        return stats.truncnorm((low - shift) / scale, (high - shift) / scale, shift, scale)

    if family not in ("beta", "gamma", "truncated_normal"):
        return None
    close = dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15)
    return made(optimize.least_squares(lambda x: (made(x).ppf(levels) - wanted) / sd, np.zeros(2), **close).x)
