"""The animal's state on the frame grid."""

from rtdecode.behaviour.join import BehaviourJoin

__all__ = ["BehaviourJoin"]
