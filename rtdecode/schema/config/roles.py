"""The processes of a run by name."""

from enum import StrEnum


class Role(StrEnum):
    """The processes of a run; `rtdecode.pipeline.topology` has a row for each."""

    RECORDER = "recorder"
    CONTROLLER = "controller"
    STIMULUS = "stimulus"
    BRIDGE = "bridge"
    DECODER = "decoder"
    EVALUATE = "evaluate"
    VIEW = "view"


JOINABLE = (Role.BRIDGE, Role.STIMULUS, Role.VIEW, Role.RECORDER, Role.CONTROLLER)
"""Processes that another host than that of `rtdecode run` may run."""
