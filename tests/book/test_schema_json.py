import json

import pytest

from sim.axes import INPUTS
from sim.book import priors_folder
from sim.book.priors import OVERLAY_KEYS, SECTIONS
from sim.book.schema_json import as_text, schemas, write

FOLDER = priors_folder() / "schema"


@pytest.mark.parametrize("name", schemas())
def test_schemas__are_checked_in_as_generated(name):
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert text == as_text(schemas()[name]), "run: python -m sim.book.schema_json"


def test_write__writes_every_schema_and_no_other(tmp_path):
    write(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {path.name for path in FOLDER.iterdir()} == {f"{name}.json" for name in schemas()}


def test_schemas__know_every_prior_and_its_dims():
    priors = schemas()["group"]["properties"]
    assert {name: tuple(prior["properties"]["dims"]["const"]) for name, prior in priors.items()} == {
        name: entry.dims for name, entry in INPUTS.items()
    }


def test_schemas__let_an_overlay_have_any_part_of_a_book():
    assert set(schemas()["overlay"]["properties"]) == {*OVERLAY_KEYS, *SECTIONS, *INPUTS}


def test_schemas__let_an_overlay_remove_with_null():
    overlay = schemas()["overlay"]
    null = {"type": "null"}
    assert null in overlay["properties"]["price"]["anyOf"]
    assert null in overlay["properties"]["chips"]["anyOf"][0]["additionalProperties"]["anyOf"]
    assert null in overlay["$defs"]["Chip"]["properties"]["retires"]["anyOf"]
    assert (
        null in overlay["$defs"]["Prior"]["properties"]["dist"]["anyOf"][0]["anyOf"][1]["additionalProperties"]["anyOf"]
    )
    assert null in [each.get("properties", {}).get("rho") for each in overlay["$defs"].values()]
    assert "null" not in str(schemas()["group"]["$defs"]["Prior"])


@pytest.mark.parametrize("name", schemas())
def test_schemas__resolve_their_references_and_refuse_unknown_keys(name):
    schema = schemas()[name]
    text = json.dumps(schema)
    named = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert named <= set(schema["$defs"])
    assert schema["additionalProperties"] is False
