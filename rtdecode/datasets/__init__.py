"""Readers of recorded sessions: Sensorium folders, NWB files, our own logs, still images."""
