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

_MORE_SOURCES = {"events": Role.RECORDER, "emit": Role.DECODER, "ready": Role.DECODER}


def role_of_source(source: str) -> Role | None:
    """The process that sends messages as `source`; None for `supervisor` and unknown names.

    >>> role_of_source("emit"), role_of_source("bridge"), role_of_source("supervisor")
    (<Role.DECODER: 'decoder'>, <Role.BRIDGE: 'bridge'>, None)
    """
    return _MORE_SOURCES.get(source) or next((role for role in Role if role == source), None)
