"""What every test runs under: the CPU, and an error wherever two number types would mix silently."""

import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_dtype_promotion", "strict")
