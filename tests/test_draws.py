"""The randomness contract: golden bits, published vectors, and what may and may not change a draw."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from sim import draws
from sim.distributions import Beta, Fixed, LogNormal, Normal, Uniform
from sim.distributions.family import MILLS_OVER, MILLS_UNDER, lower_tail
from sim.distributions.tables import REACH
from sim.draws import Entry

SEED = 20260228
STREAMS = ["price/h100", "capex_drift"]
ELEMENTS = np.array([0, 7], dtype=np.uint32)

NORMAL = Normal(family="normal", mean=2, sd=3)
SHARE = Beta(family="beta", a=2, b=5)
PRICE = LogNormal(family="lognormal", p05=22e3, p95=34e3)
UNIFORM = Uniform(family="uniform", lower=0, upper=1)
KNOWN = Fixed(family="fixed", value=7)

ENTRIES = [
    Entry("a", 0, NORMAL),
    Entry("b", 0, SHARE),
    Entry("known", 0, KNOWN),
    Entry("c", 0, NORMAL),
    Entry("growth", 0, PRICE),
    Entry("growth", 1, PRICE),
    Entry("d", 0, UNIFORM),
]


compiled_bits = jax.jit(draws.bits, static_argnames="n")


def bits_of(streams, elements, first, n, seed=SEED):
    high, low = draws.words(first, n)
    return np.asarray(compiled_bits(draws.keys(streams, seed, high), np.array(elements, np.uint32), low, n))


def drawn(plan, n=1024, first=0, seed=SEED, dtype=jnp.float32):
    """Values by entry, from a jitted program that takes the plan's numbers at run time."""
    high, low = draws.words(first, n)

    @jax.jit
    def program(keys, numbers, low):
        z = draws.normals(keys, numbers.elements, low, n, dtype)
        return draws.values(plan.layout, numbers, z)

    return np.asarray(program(draws.keys(plan.streams, seed, high), plan.numbers, low))


# the generator


def threefry(key, counter):
    """Threefry2x32 with 20 rounds in Python's integers, written from Salmon et al. 2011."""
    mask, (x, y) = 2**32 - 1, counter
    schedule = (*key, 0x1BD11BDA ^ key[0] ^ key[1])
    x, y = (x + schedule[0]) & mask, (y + schedule[1]) & mask
    for number in range(20):
        turn = (13, 15, 26, 6, 17, 29, 16, 24)[number % 8]
        x = (x + y) & mask
        y = (y << turn & mask | y >> 32 - turn) ^ x
        if number % 4 == 3:
            group = number // 4 + 1
            x, y = (x + schedule[group % 3]) & mask, (y + schedule[(group + 1) % 3] + group) & mask
    return x, y


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # Random123's kat_vectors for threefry2x32 with 20 rounds
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry__meets_the_published_vectors(key, counter, expected):
    assert threefry(key, counter) == expected
    got = draws._threefry(*(tuple(jnp.uint32(word) for word in pair) for pair in (key, counter)))
    assert tuple(int(word) for word in got) == expected


@pytest.mark.parametrize(("first", "high"), [(0, b"\x00"), (2**32 - 64, b"\x00"), (2**32 + 1, b"\x01")])
def test_bits__agree_with_python_and_a_key_hashed_by_hand(first, high):
    n = 64
    for stream, element, row in zip(STREAMS, ELEMENTS, bits_of(STREAMS, ELEMENTS, first, n), strict=True):
        parts = [SEED.to_bytes(4, "little"), stream.encode(), high]
        digest = hashlib.sha256(b"".join(len(part).to_bytes(8, "little") + part for part in parts)).digest()
        key = int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")
        words = [threefry(key, (draw % 2**32, int(element)))[0] for draw in range(first, first + n)]
        np.testing.assert_array_equal(row, np.array(words, np.uint32))


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (0, [[0x7BF54EFD, 0x5E2CD1F0], [0x1F015F17, 0xB303F284]]),
        (2**32 - 2, [[0xC3FCAA45, 0x9B10E1A1], [0xE1233D9A, 0xD4E1B383]]),
        (2**32 + 1, [[0x6ABB941E, 0x14C6A36F], [0x0545BA47, 0x5084B98A]]),
    ],
)
def test_bits__are_golden(first, expected):
    np.testing.assert_array_equal(bits_of(STREAMS, ELEMENTS, first, 2), np.array(expected, np.uint32))


