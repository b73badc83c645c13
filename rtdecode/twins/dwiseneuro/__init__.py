"""DwiseNeuro, the winning model of Sensorium 2023, with the parameters of its checkpoints."""
