"""What it is worth to know a topic before deciding: expected value of perfect information.

An event brings a loss of 1; a measure against it costs a part c of that. Knowing nothing more, one loses min(c, p), p
being the event's probability; knowing the future, c p. Knowing a topic, one takes the measure where the event is then
likelier than c: the policy is fitted on one half of the draws and its losses are counted on the other, both ways
round, so that what is told is what that policy achieves, not what chance lent it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64
from scipy.special import ndtr, ndtri

from sim import shares, targets
from sim.errors import BookError
from sim.reduce import Figure
from sim.sensitivity.swings import Numbers
from sim.sensitivity.topics import TOPICS, topic
from sim.world import World

__all__ = ["Decision", "Question", "decide", "question"]

RIDGE = 1e-6


@dataclass(frozen=True)
class Decision:
    """An event, a measure against it, and what knowing more would save of the loss it brings [1]."""

    text: str
    probability: Figure
    cost: float
    perfect: float
    """What it would save to know the outcome."""
    groups: tuple[tuple[str, Figure], ...]
    """What it would save to know each topic, the most first."""


class Question(NamedTuple):
    """An event, and what a measure against it costs."""

    text: str
    threshold: targets.Threshold
    cost: float


def question(world: World, text: str, cost: float) -> Question:
    """An event such as ``revenue[nvidia,2027] < 400``. BookError: it is none, or the cost is not between 0 and 1."""
    if not 0 < cost < 1:
        raise BookError("decision-cost", f"a measure at {cost:g} of the loss", remedy="give a cost between 0 and 1")
    return Question(text.strip(), targets.threshold(world, text), cost)


def decide(asked: Question, found: Float32[np.ndarray, " draw"], numbers: Numbers) -> Decision:
    """The worth of knowing each topic for a measure against an event, from draws of its cell and of all numbers."""
    _, sign, value = asked.threshold
    event, cost = sign * found > sign * value, asked.cost
    probability, scored = float(event.mean()), sign * shares.scores(found)
    # where the event begins, on the scale of the scores
    edge = float(ndtri(np.clip(1 - probability, 0.5 / len(found), 1 - 0.5 / len(found))))
    groups = {key: [row for row, (name, _) in enumerate(numbers.named) if topic(name) == key] for key in TOPICS}
    told = {key: _saved(numbers.scores[own], scored, event, edge, cost) for key, own in groups.items() if own}
    return Decision(
        text=asked.text,
        probability=Figure(probability, float(np.sqrt(probability * (1 - probability) / len(found)))),
        cost=cost,
        perfect=min(cost, probability) - cost * probability,
        groups=tuple(sorted(told.items(), key=lambda each: -each[1].value)),
    )


def _saved(
    x: Float[np.ndarray, "number draw"],
    y: Float[np.ndarray, " draw"],
    event: Bool[np.ndarray, " draw"],
    edge: float,
    cost: float,
) -> Figure:
    """How much less is lost by who knows x, and its error."""
    halves = np.array_split(np.arange(len(y)), 2)
    without = np.where(event.mean() > cost, cost, event.astype(np.float64))
    less: Float64[np.ndarray, " draw"] = np.empty(len(y))
    for learnt, tried in (halves, halves[::-1]):
        square = x[:, learnt] @ x[:, learnt].T + RIDGE * len(learnt) * np.eye(len(x))
        weights = np.linalg.solve(square.astype(np.float64), x[:, learnt].astype(np.float64) @ y[learnt])
        rest = float(np.std(y[learnt] - weights @ x[:, learnt]))
        likely = ndtr((weights @ x[:, tried] - edge) / max(rest, RIDGE))
        less[tried] = without[tried] - np.where(likely > cost, cost, event[tried])
    return Figure(float(less.mean()), float(less.std(ddof=1) / np.sqrt(len(less))))
