"""Pictures and tables for a person, made of sessions and benchmarks."""
