"""Online calcium imaging: from raw scans to activity in twin units, one scan at a time."""
