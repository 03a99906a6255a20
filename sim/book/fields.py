"""What the fields of a book are made of: dates, quarters, text, and the strict model they stand in."""

import re
from datetime import date
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

__all__ = ["Date", "Figure", "Link", "Model", "Quarter", "Text", "parse_date"]

FIRST_YEAR, LAST_YEAR = 2000, 2100

Dated = TypeVar("Dated", date, str)


def parse_date(value: object) -> date:
    """A date written ``2026-02-28``; raises ValueError outside 2000 to 2100."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError(f"expected a date, got {_cut(value)}; write one like 2026-02-28")
    try:
        parsed = date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{value} is not a date: {error}; write one like 2026-02-28") from None
    return _in_range(parsed, parsed.year)


def _quarter(value: str) -> str:
    if not re.fullmatch(r"[0-9]{4}Q[1-4]", value):
        raise ValueError(f"expected a quarter, got {_cut(value)}; write one like 2030Q4")
    return _in_range(value, int(value[:4]))


def _cut(value: object) -> str:
    return f"{value!r:.60}"


def _in_range(value: Dated, year: int) -> Dated:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"{value} lies outside {FIRST_YEAR} to {LAST_YEAR}; check the year")
    return value


def _with_figure(text: str) -> str:
    if not re.search(r"[0-9]", text):
        raise ValueError(f"a citation states its figure, and {_cut(text)} has none; begin it with the number")
    return text


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Date = Annotated[date, BeforeValidator(parse_date)]
Quarter = Annotated[str, AfterValidator(_quarter)]
Figure = Annotated[Text, AfterValidator(_with_figure)]
Link = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]


class Model(BaseModel):
    """Immutable, without unknown keys and without silent conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
