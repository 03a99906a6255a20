"""The tuned contender's model up to the hand-over: float32, draws last, yearly cells filled as the quarters go by.

docs/model.md says what is computed, the numbers in brackets are its equations. What does not depend on the state of
the market is made for all quarters at once before the loop: what a dollar holds chip by chip, only from the first
quarter in which any draw of the chunk sells the chip; need now and ahead, whose growth buyers share; exponentials of
what changes by the year only. What is asked for by the year only is made for its last quarter.
"""

import numpy as np

from benchmarks.base_world_numpy.cells import Cells
from sim.axes import TIERS, WORKLOADS
from sim.world import World

__all__ = ["H100E", "LIMITS", "Model", "Past", "logit"]

TFLOPS, TFLOPS8 = 989.0, 1979.0
MONTH, YEAR = 30 * 86_400, 365.25 * 86_400  # s
PRICE_YEAR = 2022
STAGES = 4
LEAST_LEFT = 0.25
MEASURES = ("units", "h100e", "h100e8", "watts", "area", "memory")
UNITS, H100E, H100E8, WATTS, AREA, MEMORY = range(len(MEASURES))
LIMITS = slice(AREA, MEMORY + 1)
TRAINING, RECOMMENDER, ASSISTANT = (WORKLOADS.index(name) for name in ("training", "recommender", "assistant"))
NETWORK = TIERS.index("network")
NEWTON = 8  # steps to the root of a guided year; five are enough
FAR = 40.0  # log odds of adoption beyond which float32 knows only none and all

Beliefs = dict[str, np.ndarray]


class Model:
    """What is known of a world before any draw."""

    def __init__(self, world: World) -> None:
        axes, record, structure = world.book.axes, world.record, world.structure
        guidance = record.guidance
        self.structure, self.h, self.quarters = structure, record.handover, len(axes["time"])
        self.year, self.year_of, self.season_of = record.year, world.year_index, world.season_index
        self.tau = (np.arange(self.quarters) - self.h).astype(np.float32) / 4
        self.horizon = max(round(4 * (2031 - record.year[self.h] - 0.125)), 1)
        self.pair_buyer, self.pair_supplier = np.array(structure.pair_buyer), np.array(structure.pair_supplier)
        self.by_buyer = ones_at(self.pair_buyer, structure.buyers)
        self.by_supplier = ones_at(self.pair_supplier, structure.suppliers)
        self.chips = [np.flatnonzero(np.array(structure.chip_supplier) == s) for s in range(structure.suppliers)]
        self.capex_buyers = [axes["buyer"].index(buyer) for buyer in axes["capex_buyer"]]
        self.reporting = [axes["capex_buyer"].index(buyer) for buyer in axes["reported_buyer"]]
        self.elicited = [axes["capex_buyer"].index(buyer) for buyer in axes["elicited_buyer"]]
        self.direct = list(structure.direct_buyers)
        self.capex, self.line, self.outlook, self.attach = (
            each.astype(np.float32) for each in (record.capex, record.line, record.outlook, record.attach)
        )
        self.capex_growth, self.open = record.capex_growth, (1 - record.cover).astype(np.float32)
        self.target, self.spent = guidance.target, guidance.reported
        self.openings = [1 + np.flatnonzero(column) for column in guidance.open_quarters.T]
        self.guided, self.reach = guidance.guided, np.ones((self.quarters, structure.buyers))
        self.reach[:, list(structure.reported_buyers)] = guidance.reach
        if self.season_of[0] or self.quarters % 4:
            raise ValueError("the time axis must be of whole years")


def ones_at(owner: np.ndarray, owners: int) -> np.ndarray:
    """A matrix [owner, row] that sums the rows of each owner: BLAS beats every way to add rows by index."""
    return (owner == np.arange(owners)[:, None]).astype(np.float32)


def ramp(years: np.ndarray, length: np.ndarray) -> np.ndarray:
    """x^2 (3 - 2 x), x = clip(years / length, 0, 1)."""
    x = years / length
    np.clip(x, 0, 1, out=x)
    rest = 3 - 2 * x
    x *= x
    x *= rest
    return x


