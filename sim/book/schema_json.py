"""JSON Schemas of the book's files, so that an editor completes names and marks faults while one types.

``python -m sim.book.schema_json`` writes them to ``priors/schema/``, where they are checked in. An editor with the
YAML language server uses the one a file's first line names::

    # yaml-language-server: $schema=../schema/group.json
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sim.axes import INPUTS, Input
from sim.book.load import priors_folder
from sim.book.overlay import RENEWED
from sim.book.schema import Correlation, PriorEntry, Reference, WorldSpec

__all__ = ["as_text", "schemas", "write"]

Schema = dict[str, Any]
NOTHING: Schema = {
    "type": "object",
    "additionalProperties": {"anyOf": [{"type": "null"}, {"type": "object", "additionalProperties": {"type": "null"}}]},
}
"""Under ``dist:``, removals only."""


class References(BaseModel, extra="forbid"):
    """What priors cite, by key."""

    references: dict[str, Reference]


class Correlations(BaseModel, extra="forbid"):
    """Rank correlations between priors."""

    correlations: list[Correlation]


def schemas(inputs: Mapping[str, Input] = INPUTS) -> dict[str, Schema]:
    """The schema of each kind of file by its name: a group of priors, the world, and so on."""
    references, correlations = References.model_json_schema(), Correlations.model_json_schema()
    return {
        "group": _closed("A group of priors.", _priors(inputs), _definitions()),
        "world": WorldSpec.model_json_schema(),
        "references": references,
        "correlations": correlations,
        "overlay": _overlay(inputs, references, correlations),
    }


def write(folder: Path) -> None:
    """Write every schema to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / f"{name}.json").write_text(as_text(schema), encoding="utf-8")


def as_text(schema: Schema) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _definitions() -> Schema:
    prior = PriorEntry.model_json_schema()
    return {**prior.pop("$defs"), "Prior": prior}


def _priors(inputs: Mapping[str, Input]) -> Schema:
    """The property of each prior: its dims, and the unit its own must convert to."""
    return {
        name: {
            "description": f"In a unit that converts to {wanted.unit}.",
            "allOf": [{"$ref": "#/$defs/Prior"}],
            "properties": {"dims": {"const": list(wanted.dims)}},
        }
        for name, wanted in inputs.items()
    }


def _closed(title: str, properties: Schema, definitions: Schema) -> Schema:
    return {
        "title": title,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _overlay(inputs: Mapping[str, Input], references: Schema, correlations: Schema) -> Schema:
    """An overlay has any part of a book, or null to remove it; that what it adds is whole, the loader checks."""
    world = _partial(WorldSpec.model_json_schema())
    definitions = _definitions()
    definitions |= {name: _removable(_partial(part)) for name, part in world.pop("$defs").items()}
    definitions |= references["$defs"] | correlations["$defs"]
    definitions["Removed"] = _removed_correlation(definitions["Correlation"])
    definitions["Prior"] = _removable(_partial(definitions["Prior"])) | {
        "if": {"properties": {"dist": NOTHING}, "required": ["dist"]},
        "else": {"dependentRequired": {"dist": list(RENEWED)}},
    }
    either = [{"$ref": "#/$defs/Correlation"}, {"$ref": "#/$defs/Removed"}]
    properties = {
        "extends": {"type": "string", "description": "base, a vintage's date, a scenario or a path beside this file"},
        "about": {"type": "string", "description": "What it supposes, and why."},
        "source": definitions["Prior"]["properties"]["source"]["anyOf"][0]
        | {"description": "What the values under set: stand on."},
        "set": {"type": "object", "description": "Values by path, such as price.b200.p95: 40000."},
        **_removable(world)["properties"],
        **_removable(references)["properties"],
        "correlations": correlations["properties"]["correlations"] | {"items": {"anyOf": either}},
        **{name: _nullable(prior) for name, prior in _priors(inputs).items()},
    }
    return _closed("An overlay on a book.", properties, definitions)


def _removable(schema: Schema) -> Schema:
    """A schema whose properties, and the entries of mappings among them, may be null."""
    properties = {name: _nullable(_with_null_entries(each)) for name, each in schema.get("properties", {}).items()}
    return schema | {"properties": properties} if properties else schema


def _with_null_entries(schema: Schema) -> Schema:
    changed = dict(schema)
    if isinstance(schema.get("additionalProperties"), dict):
        changed["additionalProperties"] = _nullable(_with_null_entries(schema["additionalProperties"]))
    if "anyOf" in schema:
        changed["anyOf"] = [_with_null_entries(each) for each in schema["anyOf"]]
    return changed


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _removed_correlation(correlation: Schema) -> Schema:
    """What removes a correlation: what it joins, and ``rho: null``."""
    fields = {name: correlation["properties"][name] for name in ("within", "between")} | {"rho": {"type": "null"}}
    return {"type": "object", "properties": fields, "required": ["rho"], "additionalProperties": False}


def _partial(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "required"}


if __name__ == "__main__":
    write(priors_folder() / "schema")
