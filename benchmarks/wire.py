"""Being written by the benchmarks helper (not the speed helper)."""
