"""Values that travel, what they may be, and how a run is configured; no I/O, no clock, no torch."""
