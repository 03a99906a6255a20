"""Reference workload W: one small forecast of the house's kind, written once in the engine and once for each peer."""
