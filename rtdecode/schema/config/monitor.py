"""Geometry of the monitor in front of the animal, from which visual angles follow."""

from rtdecode.schema.config.section import Positive, Section


class MonitorConfig(Section):
    """A flat monitor, whose centre the eye looks at perpendicularly."""

    distance_cm: Positive
    """Distance in cm from the eye to the centre of the monitor."""
    width_cm: Positive
    """Width in cm of the displayed picture."""
