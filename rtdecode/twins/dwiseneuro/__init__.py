"""The winner of Sensorium 2023, in the layout of its published checkpoints."""
