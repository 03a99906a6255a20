"""Sobol points: Joe and Kuo's numbers, Owen's scrambling, dimensions by name, and what is gained."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from benchmarks import importance
from sim import draws, sobol
from sim.errors import RefusedError

ALPHA = 1e-6  # each statistical check; keys are fixed and nothing is tried twice
FAR = stats.norm.isf(ALPHA / 2)
SEED = 20260228
WORD = 32
UNIT, R = sobol.UNIT, sobol.RANDOMISATIONS

compiled_bits = jax.jit(sobol.bits, static_argnames="n")
compiled_random = jax.jit(draws.bits, static_argnames="n")
compiled_scores = jax.jit(draws.scores)


def bits_of(dimensions, first, n, randomisation=0, seed=SEED, stream="variate"):
    """Points first to first + n - 1 of one stream's elements 0, 1, ... in the given dimensions, scrambled."""
    names = [f"{stream} {element}" for element in range(len(dimensions))]
    return points(draws.keys(names, seed, randomisation), sobol.directions(np.asarray(dimensions)), first, n)


def points(keys, directions, first, n):
    """Points of a sequence, from the units of draws that hold them; ``keys`` serve for every randomisation."""
    begin, end = first // UNIT, -(-(first + n) // UNIT)
    keys, units = np.broadcast_to(keys, (R, *keys.shape)), np.arange(begin, end, dtype=np.uint32) * np.uint32(R)
    found = [np.asarray(compiled_bits(keys, directions, unit, UNIT)) for unit in units]
    return np.concatenate(found, axis=1)[:, first % UNIT :][:, :n]


def plain_bits(dimensions, n):
    """Bits of the sequence itself, from the direction numbers."""
    directions = sobol.directions(np.asarray(dimensions))
    return np.asarray(sobol._reversed(sobol._xor(jnp.asarray(directions), jnp.arange(n, dtype=jnp.uint32))))


def intervals(bits, digits):
    """Which of 2^digits equal intervals each word lies in, without losing digits 0."""
    return bits.astype(np.uint64) >> np.uint64(WORD - digits)


# the sequence


def test_directions__give_scipys_points_in_natural_order():
    n, count = 256, 1300
    gray = np.arange(n) ^ (np.arange(n) >> 1)
    expected = qmc.Sobol(count, scramble=False, bits=WORD).random(n) * 2.0**WORD
    np.testing.assert_array_equal(plain_bits(np.arange(count), n)[:, gray].T, expected)


@pytest.mark.parametrize(
    ("dimension", "degree", "coefficients", "first"),
    [  # lines of Joe and Kuo's new-joe-kuo-6.21201, which count dimensions from 1
        (1, 1, 0, [1]),
        (2, 2, 1, [1, 3]),
        (3, 3, 1, [1, 3, 1]),
        (4, 3, 2, [1, 1, 1]),
        (5, 4, 1, [1, 1, 3, 3]),
        (6, 4, 4, [1, 3, 5, 13]),
        (9, 5, 7, [1, 1, 7, 11, 19]),
    ],
)
def test_directions__follow_the_recurrence_to_the_last_digit(dimension, degree, coefficients, first):
    numbers = list(first)
    for i in range(degree, WORD):
        number = numbers[i - degree] ^ (numbers[i - degree] << degree)
        for back in range(1, degree):
            number ^= ((coefficients >> (degree - 1 - back)) & 1) * (numbers[i - back] << back)
        numbers.append(number)
    expected = [int(f"{number << (WORD - 1 - i):032b}"[::-1], 2) for i, number in enumerate(numbers)]
    assert sobol.directions(np.array([dimension]))[0].tolist() == expected


def test_directions__begin_with_van_der_corput():
    np.testing.assert_array_equal(plain_bits([0], 8)[0] >> 29, [0, 4, 2, 6, 1, 5, 3, 7])
    np.testing.assert_array_equal(sobol.directions(np.array([0]))[0], 1 << np.arange(WORD))


