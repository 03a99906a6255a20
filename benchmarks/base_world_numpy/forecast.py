"""The tuned contender's model from the hand-over on: spending, orders, capacity and shipments, quarter by quarter."""

import numpy as np

from benchmarks.base_world_numpy.model import H100E, LIMITS, Past, logit
from sim.axes import CONSTRAINTS

__all__ = ["Path"]

BINDS = 0.05


class Path(Past):
    """One chunk of draws on its way through all quarters."""

    def run(self) -> None:
        """All quarters."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
            self.contents()
            self.needs()
            self.known_revenue()
            self.start_stock()
            for t in range(self.m.h + 1):
                self.past(t)
            self.hand_over()
            self.yearly_steps()
            for t in range(self.m.h + 1, self.m.quarters):
                self.ahead(t)
            self.chip_units()
            self.cells.finish(self.b)

    # Forecast [1-3, 10-12]

    def yearly_steps(self) -> None:
        """What changes by the year only, for each year ahead."""
        b, m = self.b, self.m
        years = {int(y): None for y in m.year_of[m.h + 1 :]}
        shared = b["capex_common_sd"] * b["capex_common_shock"]
        self.drift = (b["capex_drift"] + b["spending_drift"]) / 4
        self.cash_drift = b["cash_growth"] / 4
        self.trend = (logit(b["ai_share_2030"]) - self.odds_ai) / m.horizon
        self.growth = {y: shared[y] + b["wave"][y] + b["capex_own_sd"] * b["capex_own_shock"][:, y] for y in years}
        self.cash_growth = {y: b["cash_cycle"] * shared[y] + b["cash_shock_sd"] * b["cash_shock"][:, y] for y in years}
        self.share_step = {y: b["share_walk_sd"] * b["share_walk"][:, y] / 4 for y in years}
        walks = {y: (b["supplier_drift"] + b["supplier_walk_sd"] * b["supplier_walk"][:, y]) / 4 for y in years}
        self.weight_step = {
            y: np.exp(walks[y].take(m.pair_supplier, axis=0) + b["pair_walk_sd"] / 4 * b["pair_walk"][:, y])
            for y in years
        }
        made = np.stack([b["capacity_growth"], b["memory_growth"]])
        self.capacity_step = {y: np.exp(made[:, :, y] / 4) for y in years}
        self.leaves = (1 - b["cancellation"]) * b["spill"], 1 - b["cancellation"]

    def ahead(self, t: int) -> None:
        """A quarter of the forecast."""
        self.spend(t)
        self.split(t)
        self.order(t)
        self.make(t)
        self.ship(t)
        self.account(t)
        self.after(t)

    def spend(self, t: int) -> None:
        """[1, 2] Intended spending, cash and what is spent [bn USD]."""
        b, m, i = self.b, self.m, t - self.m.h - 1
        y, timing = m.year_of[t], b["shock_timing"][m.season_of[t]]
        step = self.need[i] / self.stock[0]
        np.log(step, out=step)
        np.clip(step, -1, 1, out=step)
        step *= b["need_response"] / 4
        step += self.drift
        step += self.growth[y] * timing
        np.exp(step, out=step)
        for reported in np.flatnonzero(m.guided[t]):
            step[m.structure.reported_buyers[reported]] = self.guided_factor[reported]
        self.intended *= step
        self.cash += self.cash_drift
        self.cash += self.cash_growth[y] * timing
        cash = np.exp(self.cash)
        reached = self.intended / (self.ceiling * cash)
        reached *= reached
        reached *= reached
        reached += 1
        if np.all(m.reach[t] == 1):
            np.sqrt(reached, out=reached)
            self.spent = self.intended / np.sqrt(reached, out=reached)
        else:
            self.spent = self.intended * reached ** (-m.reach[t, :, None].astype(np.float32) / 4)
        capex = self.spent[m.capex_buyers]
        self.recent = [capex, *self.recent[:2]]
        self.cells.add("capex", t, capex)
        self.cells.add("depreciation_added", t, capex, 1 / b["depreciation_life"])
        earned = b["operating_cash_flow"] / 4 * b["net_income_share"]
        self.cells.add("net_income", t, cash[m.capex_buyers], earned)

    def split(self, t: int) -> None:
        """[3] Budgets of buyers and pairs [bn USD]."""
        m, y = self.m, self.m.year_of[t]
        change = self.share_step[y] + self.trend if t - m.h <= m.horizon else self.share_step[y]
        self.odds_ai, self.odds = self.odds_ai + change, self.odds + change
        self.budget = self.spent
        self.budget[m.capex_buyers] = self.led() * expit(self.odds)
        self.ratio *= self.weight_step[y]
        self.mix = self.ratio / (m.by_buyer @ self.ratio).take(m.pair_buyer, axis=0)
        self.pair_budget = self.mix * self.budget.take(m.pair_buyer, axis=0)

    def order(self, t: int) -> None:
        """[10] Orders [bn USD], and what need alone takes from them."""
        b, m = self.b, self.m
        held = self.per_bn[H100E, t].take(m.pair_supplier, axis=0)
        affordable = m.by_buyer @ (self.pair_budget * held)
        coming = m.by_buyer @ (self.backlog * held)
        coming += self.stock[0]
        coming += self.in_transit[0]
        wanted = self.planned[t - m.h - 1] - coming * self.surviving
        wanted /= affordable
        np.copyto(wanted, 1, where=affordable == 0)
        np.clip(wanted, 1e-6, 1, out=wanted)
        self.by_need = b["discipline"] * np.log(wanted)
        room = m.by_buyer @ self.backlog
        room /= -self.budget
        room += 1 + b["order_cover"]
        np.copyto(room, 1, where=self.budget == 0)
        np.clip(room, 0, 1, out=room)
        room *= np.exp(self.by_need)
        self.waiting = self.pair_budget
        self.waiting *= room.take(m.pair_buyer, axis=0)
        self.is_open = m.open[t]
        if np.any(self.is_open < 1):
            self.waiting *= self.is_open[m.pair_supplier, None]
        self.waiting += self.backlog

    def make(self, t: int) -> None:
        """[11] Capacity, and the part of what waits that it lets through."""
        b, m = self.b, self.m
        answer = np.clip(np.log(self.pressure), -1, 1)
        answer *= b["supply_response"] / 4
        self.capacity *= np.exp(answer)
        self.capacity *= self.capacity_step[m.year_of[t]]
        for i, s in enumerate(m.structure.reported_suppliers):
            if m.outlook[t, i] > 0:
                covered = self.known[t, s] * self.per_bn[LIMITS, t, s] / (1 - m.open[t, s]) / self.use[:, s]
                np.maximum(self.capacity[:, s], covered, out=self.capacity[:, s])
        loads = self.per_bn[LIMITS, t] / self.capacity
        pressed = np.maximum(loads[0], loads[1])
        pressed *= m.by_supplier @ self.waiting
        if np.any(self.is_open < 1):
            pressed /= self.is_open[:, None]
            shut = self.is_open == 0
            self.filled = 1 / np.maximum(pressed, 1)
            self.slack = np.maximum(1 - pressed, 0)
            self.filled[shut], self.slack[shut], pressed[shut] = 0, 0, self.pressure[shut]
        else:
            self.filled = 1 / np.maximum(pressed, 1)
            self.slack = np.maximum(1 - pressed, 0)
        self.pressure = pressed

    def ship(self, t: int) -> None:
        """[11] What is shipped, cancelled, freed for other suppliers and still waited for [bn USD]."""
        b, m = self.b, self.m
        shipped = self.filled.take(m.pair_supplier, axis=0)
        shipped *= self.waiting
        left = self.waiting - shipped
        freed, kept = self.leaves
        if np.any(self.is_open < 1):
            part = self.is_open[m.pair_supplier, None]
            kept = 1 - part * b["cancellation"]
            freed = part * b["spill"] * kept
        freed = left * freed
        self.mix *= self.slack.take(m.pair_supplier, axis=0)
        pool = m.by_buyer @ freed
        placed = m.by_buyer @ self.mix
        left *= kept
        freed *= placed.take(m.pair_buyer, axis=0)
        left -= freed
        self.mix *= pool.take(m.pair_buyer, axis=0)
        left += self.mix
        self.backlog = left
        self.revenue[t] = self.known[t] + m.by_supplier @ shipped
        self.asked_for = self.waiting
        self.bought = shipped
        if self.known[t].any():
            given = self.owner * self.known[t].take(m.pair_supplier, axis=0)
            self.bought = shipped + given
            self.asked_for = self.waiting + given

    def after(self, t: int) -> None:
        """What buyers spend on AI, lack, wait for and serve, and what holds them back [12]."""
        b, m, cells, i = self.b, self.m, self.cells, t - self.m.h - 1
        part = self.recent[0] * expit(self.odds_ai)
        cells.add("ai_capex", t, np.maximum(part, self.paid[m.capex_buyers]))
        need = self.need[i]
        cells.add("need", t, need)
        if cells.ends_year(t):
            cells.add("shortfall", t, np.maximum(0, need - self.stock[0]))
            held = self.per_bn[H100E, t].take(m.pair_supplier, axis=0)
            cells.add("backlog", t, m.by_buyer @ (self.backlog * held))
        served = self.stock[0] / need
        np.minimum(served, 1, out=served)
        served *= b["tokens"]
        served *= self.asked[i]
        cells.add("tokens_served", t, served)
        by_supply = np.log((m.by_buyer @ self.asked_for) / self.paid)
        by_need = -self.by_need
        binds = np.maximum(by_need, by_supply) > BINDS
        needs = by_need >= by_supply
        held = {"need": binds & needs, "supply": binds & ~needs, "budget": ~binds}
        for row, name in enumerate(CONSTRAINTS):
            cells.add("bound_h100e", t, (held[name] * self.got[0]).sum(axis=0), row=row)
            cells.add("bound_buyers", t, held[name].sum(axis=0, dtype=np.float32) / len(by_need), row=row)


def expit(odds: np.ndarray) -> np.ndarray:
    """Part of odds given as a logarithm."""
    part = np.exp(-odds)
    part += 1
    return 1 / part
