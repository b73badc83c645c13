"""A slow browser gets the newest, loses the rest, and is told how much."""

import asyncio
from collections.abc import Sequence

from rtdecode.view.audience import Onlooker
from rtdecode.view.packets import Packet, Slot


def picture(frame: int) -> Packet:
    return Packet(Slot.PICTURE, frame, bytes([frame]))


def take(onlooker: Onlooker) -> Sequence[bytes | str]:
    return asyncio.run(asyncio.wait_for(onlooker.take(), 10))


def test_only_the_newest_picture_waits() -> None:
    onlooker = Onlooker()
    for frame in range(5):
        onlooker.offer(picture(frame))
    assert take(onlooker) == [b"\x04"]
    assert onlooker.dropped == 4


def test_texts_come_first_and_in_order_and_only_the_last_few_wait() -> None:
    onlooker = Onlooker()
    onlooker.offer(picture(1))
    for text in "abcdef":
        onlooker.tell(text)
    assert take(onlooker) == ["c", "d", "e", "f", b"\x01"]


def test_a_browser_that_draws_nothing_is_sent_no_more_pictures() -> None:
    onlooker = Onlooker()
    for frame in range(4):
        onlooker.offer(picture(frame))
        assert take(onlooker) == [bytes([frame])]
    for frame in range(4, 9):
        onlooker.offer(picture(frame))
    onlooker.tell("status")
    assert take(onlooker) == ["status"]
    assert onlooker.dropped == 4
    onlooker.drawn(2)
    assert take(onlooker) == [b"\x08"]


def test_a_frame_that_was_never_sent_cannot_be_drawn() -> None:
    onlooker = Onlooker()
    for frame in range(4):
        onlooker.offer(picture(frame))
        take(onlooker)
    onlooker.drawn(77)
    onlooker.offer(picture(9))
    onlooker.tell("status")
    assert take(onlooker) == ["status"]
