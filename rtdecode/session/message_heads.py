"""Messages without the content of their arrays: times, numbers and names of a long recording.

Duties: read of a message all but its arrays, so that the times of an hour of frames are known
without reading the frames. It must not decide which messages are read.

    with index.opened() as messages:
        body = message_head(messages, index.places["stimulus/displayed_frame"], 0).body
"""

import re

from rtdecode.runtime.codec import unpack
from rtdecode.schema.messages import Stamped
from rtdecode.session.message_index import OpenedLog, Places

_WINDOW_BYTES = 512
"""Bytes that are read at once behind an array."""
_ARRAY = re.compile(
    rb"\x83\xa5dtype(?P<dtype>[\xa0-\xbf][a-z0-9]{3,8})\xa5shape(?P<rank>[\x91-\x94])"
    rb"(?:[\x00-\x7f]|\xcc.|\xcd..|\xce....){1,4}\xa4data"
    rb"(?:\xc4(?P<bin8>.)|\xc5(?P<bin16>..)|\xc6(?P<bin32>....))",
    re.DOTALL,
)
"""An array map up to its content, as senders of rtdecode write it (see docs/wire.md)."""
_FIRST_RANK = 0x90


def message_head(messages: OpenedLog, places: Places, number: int) -> Stamped:
    """Message `number` of `places`, with empty arrays; MessageError where it is not valid.

    An array that is written in another order of its keys is read as a whole.
    """
    window, size = messages.start(places, number)
    kept, at = list[bytes](), 0
    while match := _ARRAY.search(window):
        kept += [window[: match.start()], _empty(match)]
        content = _content_bytes(match)
        at += match.end() + content
        window = window[match.end() + content :]
        if not window and at < size:
            window = messages.part(places, number, start=at, size=min(_WINDOW_BYTES, size - at))
    rest = size - at - len(window)
    if rest:
        window += messages.part(places, number, start=at + len(window), size=rest)
    return unpack(b"".join([*kept, window]))


def _content_bytes(array: re.Match[bytes]) -> int:
    found = next(one for one in array.group("bin8", "bin16", "bin32") if one is not None)
    return int.from_bytes(found, "big")


def _empty(array: re.Match[bytes]) -> bytes:
    """The same array map without items."""
    rank = array.group("rank")
    sides = b"\x00" * (rank[0] - _FIRST_RANK)
    return (
        b"\x83\xa5dtype" + array.group("dtype") + b"\xa5shape" + rank + sides + b"\xa4data\xc4\x00"
    )
