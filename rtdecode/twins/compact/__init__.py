"""The compact twin: a causal convolutional encoding model made to be inverted on a CPU."""