def test_bits__x64_changes_nothing():
    with jax.enable_x64(False):
        single = bits_of(STREAMS, ELEMENTS, 2**32 + 1, 64)
        single_scores = np.asarray(jax.jit(draws.scores)(single))
    with jax.enable_x64(True):
        double = bits_of(STREAMS, ELEMENTS, 2**32 + 1, 64)
        double_scores = np.asarray(jax.jit(draws.scores)(single))
        exact_scores = np.asarray(draws.scores(jnp.asarray(single), jnp.float64))
    np.testing.assert_array_equal(single, double)
    np.testing.assert_array_equal(single_scores, double_scores)
    assert exact_scores.dtype == np.float64
    np.testing.assert_allclose(single_scores, exact_scores, rtol=1e-6)


def test_bits__are_the_same_alone_or_in_any_block():
    whole = bits_of(STREAMS, ELEMENTS, 0, 256)
    np.testing.assert_array_equal(bits_of(STREAMS, ELEMENTS, 0, 512)[:, :256], whole)
    np.testing.assert_array_equal(bits_of(STREAMS, ELEMENTS, 128, 64), whole[:, 128:192])
    np.testing.assert_array_equal(bits_of(STREAMS[1:], ELEMENTS[1:], 77, 1), whole[1:, 77:78])


@pytest.mark.parametrize(("first", "n"), [(2**32 - 1, 2), (-1, 1)])
def test_words__refuses_a_block_of_two_high_words(first, n):
    with pytest.raises(ValueError, match="no block"):
        draws.words(first, n)


def test_words__splits_beyond_32_bits():
    assert draws.words(3 * 2**32 + 5, 8) == (3, 5)
    assert draws.words(2**32 - 8, 8) == (0, 2**32 - 8)


def test_keys__tell_any_integers_and_names_apart():
    seeds = [0, 1, -1, 127, 128, 255, 256, -128, -129, 2**31, 2**32, 2**64, -(2**64), 10**4999 + 7, -(10**4999)]
    names = ["a", "b", "ab", ""]
    found = [tuple(key) for seed in seeds for high in (0, 1) for key in draws.keys(names, seed, high)]
    assert len(set(found)) == len(seeds) * 8
    assert draws.keys(["a"], np.int64(-5)).tolist() == draws.keys(["a"], -5).tolist()
    with pytest.raises(TypeError):
        draws.keys(["a"], 1.5)


# scores


def some_bits():
    rng = np.random.default_rng(1)
    ends = np.arange(2048)
    parts = [ends, 2**31 - 1 - ends, 2**31 + ends, 2**32 - 1 - ends, rng.integers(0, 2**32, 200_000)]
    parts.append((2.0 ** rng.uniform(0, 31, 100_000)).astype(np.int64))
    return np.unique(np.concatenate(parts)).astype(np.uint32)


def exact_scores(bits):
    upper = bits >= 2**31
    tail = (np.where(upper, ~bits, bits).astype(np.float64) + 0.5) / 2**32
    return np.where(upper, -1.0, 1.0) * special.ndtri(tail)


def test_scores__are_accurate_in_the_middle_and_both_tails():
    bits = some_bits()
    got, expected = np.asarray(jax.jit(draws.scores)(bits)), exact_scores(bits)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert got[-1] == -got[0] > 6.33


def test_scores__increase_with_the_bits():
    """Neighbouring bits may differ by the rounding of float32, 6 units of it; nothing coarser may be out of order."""
    bits = some_bits()
    got, expected = np.asarray(jax.jit(draws.scores)(bits)), exact_scores(bits)
    assert np.all(np.diff(got) >= -6 * np.spacing(np.abs(got[1:])))
    apart = np.searchsorted(expected, expected + 4e-6 * np.abs(expected))
    inside = apart < len(bits)
    assert np.all(got[apart[inside]] > got[inside])
    assert np.all((got > 0) == (bits >= 2**31))


def fitted_ratio(x, y, over, under):
    """Coefficients of the ratio of polynomials with the least relative error at its worst, by Lawson's weights."""
    powers = np.vander(x, max(over, under), increasing=True)
    bottom, weights, best = np.ones_like(y), np.ones_like(y), (np.inf,)
    for _ in range(100):
        scale = np.sqrt(weights) / (y * bottom)
        system = np.hstack([powers[:, :over], -y[:, None] * powers[:, 1:under]]) * scale[:, None]
        solved = np.linalg.lstsq(system, y * scale, rcond=1e-16)[0]
        top, bottom = powers[:, :over] @ solved[:over], 1 + powers[:, 1:under] @ solved[over:]
        error = np.abs(top / bottom / y - 1)
        best = min(best, (error.max(), solved[:over], solved[over:]), key=lambda found: found[0])
        weights = weights * (error + 1e-12) / np.mean(weights * error)
    return best


