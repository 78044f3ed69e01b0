"""The parts of `benchmarks/run`. Python's standard library only."""
