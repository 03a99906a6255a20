import pytest

from sim.book.check import LISTED, BookFaults, Faults, described, nearest
from sim.errors import BookError


def test_Faults__raise_a_single_fault_as_it_is():
    faults = Faults()
    error = BookError("book-value", "wrong")
    with faults.collect():
        raise error
    with pytest.raises(BookError) as caught:
        faults.check()
    assert caught.value is error


def test_Faults__raise_several_together_and_show_the_first():
    faults = Faults()
    for number in range(LISTED + 5):
        with faults.collect():
            raise BookError("book-value", f"fault {number}")
    with pytest.raises(BookFaults) as caught:
        faults.check()
    assert len(caught.value.faults) == LISTED + 5
    assert f"fault {LISTED - 1} " in str(caught.value)
    assert f"fault {LISTED} " not in str(caught.value)
    assert "and 5 more" in str(caught.value)


def test_Faults__keep_what_a_part_collected():
    inner, outer = Faults(), Faults()
    inner.found = [BookError("book-value", "one"), BookError("book-value", "two")]
    with outer.collect():
        inner.check()
    assert outer.found == inner.found


def test_Faults__let_other_errors_pass():
    with pytest.raises(KeyError), Faults().collect():
        raise KeyError("not ours")


def test_nearest__suggests_or_lists():
    assert nearest("pirce", ["price", "ramp"]) == "did you mean 'price'?"
    assert nearest("zzz", ["price", "ramp"]) == "known: price, ramp"
    assert nearest("zzz", [f"k{number}" for number in range(20)]).endswith("k11, ...")
    assert nearest("zzz", []) == "known: none"


def test_described__cuts_long_text():
    assert len(described("x" * 10_000)) < 80
