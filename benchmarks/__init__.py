"""Benchmarks: each measures a contender and its named baseline in the same run and reports their ratio."""
