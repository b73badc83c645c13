"""The independent reader counts what a log was given, and agrees with nothing else by design."""

from pathlib import Path

import numpy as np
from plain_log import read_plain

from rtdecode.runtime.codec import pack
from rtdecode.schema.messages import (
    Body,
    End,
    Event,
    Fluorescence,
    Gap,
    Reconstruction,
    Scan,
    Start,
)
from rtdecode.schema.messages import Stamped as Message
from rtdecode.session.log import LogWriter

PIXELS, GREY = np.zeros((2, 2), np.uint16), np.zeros((2, 2), np.float32)
ONE, NOWHERE = np.ones(1, np.float32), np.zeros(2, np.float32)


def scan(number: int) -> Scan:
    return Scan(PIXELS, number, 0, number, number + 1)


def fluorescence(number: int) -> Fluorescence:
    return Fluorescence(ONE, ONE, number, number, NOWHERE)


def frame(number: int, *, late: bool = False) -> Reconstruction:
    return Reconstruction(GREY, GREY, number, 0, 0, 0, 0, 0, 0, 0, 1, 0.0, True, late)


def log_of(folder: Path, *messages: tuple[str, int, Body]) -> Path:
    writer = LogWriter(folder / "log.mcap")
    for t_ns, (source, seq, body) in enumerate(messages):
        message = Message(source, seq, t_ns, "host", body)
        writer.add(pack(message), stream=message.stream, seq=seq, t_sent_ns=t_ns, t_logged_ns=t_ns)
    writer.close()
    return folder / "log.mcap"


def test_numbers_that_the_microscope_skipped_are_apart_from_messages_that_the_log_lacks(
    tmp_path: Path,
) -> None:
    # numbers 3 to 5 were never sent; the message with number 7 was sent and is not in the log
    numbered = [(0, 0), (1, 1), (2, 2), (3, 6), (5, 8)]
    log = log_of(tmp_path, *(("bridge", seq, scan(number)) for seq, number in numbered))
    found = read_plain(log)
    assert found.lost_scans == 3
    assert found.missing == {"bridge/scan": 1}


def test_a_missing_tail_is_known_from_the_end(tmp_path: Path) -> None:
    end = End("s", "stopped", {"scan": 4})
    found = read_plain(log_of(tmp_path, ("bridge", 0, scan(0)), ("bridge", 0, end)))
    assert found.missing == {"bridge/scan": 4}


def test_a_bridge_that_was_started_again_lost_the_numbers_in_between(tmp_path: Path) -> None:
    numbered = [(0, 0), (1, 1), (0, 9), (1, 10)]
    found = read_plain(log_of(tmp_path, *(("bridge", s, scan(n)) for s, n in numbered)))
    assert (found.missing, found.lost_scans) == ({}, 7)


def test_scans_and_frames_that_were_not_decoded_and_late_frames_are_counted(
    tmp_path: Path,
) -> None:
    log = log_of(
        tmp_path,
        *(("bridge", n, scan(n)) for n in range(4)),
        *(("decoder", k, fluorescence(n)) for k, n in enumerate((0, 3))),
        *(("emit", k, frame(n, late=n == 8)) for k, n in enumerate((5, 6, 8))),
    )
    found = read_plain(log)
    assert (found.scans_not_decoded, found.frames_not_decoded, found.late) == (2, 1, 1)


def test_events_and_gaps_are_summed(tmp_path: Path) -> None:
    event = Event("warning", "bridge", "scans_lost", "", {"scans": 2})
    gap = Gap("bridge/scan", 1, 3, "decoder")
    messages = [("bridge", 0, event), ("bridge", 1, event), ("decoder", 0, gap)]
    found = read_plain(log_of(tmp_path, *messages))
    assert found.event_counts == {("bridge", "scans_lost"): {"times": 2, "scans": 4}}
    assert found.gaps == {("bridge/scan", "decoder"): 3}


def test_a_log_that_is_cut_off_gives_what_lies_before_the_cut(tmp_path: Path) -> None:
    messages: list[tuple[str, int, Body]] = [("bridge", n, scan(n)) for n in range(2000)]
    log = log_of(tmp_path, *messages)
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    assert 0 < len(read_plain(log).scans) < 2000


def test_what_a_killed_bridge_had_not_sent_is_missing_and_no_loss_of_the_microscope(
    tmp_path: Path,
) -> None:
    # scans 2 and 3 were not sent, 4 to 8 came while there was no bridge
    start, again = (Start("s", "", "", "", last_seq_before=last) for last in ({}, {"scan": 3}))
    sent = [(0, start), *((n, scan(n)) for n in (0, 1)), (0, again), (0, scan(9)), (1, scan(10))]
    found = read_plain(log_of(tmp_path, *(("bridge", seq, body) for seq, body in sent)))
    assert (found.missing, found.lost_scans) == ({"bridge/scan": 2}, 5)
