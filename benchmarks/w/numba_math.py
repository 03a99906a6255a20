"""What numba's packages lack in vectorised form: exp, log, normal quantiles and a generator, all float32.

exp and log by Cephes's polynomials, normals by Giles's inverse error function (2010), xoshiro128++ by Blackman and
Vigna (2019).
"""

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["FAST", "exp", "fill_with_normals", "float_bits", "log", "sigmoid"]

FAST = {"error_model": "numpy", "fastmath": {"contract", "arcp", "nsz"}}
"""The default error model tests every division for zero, which alone keeps loops from becoming vector instructions."""
F32, U32, I32 = np.float32, np.uint32, np.int32


def _constants(*values: float) -> tuple[np.float32, ...]:
    return tuple(F32(value) for value in values)


LOG2_E, LN2_HIGH, LN2_LOW, SQRT_2, MANTISSA = *_constants(1.44269504, 0.693359375, -2.12194440e-4, 1.41421356), I32(23)
EXP = _constants(1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5)
LOG = _constants(
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
CENTRE = _constants(
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
TAIL = _constants(
    *(-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773),
    *(-0.0076224613, 0.00943887047, 1.00167406, 2.83297682),
)
EDGE, CENTRE_AT, TAIL_AT = _constants(5, 2.5, 3)
UNIT, HALF, ONE = _constants(2.0**-23, 0.5, 1)


@intrinsic
def float_bits(context, value):
    """The bits of a float32 as an int32."""

    def cast(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.int32))

    return types.int32(types.float32), cast


@intrinsic
def _from_bits(context, value):
    """The float32 of an int32's bits."""

    def cast(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), cast


@njit(**FAST)
def _horner(x, coefficients):
    total = coefficients[0]
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


@njit(**FAST)
def exp(x):
    whole = np.floor(x * LOG2_E + HALF)
    x = x - whole * LN2_HIGH - whole * LN2_LOW
    power = _from_bits(I32((I32(whole) + I32(127)) << MANTISSA))
    return (_horner(x, EXP) * x * x + x + ONE) * power


@njit(**FAST)
def log(x):
    bits = float_bits(x)
    power = I32((bits - float_bits(SQRT_2 * HALF)) >> MANTISSA)
    x = _from_bits(I32(bits - (power << MANTISSA))) - ONE
    whole = F32(power)
    return x * x * (x * _horner(x, LOG) - HALF) + x + whole * LN2_LOW + whole * LN2_HIGH


@njit(**FAST)
def sigmoid(x):
    return ONE / (ONE + exp(-x))


@njit(**FAST)
def normal(bits):
    """Standard normal score of 32 bits, of which it uses 24."""
    x = (F32(I32(bits) >> I32(8)) + HALF) * UNIT
    w = -log((ONE - x) * (ONE + x))
    near = _horner(w - CENTRE_AT, CENTRE)
    far = _horner(np.sqrt(w) - TAIL_AT, TAIL)
    return SQRT_2 * x * (near if w < EDGE else far)


@njit(**FAST)
def turned(bits, by):
    """Bits rotated to the left."""
    return U32(U32(bits << U32(by)) | U32(bits >> U32(32 - by)))


@njit(**FAST)
def fill_with_normals(state, z):
    """Next scores of every lane [row, lane]; state [4, lane] moves on."""
    for row in range(z.shape[0]):
        for lane in range(z.shape[1]):
            a, b, c, d = state[0, lane], state[1, lane], state[2, lane], state[3, lane]
            z[row, lane] = normal(U32(turned(U32(a + d), 7) + a))
            c, d = U32(c ^ a), U32(d ^ b)
            state[0, lane], state[1, lane] = U32(a ^ d), U32(b ^ c)
            state[2, lane], state[3, lane] = U32(c ^ U32(b << U32(9))), turned(d, 11)