def off(x, y, over, under):
    """Worst relative error of a ratio of polynomials."""
    return np.abs(np.polynomial.polynomial.polyval(x, over) / np.polynomial.polynomial.polyval(x, under) / y - 1).max()


def chebyshev_points(low, high, n=500):
    return (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * (np.arange(n) + 0.5) / n)


def test_scores__coefficients_are_as_good_as_any():
    farthest = -np.log(4 * 0.5**33 * (1 - 0.5**33))
    s = chebyshev_points(np.sqrt(draws.SHIFT), np.sqrt(draws.SHIFT + farthest))
    w = s**2 - draws.SHIFT
    centred = np.sqrt(-np.expm1(-w))
    y = -special.ndtri(np.exp(-w) / (2 * (1 + centred))) / centred
    best, *_ = fitted_ratio(s - draws.START, y, len(draws.OVER), len(draws.UNDER))
    assert off(s - draws.START, y, draws.OVER, draws.UNDER) < 1.1 * best < 2e-7


def test_log__is_accurate_over_all_octaves():
    x = np.geomspace(0.5**34, 1, 100_001).astype(np.float32)
    error = np.asarray(jax.jit(draws._log)(x)) - np.log(x.astype(np.float64))
    assert np.all(np.abs(error) < 6e-7 + 1e-7 * np.abs(np.log(x)))


def test_lower_tail__coefficients_are_as_good_as_any_and_it_is_accurate():
    x = chebyshev_points(0, REACH)
    y = special.erfcx(x / np.sqrt(2)) / 2
    best, *_ = fitted_ratio(x, y, len(MILLS_OVER), len(MILLS_UNDER))
    assert off(x, y, MILLS_OVER, MILLS_UNDER) < 1.1 * best < 1e-7
    z = np.linspace(-REACH, REACH, 100_001).astype(np.float32)
    np.testing.assert_allclose(jax.jit(lower_tail)(z), special.ndtr(-np.abs(z.astype(np.float64))), rtol=3e-6)


# plans and values


def test_values__come_in_the_order_of_the_entries_with_fixed_ones_between():
    got = drawn(draws.plan(ENTRIES), n=4096)
    assert got.shape == (len(ENTRIES), 4096)
    assert np.all(got[2] == 7)
    for row, entry in zip(got, ENTRIES, strict=True):
        middle = entry.distribution.quantile(0.5)
        spread = entry.distribution.quantile(0.9) - entry.distribution.quantile(0.1)
        assert abs(np.median(row) - middle) <= 0.1 * spread
    assert np.abs(np.corrcoef(np.delete(got, 2, axis=0)) - np.eye(6)).max() < 0.1


def test_values__are_each_familys_value_of_its_own_score():
    got = drawn(draws.plan(ENTRIES), n=64)
    for row, (stream, element, distribution) in zip(got, ENTRIES, strict=True):
        bits = bits_of([stream], [element], 0, 64)[0]
        expected = distribution.ppf((bits + 0.5) / 2**32)
        spread = distribution.quantile(0.75) - distribution.quantile(0.25)
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6 * spread)


def test_plan__solves_nothing_twice():
    first = draws.plan([Entry("x", 0, SHARE)])
    before = draws._params.cache_info().misses
    again = draws.plan([Entry("y", 0, Beta(family="beta", a=2, b=5))])
    assert draws._params.cache_info().misses == before
    np.testing.assert_array_equal(again.numbers.params[0], first.numbers.params[0])


def test_values__do_not_change_with_other_entries_their_order_or_n():
    whole = drawn(draws.plan(ENTRIES), n=1024)
    order = [3, 6, 0, 5, 2, 4, 1]
    np.testing.assert_array_equal(drawn(draws.plan([ENTRIES[i] for i in order])), whole[order])
    more = [Entry("new", 3, SHARE), *ENTRIES, Entry("growth", 2, PRICE)]
    np.testing.assert_array_equal(drawn(draws.plan(more))[1:-1], whole)
    np.testing.assert_array_equal(drawn(draws.plan(ENTRIES), n=2048)[:, :1024], whole)
    np.testing.assert_array_equal(drawn(draws.plan(ENTRIES), n=128, first=256), whole[:, 256:384])


