"""The animal's screen: clips in, flips and their truth out."""
