"""How many variants a file makes, in which order, under which labels; and that a Latin hypercube is Latin."""

import re

import numpy as np
import pytest

from sim.errors import RefusedError
from sim.sweep.spec import LABEL, read_spec
from sim.sweep.variants import MOST, expand

CUBE = "mode: latin_hypercube\npoints: {points}\ndesign_seed: {seed}\nset:\n{ranges}"


def variants(written, text):
    return expand(read_spec(written(text)))


def cube(written, points, seed=0, **ranges):
    lines = "".join(f"  {path}: [{low}, {high}]\n" for path, (low, high) in ranges.items())
    return [each.values for each in variants(written, CUBE.format(points=points, seed=seed, ranges=lines))]


def test_expand__a_grid_crosses_everything_in_the_order_of_the_file(written):
    text = "scenarios: [base, x]\nvintages: [2024-02-08, 2025-02-12]\nset: {a: [1, 2, 3], b: [u, v]}\nseeds: [4, 5]\n"
    found = variants(written, text)
    assert len(found) == 2 * 2 * 3 * 2 * 2
    assert [(each.names, each.as_of, dict(each.values), each.seed) for each in found[:3]] == [
        (("base",), "2024-02-08", {"a": 1, "b": "u"}, 4),
        (("base",), "2024-02-08", {"a": 1, "b": "u"}, 5),
        (("base",), "2024-02-08", {"a": 1, "b": "v"}, 4),
    ]
    asked = [(each.names, each.as_of, tuple(each.values.items()), each.seed) for each in found]
    assert len(set(asked)) == len(asked)


def test_expand__a_label_says_what_differs_and_nothing_else(written):
    assert [each.label for each in variants(written, "seeds: [3]\n")] == ["base"]
    assert [each.label for each in variants(written, "set: {a: [1, 2], b: 7}\n")] == ["a=1", "a=2"]
    labels = [each.label for each in variants(written, "scenarios: [base, [x, y]]\nseeds: [0, 1]\n")]
    assert labels == ["base, seed 0", "base, seed 1", "x+y, seed 0", "x+y, seed 1"]


def test_expand__labels_are_safe_unique_and_short_whatever_the_names(written):
    names = ["<img src=x>", "=cmd()", "../../etc", "a" * 300, "a" * 300 + "b", "日本", "日木", "$x$"]
    quoted = ", ".join(f"'{name}'" for name in names)
    labels = [each.label for each in variants(written, f"scenarios: [{quoted}]\n")]
    assert len(set(labels)) == len(names)
    for label in labels:
        assert LABEL.fullmatch(label), label
        assert not re.search(r"[<>$@]|\.\./", label), label


def test_expand__a_list_is_taken_as_it_stands(written):
    second = "{label: a, scenario: [x, y], as_of: 2024-02-08, set: {p: 1}}"
    text = f"mode: list\nvariants:\n  - {{label: b, seed: 2}}\n  - {second}\n"
    first, second = variants(written, text)
    assert (first.label, first.names, first.as_of, dict(first.values), first.seed) == ("b", ("base",), None, {}, 2)
    assert (second.label, second.names, second.as_of, second.seed) == ("a", ("x", "y"), "2024-02-08", 0)
    assert dict(second.values) == {"p": 1}
    assert (second.places["p"].line, second.places["scenario"].line) == (4, 4)


def test_expand__counts_before_it_multiplies(written):
    axes = "".join(f"  p{i}: [{', '.join(map(str, range(10)))}]\n" for i in range(12))
    with pytest.raises(RefusedError, match=r"1,000,000,000,000 variants; one sweep has at most 10,000"):
        variants(written, f"set:\n{axes}")
    assert len(variants(written, f"seeds: [{', '.join(map(str, range(MOST)))}]\n")) == MOST
    with pytest.raises(RefusedError):
        variants(written, f"seeds: [{', '.join(map(str, range(MOST + 1)))}]\n")
    with pytest.raises(RefusedError):
        cube(written, MOST + 1, a=(0, 1))


@pytest.mark.parametrize("points", [2, 7, 64])
def test_hypercube__has_one_point_in_each_stratum_of_each_range(written, points):
    found = cube(written, points, a=(0, 1), b=(-5, 3), c=(100, 1000))
    assert len(found) == points
    for path, low, high in (("a", 0, 1), ("b", -5, 3), ("c", 100, 1000)):
        strata = np.floor((np.array([each[path] for each in found]) - low) / (high - low) * points)
        assert sorted(strata) == list(range(points)), path


def test_hypercube__is_the_same_each_time_and_another_with_another_seed(written):
    once, again, other = (cube(written, 16, seed, a=(0, 1), b=(0, 1)) for seed in (3, 3, 4))
    assert once == again
    assert [int(16 * each["a"]) for each in once] != [int(16 * each["a"]) for each in other]
    assert {16 * each["a"] % 1 for each in once}.isdisjoint(16 * each["a"] % 1 for each in other)


def test_hypercube__another_range_moves_no_point_of_the_first(written):
    assert [each["a"] for each in cube(written, 16, a=(0, 1))] == [
        each["a"] for each in cube(written, 16, b=(0, 1), a=(0, 1))
    ]


def test_hypercube__paths_are_not_in_step(written):
    """Rank correlation of 256 independent points is within 0.31 at alpha 1e-6 (4.9 / sqrt(255))."""
    found = cube(written, 256, a=(0, 1), b=(0, 1), c=(0, 1))
    columns = np.array([[each[path] for path in "abc"] for each in found])
    correlation = np.corrcoef(columns, rowvar=False)
    assert np.abs(correlation[np.triu_indices(3, 1)]).max() < 4.9 / np.sqrt(255)
    within = columns * 256 % 1  # places in the strata fill them evenly: mean 1/2, sd 1/sqrt(12)
    assert np.abs(within.mean() - 0.5) < 4.9 / np.sqrt(12 * columns.size)


def test_hypercube__crosses_its_points_with_scenarios(written):
    text = "mode: latin_hypercube\npoints: 12\nscenarios: [x, y]\nset: {a: [0, 1], horizon: 2031Q4}\n"
    found = variants(written, text)
    assert len(found) == 24
    assert [each.values["a"] for each in found[:12]] == [each.values["a"] for each in found[12:]]
    assert {each.values["horizon"] for each in found} == {"2031Q4"}
    assert (found[0].label, found[-1].label) == ("x, point 01", "y, point 12")
