"""The randomness contract: golden bits, published vectors, and what may and may not change a draw."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32
from scipy import special, stats

from sim import draws
from sim.distributions import Beta, Fixed, LogNormal, Normal, Uniform
from sim.draws import Entry

ALPHA = 1e-6  # each statistical check; keys are fixed and nothing is tried twice
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


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # Random123's kat_vectors for threefry2x32 with 20 rounds
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry__meets_the_published_vectors(key, counter, expected):
    got = draws._threefry(*(tuple(jnp.uint32(word) for word in pair) for pair in (key, counter)))
    assert tuple(int(word) for word in got) == expected


def test_bits__agree_with_jax_and_a_key_hashed_by_hand():
    first, n = 2**32 - 64, 64
    for stream, element, row in zip(STREAMS, ELEMENTS, bits_of(STREAMS, ELEMENTS, first, n), strict=True):
        parts = [SEED.to_bytes(4, "little"), stream.encode(), b"\x00"]
        digest = hashlib.sha256(b"".join(len(part).to_bytes(8, "little") + part for part in parts)).digest()
        key = jnp.array([int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")], jnp.uint32)
        low = np.arange(first, first + n).astype(np.uint32)
        words = threefry_2x32(key, jnp.asarray(np.concatenate([low, np.full(n, element)])))
        np.testing.assert_array_equal(row, np.asarray(words)[:n])


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


def test_bits__are_balanced_and_unrelated():
    """Each bit's mean, and each correlation between seeds, streams, elements, next draws and high words: sees 1 %."""
    n = 1 << 17
    rows = [
        bits_of(["s"], [0], 0, n),
        bits_of(["s"], [0], 0, n, seed=SEED + 1),
        bits_of(["s"], [0], 0, n, seed=-SEED),
        bits_of(["t"], [0], 0, n),
        bits_of(["s"], [1], 0, n),
        bits_of(["s"], [0], 1, n),
        bits_of(["s"], [0], 2**32, n),
    ]
    words = np.concatenate(rows)
    critical = -special.ndtri(ALPHA / 2)
    for place in range(32):
        ones = np.sum((words >> np.uint32(place)) & 1, axis=1)
        assert np.all(np.abs(ones - n / 2) < critical * np.sqrt(n) / 2)
    uniform = (words + 0.5) / 2**32
    off = np.corrcoef(uniform)[np.triu_indices(len(rows), 1)]
    assert np.all(np.abs(off) < critical / np.sqrt(n))
    square = np.corrcoef((uniform - 0.5) ** 2)[np.triu_indices(len(rows), 1)]
    assert np.all(np.abs(square) < critical / np.sqrt(n))


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
    """Neighbouring bits may differ by the rounding of float32; nothing coarser may be out of order."""
    bits = some_bits()
    got, expected = np.asarray(jax.jit(draws.scores)(bits)), exact_scores(bits)
    assert np.all(np.diff(got) >= -4 * np.spacing(np.abs(got[1:])))
    apart = np.searchsorted(expected, expected + 4e-6 * np.abs(expected))
    inside = apart < len(bits)
    assert np.all(got[apart[inside]] > got[inside])
    assert np.all((got > 0) == (bits >= 2**31))


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
        np.testing.assert_allclose(row, expected, rtol=1e-5)


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
PLACES = [6, 0, 1]


def test_copula__has_the_rank_correlations_asked():
    """Spearman's rho = (6 / pi) asin(pearson / 2) within 4.9 standard errors, at most 1 / sqrt(n): sees 0.01."""
    n = 1 << 17
    got = drawn(draws.plan(ENTRIES, NAMES, RANK), n=n)[PLACES]
    rho = stats.spearmanr(got, axis=1).statistic
    np.testing.assert_allclose(rho, RANK, atol=4.9 / np.sqrt(n))


def test_copula__leaves_margins_alone():
    n = 1 << 17
    got = drawn(draws.plan(ENTRIES, NAMES, RANK), n=n)
    for place in PLACES:
        assert stats.kstest(probability(ENTRIES[place].distribution, got[place]), "uniform").pvalue > ALPHA


def probability(distribution, x):
    family = {Normal: stats.norm, Uniform: stats.uniform, Beta: stats.beta}[type(distribution)]
    return family.cdf(x.astype(np.float64), *distribution.natural)


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
