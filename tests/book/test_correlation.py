import numpy as np
import pytest

ENTRY = """  - {}
    rho: {}
    source:
      - {{judgement: "A test."}}
    reasoning: A test.
"""


def correlations(*entries: tuple[str, object]) -> str:
    return "correlations:\n" + "".join(ENTRY.format(subject, rho) for subject, rho in entries)


def test_read_correlations__gives_sorted_streams_and_their_matrix(small):
    streams, matrix = small.load().correlation
    assert streams == ["drift", "price[n1]", "price[n2]", "price[s1]"]
    np.testing.assert_array_equal(matrix, [[1, -0.2, 0, 0], [-0.2, 1, 0.5, 0.5], [0, 0.5, 1, 0.5], [0, 0.5, 0.5, 1]])


def test_read_correlations__pairs_two_priors_label_by_label(small):
    small.write("base/correlations.yaml", correlations(("between: [speed, price]", 0.3)))
    small.edit("base/chips.yaml", "{family: fixed, value: 1}", "{family: uniform, lower: 1, upper: 2}")
    streams, matrix = small.load().correlation
    assert len(streams) == 6
    assert {(streams[a], streams[b]) for a, b in np.argwhere(np.triu(matrix, 1))} == {
        (f"price[{chip}]", f"speed[{chip}]") for chip in ("n1", "n2", "s1")
    }


def test_read_correlations__leaves_out_what_is_fixed(small):
    small.write("base/correlations.yaml", correlations(("between: [speed, price]", 0.3), ("within: price", 0.5)))
    book = small.load()
    assert len(book.correlated) == 6
    assert book.correlation[0] == ["price[n1]", "price[n2]", "price[s1]"]


def test_read_correlations__names_labels_of_a_pair(small):
    small.edit(
        "base/money.yaml", "default: {family: fixed, value: 1}", "default: {family: uniform, lower: 1, upper: 2}"
    )
    small.write("base/correlations.yaml", correlations(('between: ["weight[acme/north]", "weight[acme/south]"]', -1)))
    streams, matrix = small.load().correlation
    assert streams == ["weight[acme/north]", "weight[acme/south]"]
    np.testing.assert_array_equal(matrix, [[1, -1], [-1, 1]])


def test_read_correlations__leaves_out_what_is_uncorrelated(small):
    small.write("base/correlations.yaml", correlations(("within: price", 0)))
    streams, matrix = small.load().correlation
    assert streams == []
    assert matrix.shape == (0, 0)


def test_read_correlations__does_not_need_the_file(small):
    (small.root / "base/correlations.yaml").unlink()
    assert small.load().correlation[0] == []


@pytest.mark.parametrize("rho", [1, 0.999, -0.48])
def test_read_correlations__accepts_what_is_positive_semidefinite(small, rho):
    small.write("base/correlations.yaml", correlations(("within: price", rho)))
    assert small.load().correlation[1][0, 1] == rho


def test_read_correlations__refuses_what_is_not_and_says_what_mends_it(small):
    def entries(share: float) -> str:
        pairs = [("n1", "n2", 0.9), ("n2", "s1", 0.9), ("n1", "s1", -0.9)]
        return correlations(*((f'between: ["price[{a}]", "price[{b}]"]', share * rho) for a, b, rho in pairs))

    small.write("base/correlations.yaml", entries(1))
    fault = small.fault()
    assert (fault.code, fault.place.line) == ("book-not-psd", 2)
    pearson = 2 * np.sin(np.pi * np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]) / 6)
    assert f"smallest eigenvalue {np.linalg.eigvalsh(pearson)[0]:.3g}" in fault.problem
    share = float(fault.remedy.split(" by ")[1].split(",")[0])
    small.write("base/correlations.yaml", entries(share))
    assert len(small.load().correlation[0]) == 3
    small.write("base/correlations.yaml", entries(share + 0.01))
    assert small.fault().code == "book-not-psd"


BAD = {
    "rho above 1": (("within: price", 1.01), 3, "book-value", ["less than or equal to 1"]),
    "rho below -1": (("within: price", -2), 3, "book-value", ["greater than or equal to -1"]),
    "rho as a percentage": (("within: price", "50%"), 3, "book-type", ["write 0.5"]),
    "unknown prior": (("within: prices", 0.5), 2, "book-unknown-name", ["'prices'", "did you mean 'price'"]),
    "unknown label": (('between: [drift, "price[n9]"]', 0.5), 2, "book-unknown-name", ["did you mean 'price[n"]),
    "label of a scalar": (('between: ["drift[n1]", speed]', 0.5), 2, "book-unknown-name", ["did you mean 'drift'"]),
    "one number": (("within: drift", 0.5), 2, "book-value", ["one number"]),
    "a series": (("within: band", 0.5), 2, "book-dims", ["band_supplier, time"]),
    "other dims": (("between: [price, weight]", 0.5), 2, "book-dims", ["do not have the same labels"]),
    "scalar and labels": (("between: [price, drift]", 0.5), 2, "book-dims", ["do not have the same labels"]),
    "with itself": (("between: [drift, drift]", 0.5), 2, "book-duplicate", ["the same"]),
    "three": (("between: [drift, price, speed]", 0.5), 2, "book-value", ["between"]),
    "one": (("between: [drift]", 0.5), 2, "book-value", ["between"]),
    "both": (("within: price\n    between: [drift, price]", 0.5), 2, "book-value", ["either within"]),
    "neither": (("within_: price", 0.5), 2, "book-unknown-key", ["did you mean 'within'"]),
}


@pytest.mark.parametrize(("entry", "line", "code", "words"), BAD.values(), ids=BAD)
def test_read_correlations__refuses_with_code_line_and_words(small, entry, line, code, words):
    small.write("base/correlations.yaml", correlations(entry))
    fault = small.fault()
    assert (fault.code, fault.place.line) == (code, line), str(fault)
    assert [word for word in words if word not in str(fault)] == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("within: price", "within: price"),
        ("between: [drift, price]", "between: [price, drift]"),
        ("within: price", 'between: ["price[n2]", "price[n1]"]'),
    ],
)
def test_read_correlations__refuses_a_pair_joined_twice(small, first, second):
    small.write("base/correlations.yaml", correlations((first, 0.5), (second, 0.4)))
    fault = small.faults()[-1]
    assert (fault.code, fault.place.line) == ("book-duplicate", 7)


@pytest.mark.parametrize(
    "text", ["correlations: {within: price}\n", "correlations: price\n", "correlations: [price]\n"]
)
def test_by_subject__refuses_what_is_no_list_of_mappings(small, text):
    small.write("base/correlations.yaml", text)
    assert small.fault().code == "book-type"
