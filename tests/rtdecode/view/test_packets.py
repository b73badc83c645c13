"""Packets have the byte layout that the script of the page reads."""

import struct

import numpy as np

from rtdecode.view.packets import Flag, activity_packet, grey_plane, picture_packet


def test_a_picture_packet_is_a_header_and_three_planes() -> None:
    planes = tuple(np.full((2, 3), level, np.uint8) for level in (10, 20, 30))
    packet = picture_packet(
        2**40,
        planes=(planes[0], planes[1], planes[2]),
        flags=Flag.DISPLAYED | Flag.LATE,
        lag_frames=-3,
        age_ms=312.5,
    )
    assert struct.unpack("<BBHHhdd", packet.data[:24]) == (1, 9, 2, 3, -3, 2.0**40, 312.5)
    assert packet.data[24:] == bytes([10] * 6 + [20] * 6 + [30] * 6)


def test_an_activity_packet_is_a_header_and_one_column() -> None:
    packet = activity_packet(7, groups=np.array([1, 2, 255], np.uint8), neurons=1200)
    assert struct.unpack("<BBHId", packet.data[:16]) == (2, 0, 3, 1200, 7.0)
    assert packet.data[16:] == bytes([1, 2, 255])


def test_grey_levels_are_rounded_and_cut() -> None:
    levels = np.array([[-5.0, 0.4, 0.6, 254.7, 300.0]], np.float32)
    assert grey_plane(levels).tolist() == [[0, 0, 1, 255, 255]]
