"""Faults put into chipcast on purpose: `python -m tests.faults NAME --n N --seed S --json`."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Report:
    """What came of the faults put in: how many, how many were met as promised, how many were not."""

    injected: int
    detected: int
    lost: int
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.lost == 0
