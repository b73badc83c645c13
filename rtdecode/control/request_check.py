"""Checks what a policy returns, so that every request that passes can be sent and recorded."""

import math

import numpy as np

from rtdecode.control.policy import Request
from rtdecode.schema.arrays import MAX_CLIP_PIXELS
from rtdecode.schema.config.section import is_unicode
from rtdecode.schema.control import ActionName

_MOST_REQUESTS = 100
"""Requests for one observation."""
_LONGEST_TARGET, _LONGEST_REASON = 200, 2000
_LAST_NS = 2**63 - 1
_FRAME_AXES = 3
_FRAMES = f"a (frame, row, col) uint8 array of 1 to {MAX_CLIP_PIXELS} pixels"


def mistake_of(returned: object) -> str:
    """What is wrong with the return value of a policy; empty for a list of valid requests.

    >>> mistake_of(None), mistake_of([]), mistake_of([Request.pause(), 3])
    ('None instead of a list', '', 'a list with an int')
    """
    if not isinstance(returned, list):
        return f"{_named(returned)} instead of a list"
    if len(returned) > _MOST_REQUESTS:
        return f"{len(returned)} requests for one observation (at most {_MOST_REQUESTS} are taken)"
    return next((found for one in returned if (found := _request_mistake(one))), "")


def _request_mistake(request: object) -> str:
    if not isinstance(request, Request):
        return f"a list with {_named(request)}"
    return _text_mistake(request) or _number_mistake(request) or _frames_mistake(request)


def _text_mistake(request: Request) -> str:
    if not isinstance(request.name, ActionName):
        return f"a request whose name is {_named(request.name)} instead of an ActionName"
    limits = {"target": _LONGEST_TARGET, "reason": _LONGEST_REASON}
    for field, limit in limits.items():
        text = getattr(request, field)
        if not isinstance(text, str) or len(text) > limit or not is_unicode(text):
            return f"a {request.name.value} whose {field} is no text of at most {limit} characters"
    return ""


def _number_mistake(request: Request) -> str:
    value, t_due_ns = request.value, request.t_due_ns
    if not _is_finite(value):
        return f"a {request.name.value} with the value {value!r:.40}, which is no finite number"
    if not isinstance(t_due_ns, int | np.integer) or not 0 <= t_due_ns <= _LAST_NS:
        return f"a {request.name.value} with t_due_ns {t_due_ns!r:.40}, which is no session time"
    return ""


def _is_finite(value: object) -> bool:
    """Whether `value` is a real number that a float64 can hold."""
    if not isinstance(value, int | float | np.integer | np.floating):
        return False
    if isinstance(value, np.timedelta64):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _frames_mistake(request: Request) -> str:
    frames = request.frames
    is_array = isinstance(frames, np.ndarray) and frames.dtype == np.uint8
    if not is_array or frames.ndim != _FRAME_AXES or frames.size > MAX_CLIP_PIXELS:
        return f"a {request.name.value} whose frames are not {_FRAMES}"
    if request.name is ActionName.SHOW_FRAMES and not frames.size:
        return "a show_frames without frames"
    return ""


def _named(value: object) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
