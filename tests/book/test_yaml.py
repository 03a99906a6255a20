import time
import tracemalloc
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yaml import CSafeLoader, SafeLoader

from sim.book import yaml
from sim.errors import BookError, Place


def test_read_text__keeps_the_place_of_keys_values_and_items():
    book = yaml.read_text("price:\n  h100: [1, 2e3]\n", "a.yaml")
    price = book["price"]
    assert book.key_places["price"] == Place("a.yaml", 1, 1)
    assert price.key_places["h100"] == Place("a.yaml", 2, 3)
    assert price.value_places["h100"] == Place("a.yaml", 2, 9)
    assert yaml.place_of(book, ["price", "h100", 1]) == Place("a.yaml", 2, 13)
    assert yaml.place_of(book, ["price", "lognormal", "h100"]) == Place("a.yaml", 2, 9)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e6", 1e6),
        ("1e-3", 1e-3),
        ("1.e3", 1000.0),
        (".5", 0.5),
        ("-7", -7),
        ("+2.5", 2.5),
        ("0", 0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("'1'", "1"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("010", "010"),
        ("00", "00"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("1,000", "1,000"),
        ("5%", "5%"),
        ("2026-02-28", "2026-02-28"),
        ("1e", "1e"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("|\n  two\n  lines", "two\nlines\n"),
    ],
)
def test_read_text__reads_scalars_as_yaml_1_2(text, value):
    read = yaml.read_text(f"a: {text}\n", "a.yaml")["a"]
    assert read == value
    assert type(read) is type(value)


REFUSED = {
    "duplicate key": ("a: 1\nb: 2\na: 3\n", "yaml-duplicate-key", 3, 1, "lines 1 and 3"),
    "duplicate key inside": ("x:\n  a: {b: 1, 'b': 2}\n", "yaml-duplicate-key", 2, 13, "lines 2 and 2"),
    "number as a key": ("2024: 1\n", "yaml-key", 1, 1, 'quote it: "2024"'),
    "bool as a key": ("true: 1\n", "yaml-key", 1, 1, 'quote it: "true"'),
    "nothing as a key": ("~: 1\n", "yaml-key", 1, 1, "keys are text"),
    "list as a key": ("? [a]\n: 1\n", "yaml-key", 1, 3, "keys are text"),
    "python tag": ("a: !!python/object/apply:os.system [ls]\n", "yaml-tag", 1, 4, "os.system"),
    "core tag": ("a: !!str 1\n", "yaml-tag", 1, 4, "delete it"),
    "bare tag": ("a: ! 1\n", "yaml-tag", 1, 4, "delete it"),
    "tag on a key": ("!!str a: 1\n", "yaml-tag", 1, 1, "delete it"),
    "anchor": ("a: &x 1\n", "yaml-anchor", 1, 4, "&x"),
    "anchor on a list": ("a: &x [1]\n", "yaml-anchor", 1, 4, "&x"),
    "alias": ("a: *x\n", "yaml-anchor", 1, 4, "*x"),
    "alias as a key": ("*x : 1\n", "yaml-anchor", 1, 1, "*x"),
    "merge key": ("a:\n  <<: {b: 1}\n", "yaml-merge-key", 2, 3, "write the entries out"),
    "two documents": ("a: 1\n---\nb: 2\n", "yaml-documents", 2, 1, "its own file"),
    "list at the top": ("- a\n- b\n", "yaml-not-a-mapping", 1, 1, "a list"),
    "scalar at the top": ("hello\n", "yaml-not-a-mapping", 1, 1, "a single value"),
    "empty": ("", "yaml-empty", None, None, "empty"),
    "comment only": ("# nothing\n", "yaml-empty", None, None, "empty"),
    "empty document": ("---\n", "yaml-empty", None, None, "empty"),
    "version directive": ("%YAML 1.1\n---\na: 1\n", "yaml-directive", 1, 1, "delete it"),
    "tag directive": ("%TAG ! tag:x,2000:\n---\na: 1\n", "yaml-directive", 1, 1, "delete it"),
    "control character": ("a: x\x07y\n", "yaml-character", 1, 5, "U+0007"),
    "escaped control character": ('a: "x\\u0007y"\n', "yaml-character", 1, 4, "U+0007"),
    "bidi override": ("a: 1\nb: x\u202ey\n", "yaml-character", 2, 5, "RIGHT-TO-LEFT OVERRIDE"),
    "escaped bidi": ('a: "\\u202e"\n', "yaml-character", 1, 4, "U+202E"),
    "bidi in an escaped key": ('"\\u2066a": 1\n', "yaml-character", 1, 1, "U+2066"),
    "zero width": ("pri\u200bce: 1\n", "yaml-character", 1, 4, "ZERO WIDTH SPACE"),
    "not a number": ("a: .nan\n", "yaml-not-finite", 1, 4, "finite"),
    "infinity": ("a: -.inf\n", "yaml-not-finite", 1, 4, "finite"),
    "beyond float64": ("a: 1e999\n", "yaml-not-finite", 1, 4, "1.8e308"),
    "5,000 digits": (f"a: {'9' * 5000}\n", "yaml-digits", 1, 4, "5000 digits"),
    "21 digits": (f"a: {'9' * 21}\n", "yaml-digits", 1, 4, "write it as"),
    "open bracket": ("a: [1, 2\nb: 3\n", "yaml-syntax", 2, 2, "not YAML"),
    "tab as indent": ("a:\n\tb: 1\n", "yaml-syntax", 2, 1, "not YAML"),
    "bad escape": ('a: "\\q"\n', "yaml-syntax", 1, 5, "not YAML"),
    "21 levels": (f"a: {'[' * 20}{']' * 20}\n", "yaml-too-deep", 1, 23, "20 levels"),
}


@pytest.mark.parametrize(("text", "code", "line", "column", "words"), REFUSED.values(), ids=REFUSED)
def test_read_text__refuses_with_code_place_and_words(text, code, line, column, words):
    with pytest.raises(BookError) as caught:
        yaml.read_text(text, "a.yaml")
    error = caught.value
    assert (error.code, error.place) == (code, Place("a.yaml", line, column))
    assert words in str(error)


@pytest.mark.parametrize(
    ("data", "code", "line", "column"),
    [
        (b"a: 1\nb: caf\xe9\n", "yaml-not-utf8", 2, 7),
        ("a: 1\n".encode("utf-16"), "yaml-not-utf8", 1, 1),
        (b"\x00", "yaml-character", 1, 1),
        (b"a: 1\n" * 200_001, "yaml-too-large", None, None),
    ],
    ids=["latin-1", "utf-16", "nul", "large"],
)
def test_read__refuses_bytes_that_are_no_text(tmp_path: Path, data, code, line, column):
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    with pytest.raises(BookError) as caught:
        yaml.read(path)
    assert (caught.value.code, caught.value.place) == (code, Place(str(path), line, column))


def test_read__accepts_a_byte_order_mark(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert yaml.read(path) == {"a": 1}


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_read__refuses_what_cannot_be_read(tmp_path: Path, name):
    with pytest.raises(BookError) as caught:
        yaml.read(tmp_path / name)
    assert caught.value.code == "yaml-unreadable"


LAUGHS = "".join(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefgh"))
BOMBS = {
    "aliases": ("yaml-anchor", "a: &a [x]\n" + LAUGHS),
    "merge keys": ("yaml-anchor", "a: &a {x: 1}\n" + "b: {<<: *a}\n" * 20_000),
    "deep list": ("yaml-too-deep", "a: " + "[" * 900_000),
    "deep mapping": ("yaml-too-deep", "a: " + "{a: " * 200_000),
    "deep blocks": ("yaml-too-deep", "".join(" " * depth + "a:\n" for depth in range(1200))),
    "deep keys": ("yaml-too-deep", "a:\n - " + "- " * 400_000),
    "many values": ("yaml-too-many", "a: [" + "1," * 450_000 + "]"),
    "digits": ("yaml-digits", "a: " + "9" * 900_000),
    "long float": ("yaml-not-finite", "a: " + "9" * 900_000 + ".0"),
    "large": ("yaml-too-large", "a: " + "x" * 5_000_000),
}


@pytest.mark.parametrize(("code", "text"), BOMBS.values(), ids=BOMBS)
def test_read_text__refuses_bombs_in_a_second(code, text):
    start = time.process_time()
    with pytest.raises(BookError) as caught:
        yaml.read_text(text, "bomb.yaml")
    assert time.process_time() - start < 1
    assert caught.value.code == code
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", [text for _, text in BOMBS.values()], ids=BOMBS)
def test_read_text__refuses_bombs_in_200_MB(text):
    tracemalloc.start()
    try:
        with pytest.raises(BookError):
            yaml.read_text(text, "bomb.yaml")
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()


def test_read_value__names_the_option_instead_of_a_line():
    assert yaml.read_value("{family: fixed, value: 4e1}", "--set a") == {"family": "fixed", "value": 40.0}
    with pytest.raises(BookError) as caught:
        yaml.read_value("{a: 1, a: 2}", "--set a")
    assert caught.value.place == Place("--set a")
    assert "given twice" in str(caught.value)


def test_read_text__tells_null_from_nothing_written():
    node = yaml.read_text("a:\nb: null\nc: ~\nd: ''\ne: {f: , g: 1}\n", "a.yaml")
    assert (node.blank, node["e"].blank) == ({"a"}, {"f"})
    assert (node.without("b").blank, node.without("a").blank) == ({"a"}, set())


YAML_SIGNS = st.text("ab01:-?[]{},&*!|>'\"%#@ \n\t.~<\\uUx\x07\u202e\ud800", max_size=60)


def outcome(read, source):
    try:
        return read(source)
    except BookError as error:
        return error


@given(st.one_of(YAML_SIGNS, st.text(max_size=60)), st.sampled_from([SafeLoader, CSafeLoader]))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_read_text__raises_nothing_but_BookError(text, loader):
    with patch.object(yaml, "_LOADER", loader):
        result = outcome(lambda source: yaml.read_text(source, "a.yaml"), text)
    if isinstance(result, BookError):
        assert result.code.startswith("yaml-")
        assert result.place.file == "a.yaml"
    else:
        assert isinstance(yaml.plain(result), dict)


@given(st.binary(max_size=80))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_read__raises_nothing_but_BookError(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bytes") / "a.yaml"
    path.write_bytes(data)
    assert isinstance(outcome(yaml.read, path), BookError | dict)