# the scramble


@pytest.mark.parametrize("first", [0, 1024, 7 * 1024, 2**32 - 1024])
def test_bits__put_one_point_into_each_equal_interval(first):
    n, dimensions = 1024, [*range(300), 1210, 5000, 21200]
    found = intervals(bits_of(dimensions, first, n), 10)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(n), (len(dimensions), 1)))


@pytest.mark.parametrize(("size", "quality"), [(2, 0), (3, 1), (4, 3), (5, 5)])
def test_bits__stay_a_net_in_the_first_dimensions(size, quality):
    """Each elementary interval of volume 2^(t - m) holds 2^t of 2^m points, t the sum of degrees - 1 (Sobol 1967)."""
    m = 8
    scrambled = bits_of(range(size), 3 << m, 1 << m)
    for digits in itertools.product(range(m - quality + 1), repeat=size):
        if sum(digits) == m - quality:
            cells = np.zeros(1 << m, dtype=np.uint64)
            for row, count in zip(scrambled, digits, strict=True):
                cells = (cells << np.uint64(count)) | intervals(row, count)
            assert set(np.bincount(cells.astype(np.int64), minlength=1 << m - quality)) == {1 << quality}


def test_bits__share_as_many_leading_digits_as_unscrambled_ones():
    """The scramble is nested: two words agree in exactly as many leading digits after it as before."""
    plain, scrambled = plain_bits([0, 7, 900], 64), bits_of([0, 7, 900], 0, 64)
    for before, after in zip(plain, scrambled, strict=True):
        shared = [np.frexp((x[:, None] ^ x[None, :]).astype(np.float64))[1] for x in (before, after)]
        np.testing.assert_array_equal(*shared)


def test_bits__are_uniform_over_keys():
    """One point over 40,000 keys: sees 1.4 % in the distribution function, and 1 % in any of 16 bins' counts."""
    found = bits_of(np.full(40_000, 5), 512, 4)
    for point in found.T:
        assert stats.kstest((point + 0.5) / 2.0**WORD, "uniform").pvalue > ALPHA
        assert stats.chisquare(np.bincount(point >> 28, minlength=16)).pvalue > ALPHA
        low = np.bincount(point >> 12 & 15, minlength=16)
        assert stats.chisquare(low).pvalue > ALPHA


@pytest.mark.parametrize(("i", "j", "shared"), [(0, 1, 0), (0, 2, 1), (1, 5, 2)])
def test_bits__scramble_pairs_as_owen_does(i, j, shared):
    """Of two points that share k digits the next one differs, and the three behind it are unrelated; sees 3 %."""
    x, y = bits_of(np.zeros(40_000, dtype=int), 0, 8)[:, [i, j]].T
    differ = x ^ y
    assert set(intervals(differ, shared)) == {0}
    assert set(differ >> (WORD - 1 - shared)) == {1}
    rest = WORD - shared - 4
    table = np.zeros((8, 8))
    np.add.at(table, (x >> rest & 7, y >> rest & 7), 1)
    assert stats.chisquare(table.ravel()).pvalue > ALPHA
    beginning = np.zeros((8, 8))
    np.add.at(beginning, (x >> (WORD - 3), y >> rest & 7), 1)
    assert stats.chi2_contingency(beginning).pvalue > ALPHA


def test_bits__randomisations_elements_and_seeds_are_unrelated():
    """Correlations over 40,000 elements of two randomisations, seeds and neighbours, point by point: sees 2.5 %."""
    same = np.full(40_000, 3)
    one = compiled_scores(bits_of(same, 0, 4))
    others = {
        "randomisation": compiled_scores(bits_of(same, 0, 4, randomisation=1)),
        "seed": compiled_scores(bits_of(same, 0, 4, seed=SEED + 1)),
        "stream": compiled_scores(bits_of(same, 0, 4, stream="another")),
        "element": np.roll(one, 1, axis=0),
    }
    for what, other in others.items():
        for point, partner in zip(np.asarray(one).T, np.asarray(other).T, strict=True):
            assert abs(np.corrcoef(point, partner)[0, 1]) * np.sqrt(len(same)) < FAR, what
            assert abs(np.corrcoef(abs(point), abs(partner))[0, 1]) * np.sqrt(len(same)) < FAR, what


