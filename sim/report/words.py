"""A report's own words in one language: what is said around the figures, escaped where data is put in."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from sim.errors import BookError, visible

__all__ = ["LANGUAGES", "Words", "told", "words"]

FOLDER = Path(__file__).parent / "words"
LANGUAGES = ("en", "zh")


class Words:
    """The words of one language by dotted key."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told

    def __call__(self, key: str, /, **values: object) -> Markup:
        """The words at a key, with values put in; text among them is escaped and made visible. KeyError: none."""
        return Markup(self._at(key)).format(**{name: told(value) for name, value in values.items()})

    def plain(self, key: str, /, **values: object) -> str:
        """The same for what is no HTML, such as the text of a figure."""
        return str(self._at(key)).format(**values)

    def raw(self, key: str) -> str:
        """The words at a key as they are written, placeholders and all."""
        return str(self._at(key))

    def all(self, key: str) -> list[Markup]:
        """The sentences or words listed at a key."""
        return [Markup(each) for each in self._at(key)]

    def of(self, key: str, name: str) -> str:
        """The word for a name in a group of words; the name itself where there is none."""
        return str(self._at(key).get(name, name))

    def keys(self, key: str) -> list[str]:
        """Keys of a group."""
        return list(self._at(key))

    def _at(self, key: str) -> Any:
        found: Any = self._told
        for part in key.split("."):
            found = found[part]
        return found


def told(value: object) -> Markup:
    """A value as it may stand in HTML: what is not seen or turns the direction of writing is written as its escape."""
    return value if isinstance(value, Markup) else Markup.escape(visible(str(value)))


@functools.cache
def words(lang: str) -> Words:
    """The words of a language. BookError: it is none of ``LANGUAGES``."""
    if lang not in LANGUAGES:
        raise BookError("report-lang", f"no language {lang!r}", remedy=f"one of {', '.join(LANGUAGES)}")
    return Words(yaml.safe_load((FOLDER / f"{lang}.yaml").read_text(encoding="utf-8")))
