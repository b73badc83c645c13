"""Readers of recorded sessions: Sensorium folders, NWB files, rtdecode logs, still images."""