def test_values__a_new_width_recompiles_nothing():
    traced = []
    plan = draws.plan(ENTRIES)
    wider = draws.plan([e._replace(distribution=e.distribution.scaled(2)) for e in ENTRIES])
    assert hash(plan.layout) == hash(wider.layout)
    assert plan.layout == wider.layout

    @jax.jit
    def program(keys, numbers):
        traced.append(1)
        return draws.values(plan.layout, numbers, draws.normals(keys, numbers.elements, jnp.uint32(0), 8))

    once, twice = (np.asarray(program(draws.keys(p.streams, SEED), p.numbers)) for p in (plan, wider))
    assert len(traced) == 1
    np.testing.assert_allclose(twice, 2 * once, rtol=2e-6)


def test_values__all_fixed_needs_no_random_number():
    plan = draws.plan([Entry("x", 0, KNOWN), Entry("y", 4, KNOWN)])
    assert plan.streams == ()
    np.testing.assert_array_equal(drawn(plan, n=3), np.full((2, 3), 7.0, np.float32))


def test_values__float64_agrees_with_float32():
    with jax.enable_x64(True):
        double = drawn(draws.plan(ENTRIES), dtype=jnp.float64)
    assert double.dtype == np.float64
    np.testing.assert_allclose(drawn(draws.plan(ENTRIES)), double, rtol=2e-5, atol=1e-5)


# the copula

NAMES = ("d", "a", "b")
RANK = np.array([[1.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 1.0]])


def test_copula__touches_only_its_members():
    plain, tied = drawn(draws.plan(ENTRIES)), drawn(draws.plan(ENTRIES, NAMES, RANK))
    outside = [2, 3, 4, 5]
    np.testing.assert_array_equal(tied[outside], plain[outside])
    grown = np.eye(4)
    grown[:3, :3] = RANK
    np.testing.assert_allclose(drawn(draws.plan(ENTRIES, (*NAMES, "c"), grown)), tied, rtol=1e-5)


def test_copula__depends_on_no_order():
    whole = drawn(draws.plan(ENTRIES, NAMES, RANK))
    order = [1, 2, 0]
    turned = draws.plan(ENTRIES, [NAMES[i] for i in order], RANK[np.ix_(order, order)])
    np.testing.assert_array_equal(drawn(turned), whole)
    np.testing.assert_array_equal(drawn(draws.plan(ENTRIES[::-1], NAMES, RANK))[::-1], whole)


@pytest.mark.parametrize("sign", [1, -1])
def test_copula__perfect_correlation_is_allowed(sign):
    pair = [Entry("a", 0, NORMAL), Entry("c", 0, NORMAL)]
    got = drawn(draws.plan(pair, ("a", "c"), np.array([[1.0, sign], [sign, 1.0]])))
    np.testing.assert_allclose(got[1] - 2, sign * (got[0] - 2), atol=1e-5)
    assert 2.5 < got[0].std() < 3.5


def test_copula__identity_is_no_copula():
    np.testing.assert_array_equal(drawn(draws.plan(ENTRIES, NAMES, np.eye(3))), drawn(draws.plan(ENTRIES)))


IMPOSSIBLE = np.array([[1.0, 0.9, 0.9], [0.9, 1.0, -0.9], [0.9, -0.9, 1.0]])


@pytest.mark.parametrize(
    ("entries", "names", "matrix", "message"),
    [
        ([*ENTRIES, ENTRIES[0]], (), None, "element 0 of stream 'a' is given twice"),
        ([Entry("a", 2**32, NORMAL)], (), None, "must lie between 0 and"),
        ([Entry("a", -1, NORMAL)], (), None, "must lie between 0 and"),
        (ENTRIES, ("a", "nowhere"), np.eye(2), "'nowhere' must have one element, it has 0"),
        (ENTRIES, ("a", "growth"), np.eye(2), "'growth' must have one element, it has 2"),
        (ENTRIES, ("a", "known"), np.eye(2), "'known' is fixed"),
        (ENTRIES, ("a", "a"), np.eye(2), "correlated twice"),
        (ENTRIES, ("a", "b"), np.eye(3), "symmetric 2 x 2"),
        (ENTRIES, ("a", "b"), np.array([[1, 0.5], [0.4, 1]]), "symmetric"),
        (ENTRIES, ("a", "b"), 2 * np.eye(2), "ones on its diagonal"),
        (ENTRIES, ("a", "b"), np.array([[1, 1.5], [1.5, 1]]), "between -1 and 1"),
        (ENTRIES, NAMES, IMPOSSIBLE, "bring the largest ones closer to 0"),
    ],
)
def test_plan__refuses_with_the_names_and_the_remedy(entries, names, matrix, message):
    with pytest.raises(ValueError, match=message):
        draws.plan(entries, names, matrix)
