"""A rig program sends several planes or ROI values; both become responses live."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from live_run import bodies_so_far

from rtdecode.calcium.rois import rois_from_lists
from rtdecode.runtime.codec import pack
from rtdecode.schema.messages import Body, Fluorescence, Responses, Scan, Stamped

pytestmark = pytest.mark.system

ROWS, COLS, RATE_HZ = 64, 72, 30.0
MESSAGES = 150
POLL_S = 0.3


def run_on(user: Any, bodies: Iterator[Body], **calcium: Any) -> Path:
    """The session of a run to which a rig has sent `bodies`, ended by Ctrl-C."""
    address = f"ipc://{user.folder}/rig"
    config = user.config(
        processes=["recorder", "bridge", "decoder"],
        acquisition={"source": {"kind": "zmq_native", "address": address, "scan_rate_hz": RATE_HZ}},
        calcium=calcium,
        decode=None,
    )
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        push.connect(address)
        with user.running("run", config, "--out", "s") as running:
            said_by(running, "bridge: running")
            for number, body in enumerate(bodies):
                stamp_ns = round(number * 1e9 / RATE_HZ)
                push.send(pack(Stamped("rig", number, stamp_ns, "rig", body)))
                time.sleep(1 / RATE_HZ)
            wait_for_responses(user.folder / "s", running)
            running.send_signal(signal.SIGINT)
            said = running.communicate()[0]
    assert running.returncode == 0, said
    assert "no message was lost" in said
    return Path(user.folder / "s")


def said_by(running: subprocess.Popen[str], words: str) -> None:
    assert running.stdout is not None
    for line in running.stdout:
        if words in line:
            return
    pytest.fail(f"it never said {words}")


def wait_for_responses(session: Path, running: subprocess.Popen[str]) -> None:
    """Until the newest recorded frame is valid; the test's own time limit ends the wait."""
    while not (found := responses(session)) or not found[-1].valid.all():
        if running.poll() is not None:
            pytest.fail(str(running.communicate()[0]))
        time.sleep(POLL_S)


def responses(session: Path) -> list[Responses]:
    return bodies_so_far(session / "log.mcap", Responses, "decoder")


def test_two_planes_are_decoded_at_once(user: Any) -> None:
    cells = [
        np.add.outer(np.arange(r, r + 6) * COLS, np.arange(c, c + 6)).ravel()
        for r, c in ((20, 30), (40, 10), (40, 50))
    ]
    for plane, count in ((0, 3), (1, 2)):
        folder = user.folder / "masks" / f"plane{plane}"
        folder.mkdir(parents=True)
        rois_from_lists((ROWS, COLS), [(c, np.ones(36)) for c in cells[:count]]).save(
            folder / "masks.npz"
        )
    rng = np.random.default_rng(0)
    ground = rng.gamma(2, 40, (2, ROWS, COLS))
    scans = (
        Scan(
            rng.poisson(ground[n % 2]).astype(np.uint16),
            n,
            n % 2,
            round(n * 1e9 / RATE_HZ),
            round((n + 1) * 1e9 / RATE_HZ),
        )
        for n in range(MESSAGES)
    )
    session = run_on(
        user,
        scans,
        rois="masks",
        planes=2,
        decoded_planes=[0, 1],
        calibration_s=1.5,
        reference_scans=10,
    )
    frames = [out.frame for out in responses(session)]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    assert len(responses(session)[-1].activity) == 5
    for plane in (0, 1):
        assert (session / f"plane{plane}" / "calibration.npz").is_file()
        assert (session / "report" / "figures" / f"cells_plane{plane}.png").is_file()


def test_roi_values_are_decoded_without_masks(user: Any) -> None:
    rng, nothing, still = np.random.default_rng(0), np.zeros(4, "f4"), np.zeros(2, "f4")
    values = (
        Fluorescence(rng.gamma(9, 20, 4).astype("f4"), nothing, n, round(n * 1e9 / RATE_HZ), still)
        for n in range(MESSAGES)
    )
    session = run_on(user, values, rois_from_source=True, calibration_s=1.5)
    assert len(responses(session)[-1].activity) == 4
    assert (session / "calibration.npz").is_file()
