"""A rig's own program: pushes scans and behaviour over ZeroMQ, and makes one fault when asked.

    python rig_program.py ADDRESS SCANS.npy RATE_HZ FAULT

It is written from docs/wire.md and imports nothing of rtdecode. `inject` on standard input makes
the fault with the next scan, and `inject NAME` the fault of that name; the end of standard input
ends the program, which then prints what it sent as JSON.
"""

import json
import select
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np
import zmq

NS_PER_S = 1_000_000_000
YEAR_NS = 365 * 86400 * NS_PER_S
FAR_NS = 10 * NS_PER_S
LOST, GLITCH = 60, 10**9


@dataclass(slots=True)
class Rig:
    """Numbers and clock of a microscope; a fault changes them once, or from then on."""

    fault: str
    period_ns: int
    clock: str
    number: int = 100
    stamp_ns: int = 7_000 * NS_PER_S
    queued: list[tuple[int, int]] = field(default_factory=list)
    """Scans (number, stamp) that are sent next."""

    def next_scans(self, *, inject: bool) -> list[tuple[int, int]]:
        """(number, stamp) of what is sent in this period."""
        self.number += 1
        host = time.monotonic_ns()
        self.stamp_ns = host if self.clock == "host" else self.stamp_ns + self.period_ns
        held, self.queued = self.queued, []
        usual = [(self.number, self.stamp_ns)]
        return (FAULTS[self.fault](self) if inject and self.fault in FAULTS else usual) + held


Scans = list[tuple[int, int]]


def skipped(rig: Rig) -> Scans:
    rig.number += LOST
    return [(rig.number, rig.stamp_ns)]


def held_back(rig: Rig) -> Scans:
    rig.queued = [(rig.number, rig.stamp_ns)]
    return []


def numbers_anew(rig: Rig) -> Scans:
    rig.number = 0
    return [(rig.number, rig.stamp_ns)]


def clock_set(rig: Rig, *, stamp_ns: int) -> Scans:
    rig.stamp_ns = stamp_ns
    return [(rig.number, stamp_ns)]


FAULTS: dict[str, Callable[[Rig], Scans]] = {
    "scans_lost": skipped,
    "scan_twice": lambda rig: [(rig.number, rig.stamp_ns)] * 2,
    "scan_old": held_back,
    "number_glitch": lambda rig: [(GLITCH, rig.stamp_ns)],
    "numbers_restart": numbers_anew,
    "stamp_ahead": lambda rig: [(rig.number, rig.stamp_ns + FAR_NS)],
    "stamp_behind": lambda rig: [(rig.number, rig.stamp_ns - FAR_NS)],
    "stamp_year": lambda rig: [(rig.number, rig.stamp_ns + YEAR_NS)],
    "clock_restart": lambda rig: clock_set(rig, stamp_ns=0),
    "clock_jump": lambda rig: clock_set(rig, stamp_ns=rig.stamp_ns + FAR_NS),
}


def array(values: "np.ndarray[Any, Any]") -> dict[str, Any]:
    return {"dtype": values.dtype.name, "shape": list(values.shape), "data": values.tobytes()}


def envelope(kind: str, seq: int, rig: Rig) -> dict[str, Any]:
    t_ns = {"t_ns": time.monotonic_ns(), "clock": rig.clock}
    return {"v": 2, "kind": kind, "source": "rig", "seq": seq, **t_ns}


def scan_bytes(rig: Rig, seq: int, number: int, stamp_ns: int, pixels: Any) -> bytes:
    times = {"t_start_ns": stamp_ns - rig.period_ns, "t_end_ns": stamp_ns}
    body = {"pixels_counts": array(pixels), "number": number, "plane": 0, **times}
    return bytes(msgpack.packb(envelope("scan", seq, rig) | body))


def behaviour_bytes(rig: Rig, seq: int) -> bytes:
    values = {"running_cm_s": 1.0, "pupil_diameter_px": 20.0}
    center = {"pupil_center_px": array(np.array([1, 2], np.float32))}
    body = {"t_sample_ns": rig.stamp_ns, **values, **center}
    return bytes(msgpack.packb(envelope("behaviour", seq, rig) | body))


def asked() -> str:
    """The line on standard input, if there is one now; `end` at its end."""
    if not select.select([sys.stdin], [], [], 0)[0]:
        return ""
    return sys.stdin.readline().strip() or "end"


def main(address: str, movie: str, rate_hz: float, fault: str) -> dict[str, Any]:
    rig = Rig(fault, round(NS_PER_S / rate_hz), "host" if fault == "stamp_year" else "rig")
    scans, sent, behaviour, bad = np.load(movie), list[int](), 0, 0
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        push.set(zmq.LINGER, 2000)
        push.set(zmq.SNDHWM, 100_000)
        push.connect(address)
        due_ns = time.monotonic_ns()
        while (line := asked()) != "end":
            inject, _, named = line.partition(" ")
            rig.fault = named or rig.fault
            for number, stamp_ns in rig.next_scans(inject=inject == "inject"):
                pixels = scans[len(sent) % len(scans)]
                push.send(scan_bytes(rig, len(sent), number, stamp_ns, pixels))
                sent.append(number)
            push.send(behaviour_bytes(rig, behaviour))
            behaviour += 1
            if inject == "inject" and rig.fault == "no_message":
                push.send(b"hello")
                bad += 1
            due_ns += rig.period_ns
            time.sleep(max(0, due_ns - time.monotonic_ns()) / NS_PER_S)
    return {"numbers": sent, "behaviour": behaviour, "no_message": bad}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:3], float(sys.argv[3]), sys.argv[4])))
