"""Reconstruction of recorded trials: online and offline inversion, baselines, the reference."""