# where a draw stands


def test_bits__of_a_draw_are_the_same_in_a_block_of_any_size():
    given = sobol.keys(["a", "a", "b"], [0, 1, 0], SEED), sobol.directions(np.array([0, 40, 1210]))
    whole = np.asarray(compiled_bits(*given, np.uint32(R), 4 * R * UNIT))
    for n in (UNIT, 4 * UNIT, R * UNIT):
        for first in (0, 4 * UNIT, 2 * R * UNIT):
            part = np.asarray(compiled_bits(*given, np.uint32(R + first // UNIT), n))
            np.testing.assert_array_equal(part, whole[:, first : first + n])


def test_bits__of_each_randomisation_are_its_own_scramble_of_the_sequence():
    keys, directions = sobol.keys(["a", "a", "b"], [0, 1, 0], SEED), sobol.directions(np.array([0, 1, 40]))
    whole = np.asarray(compiled_bits(keys, directions, np.uint32(0), 4 * R * UNIT))
    by_randomisation = whole.reshape(3, 4, R, UNIT).swapaxes(1, 2).reshape(3, R, -1)
    for r in range(R):
        expected = points(keys[r], directions, 0, 4 * UNIT)
        np.testing.assert_array_equal(by_randomisation[:, r], expected)
    assert len({tuple(key) for key in keys.reshape(-1, 2)}) == 3 * R


def test_bits__x64_changes_nothing():
    with jax.enable_x64(False):
        single = bits_of([0, 1, 40], 2**32 - 256, 256)
    with jax.enable_x64(True):
        double = bits_of([0, 1, 40], 2**32 - 256, 256)
    np.testing.assert_array_equal(single, double, strict=True)


@pytest.mark.parametrize(
    ("first", "expected"),
    [  # by plain integers, from the direction numbers in scipy.stats.qmc.Sobol
        (0, [0x00000000, 0xD5A1FE3D, 0x56E848EF]),
        (1, [0xBB1F757C, 0x5F905037, 0xF738E132]),
        (3_000_000_001, [0xBB6D0E2A, 0xE01C8F91, 0x1B73511C]),
    ],
)
def test_bits__are_golden(first, expected):
    keys = np.array([[0, 0], [0xFFFFFFFF, 0xFFFFFFFF], [0x13198A2E, 0x03707344]], dtype=np.uint32)
    found = points(keys, sobol.directions(np.array([0, 40, 1210])), first, 1)
    assert found[:, 0].tolist() == expected


def test_place__shares_a_run_out_whatever_its_length():
    places = [sobol.place(unit) for unit in range(8 * R)]
    assert sorted(places) == [(r, i * UNIT) for r in range(R) for i in range(8)]
    assert places[1] == (1, 0)
    assert places[R + 2] == (2, UNIT)


@pytest.mark.parametrize(
    ("count", "remedy"),
    [
        (0, "ask for 4,096 draws"),
        (3_000, "ask for 4,096 draws"),
        (100_000, "ask for 65,536 or 131,072 draws"),
        (3 * 2**20, "ask for 2,097,152 or 4,194,304 draws"),
        (2**37, "ask for 68,719,476,736 draws"),
    ],
)
def test_check__names_the_nearest_balanced_runs(count, remedy):
    with pytest.raises(RefusedError, match=remedy):
        sobol.check(count)


def test_check__lets_balanced_runs_pass():
    for count in (4_096, 131_072, 2**36):
        sobol.check(count)


# dimensions


def test_dimensions__are_fixed_by_name_alone(base_world):
    plan = draws.plan(base_world.entries, *base_world.book.correlation)
    streams, elements = list(plan.streams), plan.numbers.elements.tolist()
    found = sobol.dimensions(streams, elements)
    assert len(set(found.tolist())) == len(found)
    more = sobol.dimensions(["price[new]", *reversed(streams), "ramp[new]"], [0, *reversed(elements), 3])
    np.testing.assert_array_equal(more[1:-1], found[::-1])
    np.testing.assert_array_equal(sobol.dimensions(streams[5:6], elements[5:6]), found[5:6])


def test_dimensions__list_nearly_all_random_numbers_of_the_base_book(base_world):
    plan = draws.plan(base_world.entries, *base_world.book.correlation)
    table = len(sobol._table())
    listed = sobol.dimensions(plan.streams, plan.numbers.elements) < table
    assert listed.mean() > 0.95
    assert sorted(sobol._table().values()) == list(range(table))


def test_dimensions__of_new_names_are_distinct_and_behind_the_table():
    streams, elements = np.repeat([f"price[new_{i}]" for i in range(500)], 4).tolist(), list(range(4)) * 500
    found = sobol.dimensions(streams, elements)
    assert len(set(found)) == 2000
    assert found.min() >= len(sobol._table())
    assert found.max() < 21201
    alone = [sobol.dimensions([stream], [element])[0] for stream, element in zip(streams, elements, strict=True)]
    assert np.mean(found == alone) > 0.85  # the others met another name


def test_dimensions__refuses_more_names_than_there_are():
    with pytest.raises(RefusedError, match="ask for the mc sampler"):
        sobol.dimensions(["new"] * 21_000, range(21_000))


def test_importance__puts_what_acts_together_first():
    scores = np.random.default_rng(0).standard_normal((5, 4096))
    outputs = np.stack([scores[4], scores[4] + scores[2] * scores[1] + 0.2 * scores[0]])
    found = importance.importance(scores, outputs)
    assert set(np.argsort(-found)[:2]) == {1, 2}
    assert np.argsort(-found)[2:].tolist() == [4, 0, 3]
    assert found[3] == 0


# what is gained


def means(bits, size):
    """Running means of a smooth function of ``size`` uniforms at 2^6 to 2^13 points [replicate, sample size]."""
    uniforms = (bits.reshape(-1, size, bits.shape[1]) + 0.5) / 2.0**WORD
    values = np.prod(1 + (uniforms - 0.5) / np.arange(1, size + 1)[:, None], axis=1)
    return np.cumsum(values, axis=1)[:, SIZES - 1] / SIZES


SIZES = 1 << np.arange(6, 14)


def slope(found):
    error = np.sqrt(np.mean((found - 1) ** 2, axis=0))
    return np.polyfit(np.log(SIZES), np.log(error), 1)[0]


def test_bits__converge_as_sobol_points_should():
    """Root mean square error of a smooth mean falls as n^-0.5 with random bits and at least as n^-0.9 with these."""
    size, replicates = 3, 128
    elements = np.arange(size * replicates, dtype=np.uint32)
    keys = draws.keys(["variate"] * len(elements), SEED)
    random = np.asarray(compiled_random(keys, elements, np.uint32(0), SIZES[-1].item()))
    assert slope(means(random, size)) == pytest.approx(-0.5, abs=0.06)
    even = bits_of(np.tile(np.arange(size), replicates), 0, SIZES[-1].item())
    assert slope(means(even, size)) < -0.9


def test_bits__integrate_five_dimensions_with_far_less_variance():
    size, replicates = 5, 64
    even = means(bits_of(np.tile(np.arange(size), replicates), 0, SIZES[-1].item()), size)
    exact = np.prod(1 + 1 / (12 * np.arange(1, size + 1) ** 2)) - 1
    assert even.var(axis=0)[-1] < exact / SIZES[-1] / 100
    assert abs(even[:, -1].mean() - 1) < FAR * even[:, -1].std() / np.sqrt(replicates)
