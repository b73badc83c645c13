"""A slow browser gets the newest picture; the pictures that it misses are counted."""

import asyncio
from collections.abc import Sequence

from rtdecode.view.browser_queue import BrowserQueue
from rtdecode.view.packets import Packet, Slot


def picture(frame: int) -> Packet:
    return Packet(Slot.PICTURE, frame, bytes([frame]))


def next_packets(queue: BrowserQueue) -> Sequence[bytes | str]:
    return asyncio.run(asyncio.wait_for(queue.next_packets(), 10))


def test_only_the_newest_picture_waits() -> None:
    queue = BrowserQueue()
    for frame in range(5):
        queue.put_packet(picture(frame))
    assert next_packets(queue) == [b"\x04"]
    assert queue.dropped == 4


def column(frame: int) -> Packet:
    return Packet(Slot.ACTIVITY, frame, b"c" + bytes([frame]))


def test_columns_of_the_strip_go_with_the_next_picture_and_none_is_replaced() -> None:
    queue = BrowserQueue()
    queue.put_packets([column(1), column(2)])
    assert not queue.is_due
    queue.put_packets([picture(3)])
    assert next_packets(queue) == [b"c\x01", b"c\x02", b"\x03"]


def test_columns_go_without_a_picture_where_three_wait() -> None:
    queue = BrowserQueue()
    queue.put_packets([column(frame) for frame in range(3)])
    assert next_packets(queue) == [b"c\x00", b"c\x01", b"c\x02"]


def test_texts_come_first_and_in_order_and_only_the_last_few_wait() -> None:
    queue = BrowserQueue()
    queue.put_packet(picture(1))
    for text in "abcdef":
        queue.put_text(text)
    assert next_packets(queue) == ["c", "d", "e", "f", b"\x01"]


def test_a_browser_that_draws_nothing_is_sent_no_more_pictures() -> None:
    queue = BrowserQueue()
    for frame in range(4):
        queue.put_packet(picture(frame))
        assert next_packets(queue) == [bytes([frame])]
    for frame in range(4, 9):
        queue.put_packet(picture(frame))
    queue.put_text("status")
    assert next_packets(queue) == ["status"]
    assert queue.dropped == 4
    queue.acknowledge(2)
    assert next_packets(queue) == [b"\x08"]


def test_a_frame_that_was_never_sent_cannot_be_drawn() -> None:
    queue = BrowserQueue()
    for frame in range(4):
        queue.put_packet(picture(frame))
        next_packets(queue)
    queue.acknowledge(77)
    queue.put_packet(picture(9))
    queue.put_text("status")
    assert next_packets(queue) == ["status"]