class Past:
    """One chunk of draws on its way through the quarters of history."""

    def __init__(self, model: Model, beliefs: Beliefs, cells: Cells) -> None:
        self.m, self.b, self.cells = model, beliefs, cells
        self.n = beliefs["capex_drift"].shape[-1]

    # What one bn USD of revenue holds [4, 5]

    def facts(self) -> dict[str, np.ndarray]:
        """What each chip is [chip, draw]; a successor is multiples of the chip it follows."""
        b, structure = self.b, self.m.structure
        same = ("launch", "performance", "performance_8bit", "price", "system_power", "package_area", "memory")
        facts = {name: np.empty((structure.chips, self.n), np.float32) for name in same}
        for name in same:
            facts[name][list(structure.catalogue)] = b[name]
        for i, (chip, before) in enumerate(structure.successors):
            facts["launch"][chip] = facts["launch"][before] + b["successor_cadence"][i]
            facts["package_area"][chip] = facts["package_area"][before]
            for name in ("performance", "performance_8bit", "price", "memory"):
                np.multiply(facts[name][before], b[f"successor_{name}"][i], out=facts[name][chip])
            facts["system_power"][chip] = facts["system_power"][before] * b["successor_power"][i]
        facts["performance"] *= 1 / TFLOPS
        facts["performance_8bit"] *= 1 / TFLOPS8
        return facts

    def contents(self) -> None:
        """``per_bn`` [measure, time, supplier, draw], and M units of each chip while any draw sells it."""
        m, b = self.m, self.b
        facts = self.facts()
        first = np.searchsorted(m.year, facts["launch"].min(axis=1))
        self.per_bn = np.zeros((len(MEASURES), m.quarters, m.structure.suppliers, self.n), np.float32)
        self.attach = self.attached()
        self.launch, self.units_per_bn = facts["launch"], {}
        each = [facts[name] for name in ("performance", "performance_8bit", "system_power", "package_area", "memory")]
        part = np.empty((m.quarters, self.n), np.float32)
        for s, chips in enumerate(m.chips):
            left = np.repeat(b["hardware_share"][s][None], m.quarters, axis=0)
            if s in self.attach:
                left *= 1 - self.attach[s]
            for k in reversed(chips):
                start = 0 if k == chips[0] else int(first[k])
                stop = start + np.count_nonzero(left[start:].max(axis=1))
                if start == stop:
                    continue
                units = self.units(facts, k, slice(start, stop), left, first=k == chips[0])
                self.units_per_bn[k] = start, stop, units
                self.per_bn[UNITS, start:stop, s] += units
                for j, measure in enumerate(each, start=1):
                    since = max(start, m.h) if j >= AREA else start
                    if since < stop:
                        np.multiply(units[since - start :], measure[k], out=part[since:stop])
                        self.per_bn[j, since:stop, s] += part[since:stop]

    def units(self, facts: dict[str, np.ndarray], k: int, when: slice, left: np.ndarray, *, first: bool) -> np.ndarray:
        """M units of a chip that one bn USD of revenue holds [time, draw]; takes its share from what is left."""
        b, m, left = self.b, self.m, left[when]
        years, retiring = m.year[when, None].astype(np.float32), m.structure.retiring
        if first:
            share = left
        else:
            share = ramp(years - facts["launch"][k], b["ramp"][k])
            share *= b["ceiling"][k]
            if k in retiring:
                share *= 1 - ramp(years - b["retirement"][retiring.index(k)], b["ramp"][k])
            share *= left
            left -= share
        units = years - np.maximum(facts["launch"][k], PRICE_YEAR)
        np.maximum(units, 0, out=units)
        units *= b["price_decline"][k]
        np.exp(units, out=units)
        units *= 1 / facts["price"][k]
        units *= share
        return units

    def attached(self) -> dict[int, np.ndarray]:
        """Networking as a share of revenue [time, draw], of the suppliers that report."""
        m = self.m
        way = np.clip((np.arange(m.quarters) - m.h) / m.horizon, 0, 1).astype(np.float32)[:, None]
        last = m.attach[:, :, None]
        return {
            s: last[:, i] + (self.b["attach_share_2030"][i] - last[:, i]) * way
            for i, s in enumerate(m.structure.reported_suppliers)
        }

    # Need [6-9]

    def needs(self) -> None:
        """Raw need of every quarter, and of the planning horizon after those ahead [time, buyer, draw]."""
        b, m = self.b, self.m
        per_user = b["visits"] * b["recommendations"] * b["recommendation_tokens"] / MONTH
        keep = b["peak"] / (TFLOPS * b["utilisation"])
        world = b["frontier_run"] * b["training_runs"] / (YEAR * b["training_duty"])
        shares = b["training_share"]
        self.loads = np.stack(
            [
                shares * (world * keep[TRAINING] / shares.sum(axis=0)),
                b["users"] * (2 * b["recommender_parameters"] * per_user * keep[RECOMMENDER]),
                b["tokens"] * (2 * b["assistant_parameters"] * keep[ASSISTANT]),
            ]
        )
        away = (b["adoption_midpoint"] - np.float32(m.year[m.h])) / b["adoption_width"]
        self.not_yet = np.exp(np.clip(away, -FAR, FAR))
        tau, ahead = m.tau[:, None], m.tau[m.h + 1 :, None]
        self.raw = self.raw_need(tau)
        self.planned = self.raw_need(ahead + b["planning_horizon"] / 4)
        gain = b["efficiency_step"][ASSISTANT] * np.minimum(ahead, 1) + b["efficiency_drift"][ASSISTANT] * ahead
        self.asked = np.exp(self.token_growth(ahead) + b["elasticity"][ASSISTANT] * gain)

    def raw_need(self, tau: np.ndarray) -> np.ndarray:
        """[9] Raw need [time, buyer, draw] tau years from the hand-over; only adoption differs in shape by buyer."""
        b = self.b
        ahead = np.maximum(tau, 0)
        gain = [
            (b["elasticity"][w] - 1)
            * (b["efficiency_step"][w] * np.minimum(ahead, 1) + b["efficiency_drift"][w] * ahead)
            for w in range(len(WORKLOADS))
        ]
        trained = relaxing(
            b["training_growth"], b["training_growth_later"], b["training_growth_relaxation"], tau, ahead
        )
        grown = {
            TRAINING: trained,
            RECOMMENDER: (b["users_growth"] + b["recommender_growth"]) * tau,
            ASSISTANT: self.token_growth(tau) + b["assistant_parameters_growth"] * tau,
        }
        factor = [np.exp(grown[w] + gain[w])[:, None] for w in range(len(WORKLOADS))]
        raw = np.exp(-tau / b["adoption_width"])[:, None] * self.not_yet
        raw += 1
        np.divide(factor[RECOMMENDER], raw, out=raw)
        raw *= self.loads[RECOMMENDER]
        for w in (TRAINING, ASSISTANT):
            raw += factor[w] * self.loads[w]
        return raw

    def token_growth(self, tau: np.ndarray) -> np.ndarray:
        """Log growth of assistant tokens."""
        b = self.b
        return relaxing(
            b["token_growth"], b["token_growth_later"], b["token_growth_relaxation"], tau, np.maximum(tau, 0)
        )

    # History [14]

    def known_revenue(self) -> None:
        """Revenue of the covered days [time, supplier, draw], and that of history with open days carried on."""
        b, m, structure, past = self.b, self.m, self.m.structure, self.m.h + 1
        self.known = np.zeros((m.quarters, structure.suppliers, self.n), np.float32)
        for i, s in enumerate(structure.reported_suppliers):
            outlook = b["outlook_share"][i] * np.exp(b["outlook_beat"][i])
            self.known[:, s] = (m.line[:, i, None] + m.outlook[:, i, None] * outlook) * b["reported_share"][i]
        for i, s in enumerate(structure.band_suppliers):
            self.known[:past, s] = b["revenue_band"][i, :past]
        for i, s in enumerate(structure.units_suppliers):
            self.known[:past, s] = b["units_band"][i, :past] / self.per_bn[UNITS, :past, s]
        years, tau = m.year[:past].astype(np.float32)[:, None], m.tau[:past, None]
        for i, s in enumerate(structure.backcast_suppliers):
            k = m.chips[s][0]
            revenue = np.exp(b["revenue_past_growth"][i] * tau)
            revenue *= b["revenue_run_rate"][i]
            revenue *= ramp(years - self.launch[k], b["ramp"][k])
            self.known[:past, s] = revenue
        self.revenue = self.known.copy()
        for t, s in np.argwhere(m.open[1:past] > 0):
            carried = float(m.capex_growth[t + 1] * m.open[t + 1, s]) * np.exp(b["nowcast_error"][s])
            self.revenue[t + 1, s] += self.revenue[t, s] * carried
        self.weight = b["owner_weight_2022"].copy()
        self.weight_step = (b["owner_weight"] / b["owner_weight_2022"]) ** np.float32(1 / m.h)

    def past(self, t: int) -> None:
        """A quarter of history."""
        m, revenue = self.m, self.revenue[t]
        if t:
            self.weight *= self.weight_step
        self.owner = self.weight / (m.by_supplier @ self.weight).take(m.pair_supplier, axis=0)
        self.bought = self.owner * revenue.take(m.pair_supplier, axis=0)
        for i, buyer in enumerate(self.m.reporting):
            self.cells.add("capex", t, m.capex[t, i], row=buyer)
        run = self.b["spending_run_rate"] * np.exp(self.b["spending_past_growth"] * m.tau[t])
        for i, buyer in enumerate(self.m.elicited):
            self.cells.add("capex", t, run[i], row=buyer)
        self.account(t)

    # Stock [13]

    def start_stock(self) -> None:
        """Nothing in transit or in service; stages, then H100e and W, then buyers."""
        shape = (2, self.m.structure.buyers, self.n)
        self.stage, self.in_transit = np.zeros((STAGES, *shape), np.float32), np.zeros(shape, np.float32)
        self.arrives = 1 / (1 + self.b["transit"])
        self.wears = np.minimum(1, 1 / self.b["lifetime"])

    def age(self, shipped: np.ndarray) -> None:
        """[13] Stock after what is shipped [measure, buyer, draw]."""
        self.in_transit += shipped
        arrived = self.in_transit * self.arrives
        self.in_transit -= arrived
        gone = self.stage * self.wears
        self.stage -= gone
        self.stage[1:] += gone[:-1]
        self.stage[0] += arrived
        self.stock = self.stage.sum(axis=0)

    def account(self, t: int) -> None:
        """What a quarter's revenue is in units, H100e, stock, power and along the value chain."""
        m, cells, revenue = self.m, self.cells, self.revenue[t]
        cells.add_supplier("revenue", t, revenue)
        for name, j in (("units", UNITS), ("h100e", H100E), ("h100e8", H100E8)):
            cells.add_supplier(name, t, revenue * self.per_bn[j, t])
        pairs = self.bought * self.per_bn[(H100E, WATTS), t].take(m.pair_supplier, axis=1)
        cells.add("pair_h100e", t, pairs[0])
        self.got = m.by_buyer @ pairs
        self.paid = m.by_buyer @ self.bought
        cells.add("buyer_h100e", t, self.got[0])
        cells.add("accelerator_spend", t, self.paid)
        self.age(self.got)
        cells.add("installed", t, self.stock[0])
        cells.add("power", t, self.stock[1], self.b["pue"])
        cells.add("raw_need", t, self.raw[t])
        network = sum(revenue[s] * attach[t] for s, attach in self.attach.items())
        tiers = self.b["tier_content"] * (revenue.sum(axis=0) - network)
        tiers[NETWORK] += network
        cells.add("tier_revenue", t, tiers)

    def chip_units(self) -> None:
        """M units of each chip by year."""
        supplier = self.m.structure.chip_supplier
        for k, (start, stop, per_bn) in self.units_per_bn.items():
            units = np.multiply(per_bn, self.revenue[start:stop, supplier[k]], out=per_bn)
            for t in range(start - start % 4, stop, 4):
                self.cells.put("chip_units", t, units[max(t - start, 0) : t + 4 - start], row=k)

    # Hand-over [15]

    def hand_over(self) -> None:
        """Every process starts from what history implies in that draw."""
        b, m, h = self.b, self.m, self.m.h
        buyers, capex = m.structure.buyers, m.capex_buyers
        self.spent_past()
        lead = b["capex_lead"]
        now, two = np.maximum(1 - lead, 0), np.maximum(lead - 1, 0)
        self.lead = now, 1 - now - two, two
        self.intended = self.paid.copy()
        self.intended[capex] = self.recent[0]
        self.ceiling = b["capex_ceiling"] * self.paid
        self.ceiling[capex] = b["capex_ceiling"][capex] * (b["operating_cash_flow"] / 4)
        self.cash = np.zeros((buyers, self.n), np.float32)  # log growth since the hand-over
        part = np.clip(self.paid[capex] / self.led(), 1e-4, 1 - 1e-4)
        self.odds_ai, self.odds = logit(b["ai_share"]), logit(part)
        self.ratio = np.maximum(self.bought, 1e-9)  # weights of a softmax, before their logarithm
        self.backlog = b["backlog_start"].take(m.pair_supplier, axis=0) * self.bought
        self.pressure = np.ones((m.structure.suppliers, self.n), np.float32)
        self.use = np.stack([b["capacity_use"], b["memory_use"]])
        self.capacity = self.revenue[h] * self.per_bn[LIMITS, h] / self.use
        scale = self.stock[0] * b["fill"] / self.raw[h]
        self.need = self.raw[h + 1 :] * scale
        self.planned *= scale * ((1 + b["headroom"]) / b["planning_horizon"])
        self.surviving = np.exp(-b["planning_horizon"] / (4 * b["lifetime"])) / b["planning_horizon"]
        self.guided_factor = {i: self.guided_growth(i) for i in np.flatnonzero(m.guided.any(axis=0))}

    def spent_past(self) -> None:
        """Capex [buyer, draw] of the last three quarters, the newest first."""
        b, m = self.b, self.m
        self.recent = []
        for t in (max(m.h - i, 0) for i in range(3)):
            capex = np.empty((len(m.capex_buyers), self.n), np.float32)
            capex[m.reporting] = m.capex[t, :, None]
            capex[m.elicited] = b["spending_run_rate"] * np.exp(b["spending_past_growth"] * m.tau[t])
            self.recent.append(capex)

    def led(self) -> np.ndarray:
        """Capex ``capex_lead`` quarters ago [capex_buyer, draw]."""
        led = self.lead[0] * self.recent[0]
        led += self.lead[1] * self.recent[1]
        led += self.lead[2] * self.recent[2]
        return led

    def guided_growth(self, i: int) -> np.ndarray:
        """exp(g), sum over open quarters of capex exp(g)^quarter = what guidance leaves: by Newton, from above."""
        b, m, openings = self.b, self.m, [int(k) for k in self.m.openings[i]]
        left = float(m.target[i]) * b["guidance_bridge"][i] * np.exp(b["guidance_beat"][i]) - float(m.spent[i])
        wanted = np.maximum(left / m.capex[m.h, i], LEAST_LEFT * len(openings))
        x = np.maximum(wanted / len(openings), 1)
        for _ in range(NEWTON):
            powers = {k: x**k for k in {*openings, *(k - 1 for k in openings)}}
            x -= (sum(powers[k] for k in openings) - wanted) / sum(k * powers[k - 1] for k in openings)
        return x


def relaxing(now: np.ndarray, later: np.ndarray, relaxation: np.ndarray, tau: np.ndarray, ahead: np.ndarray):
    """Log growth over tau years, from ``now`` a year towards ``later``; the past grew as fast as now."""
    grown = np.expm1(ahead / -relaxation)
    grown *= (later - now) * relaxation
    grown += later * ahead
    grown += now * np.minimum(tau, 0)
    return grown


def logit(part: np.ndarray) -> np.ndarray:
    """Log odds."""
    return np.log(part / (1 - part))
