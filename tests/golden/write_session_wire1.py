"""Writes tests/golden/session_wire1, a session in wire version 1, with the code of that time.

Run it in a checkout of revision 8b6b66d: `PYTHONPATH=. python write_session_wire1.py FOLDER`.
Three clips are displayed, so that the session can be used as a dataset; one displayed frame and
the last one are missing in the log.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import write_config
from rtdecode.schema import messages as m
from rtdecode.schema.config import RunConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.session.recorder import Recorder
from rtdecode.session.replay import RecordedClock

GRID, FIRST, CLIP_FRAMES, NEURONS = FrameGrid(30.0), 4_000_000, 94, 2
LOST = 284
MS = 1_000_000


class Session:
    """A recorder, and the number of each stream's next message."""

    def __init__(self, folder: Path) -> None:
        self.clock = RecordedClock()
        self.recorder = Recorder(folder, flush_s=1.0, clock=self.clock)
        self.seq: Counter[str] = Counter()

    def send(self, source: str, body: m.Body, t_ns: int, *, lost: bool = False) -> None:
        stream = f"{source}/{body.kind}"
        message = m.Stamped(source, self.seq[stream], t_ns, "host", body)
        self.seq[stream] += 1
        self.clock.sleep_until(t_ns)
        if not lost:
            self.recorder.write(pack(message), message, t_ns)

    def end(self, source: str, t_ns: int) -> None:
        sent = {name.partition("/")[2]: n - 1 for name, n in self.seq.items() if source in name}
        self.send(source, m.End("golden", "stopped as asked", sent), t_ns)


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    screen = {"presenter": "headless", "rows_px": 6, "cols_px": 8, "clips": "clips"}
    write_config(RunConfig.model_validate({"stimulus": screen}), folder / "config.yaml")
    session, rng = Session(folder), np.random.default_rng(1)
    video = rng.integers(0, 255, (3 * CLIP_FRAMES + 7, 6, 8)).astype(np.uint8)
    begun_ns = GRID.start_ns(FIRST)
    for source in ("bridge", "stimulus", "decoder", "emit", "evaluate"):
        session.send(source, m.Start("golden", "", "8b6b66d", "", {"rtdecode": "0"}), begun_ns)
    session.send("stimulus", m.ClockProbe(1, 5, 6, 9), begun_ns)
    session.send("decoder", m.Health("running", "detail", {"frames": 3.0}), begun_ns)
    session.send("decoder", m.Gap("bridge/scan", 1, 2, "decoder"), begun_ns)
    session.send("stimulus", m.Trigger("reward", begun_ns, 0.5), begun_ns)
    session.send("stimulus", m.Command("stimulus", "pause", ""), begun_ns)
    for n, picture in enumerate(video):
        frame, t_ns = FIRST + n, GRID.start_ns(FIRST + n)
        clip, index = f"clip{n // CLIP_FRAMES}", n % CLIP_FRAMES
        if n % 2 == 0:
            shown = m.ShownFrame(clip, index, picture, t_ns, 4)
            session.send("stimulus", shown, t_ns, lost=n in {LOST, len(video) - 1})
        if n % 10 == 0:
            write_scan(session, n // 10, t_ns, rng)
        active = np.full(NEURONS, n % 7, np.float32)
        times_ns = [t_ns - 40 * MS, t_ns - 10 * MS, t_ns - 9 * MS, t_ns]
        answer = m.Responses(active, np.ones(NEURONS, bool), frame, t_ns, *times_ns)
        session.send("decoder", answer, t_ns)
        if n < 46:
            write_reconstruction(session, frame, picture, t_ns)
    score = m.Score(0.5, 0.25, 0.125, 3.0, 2.0, 46, final=True)
    session.send("evaluate", score, t_ns)
    for source in ("bridge", "stimulus", "decoder", "emit", "evaluate"):
        session.end(source, t_ns)
    session.recorder.close()


def write_scan(session: Session, number: int, t_ns: int, rng: np.random.Generator) -> None:
    pixels = rng.poisson(50, (12, 10)).astype(np.uint16)
    session.send("bridge", m.Scan(pixels, number, 0, t_ns - 33 * MS, t_ns), t_ns)
    pair = np.array([1, 2], np.float32)
    session.send("bridge", m.Behaviour(t_ns, 5.0, 20.0, pair), t_ns)
    counts = np.full(NEURONS, 50 + number, np.float32)
    answer = m.Fluorescence(counts, counts / 2, number, t_ns - 16 * MS, pair)
    session.send("decoder", answer, t_ns)


def write_reconstruction(session: Session, frame: int, picture: np.ndarray, t_ns: int) -> None:
    answer = m.Reconstruction(
        luminance=picture.astype(np.float32) / 2,
        uncertainty=np.full((6, 8), 9, np.float32),
        frame=frame,
        t_frame_ns=GRID.middle_ns(frame),
        t_scan_ns=t_ns + 250 * MS,
        t_scan_end_ns=t_ns + 270 * MS,
        t_received_ns=t_ns + 271 * MS,
        t_responses_ns=t_ns + 275 * MS,
        t_ready_ns=t_ns + 290 * MS,
        lag_frames=8,
        steps=3,
        objective=1.5,
        warm=frame >= FIRST + 20,
        late=False,
    )
    session.send("emit", answer, t_ns)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
