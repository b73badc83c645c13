"""A recorded session gives the light delay of its screen, from its samples or from its scans."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from rtdecode.cli import app
from rtdecode.evaluate.photodiode import LightDelay, TraceClock
from rtdecode.pipeline.photodiode import (
    delay_to_write,
    loopback_of_session,
    measured_delay,
    screen_alone,
    sentences,
)
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.monitor import PatchCode
from rtdecode.schema.errors import (
    LeakAbsentError,
    MissingOptionError,
    StreamMissingError,
    TraceEarlyError,
    TraceSourceError,
)
from rtdecode.schema.messages import Behaviour, Body, DisplayedFrame, Scan, Stamped
from rtdecode.schema.patch_code import is_white
from rtdecode.session.layout import SessionLayout, named_session
from rtdecode.session.recorder import Recorder

BOOT_NS, FRAMES, SAMPLE_NS = 3_000_000_000_000, 450, 2_000_000
CONFIGURED_MS, LIGHT_MS = 3.0, 17.0
"""Light delay in the config of the session, and the true one."""
FLASHES = np.repeat(np.random.default_rng(5).integers(0, 2, 90), 5) * 200 + 20
FLIPS_NS = BOOT_NS + np.arange(FRAMES) * 33_333_333


def frames(first: int = 0) -> list[Body]:
    return [
        DisplayedFrame(
            clip="flash",
            index=n,
            luminance=np.full((6, 8), FLASHES[n], np.uint8),
            t_flip_ns=int(t_ns + CONFIGURED_MS * 1e6),
            flips=1,
            number=n if first >= 0 else -1,
        )
        for n, t_ns in enumerate(FLIPS_NS)
    ]


def samples() -> list[Body]:
    found: list[Body] = []
    for t_ns in range(BOOT_NS, int(FLIPS_NS[-1]), SAMPLE_NS):
        frame = int(np.searchsorted(FLIPS_NS + LIGHT_MS * 1e6, t_ns)) - 1
        white = frame >= 0 and is_white(frame, PatchCode.CODED)
        found.append(Behaviour(t_ns, 2.5 if white else 0.1, 40.0, np.zeros(2, np.float32)))
    return found


def scans(leak: float) -> list[Body]:
    rng, found, lasts = np.random.default_rng(2), list[Body](), 66_666_667
    for number, start in enumerate(range(BOOT_NS, int(FLIPS_NS[-1]), lasts)):
        t_ns = start + lasts * (np.arange(64) + 0.5) / 64
        frame = np.clip(np.searchsorted(FLIPS_NS + LIGHT_MS * 1e6, t_ns) - 1, 0, FRAMES - 1)
        pixels = rng.poisson(100 + leak * FLASHES[frame, None], (64, 32)).astype(np.uint16)
        found.append(Scan(pixels, number, 0, start, start + lasts))
    return found


def session_of(folder: Path, bodies: list[Body]) -> SessionLayout:
    session = named_session(folder)
    screen = {"rows_px": 6, "cols_px": 8, "clips": folder, "light_delay_ms": CONFIGURED_MS}
    write_config(RunConfig.model_validate({"stimulus": screen}), session.config)
    recorder, sent = Recorder(session.folder, flush_s=1.0, clock=HostClock()), Counter[str]()
    for body in bodies:
        source = "stimulus" if isinstance(body, DisplayedFrame) else "bridge"
        message = Stamped(source, sent[body.kind], BOOT_NS, "host", body)
        sent[body.kind] += 1
        recorder.write(pack(message), message, BOOT_NS)
    recorder.close()
    return session


def test_samples_of_the_microscope_give_the_delay_from_the_flip_itself(tmp_path: Path) -> None:
    session = session_of(tmp_path / "session", [*frames(), *samples()])
    found = measured_delay("behaviour:running", session, rate_hz=None)
    # an edge lies in the middle of two samples
    assert found.median_ms == pytest.approx(LIGHT_MS, abs=SAMPLE_NS / 1e6)
    assert found.sd_ms < SAMPLE_NS / 1e6
    assert (found.edges_missing, found.frames_differing) == (0, 0)
    with pytest.raises(TraceSourceError, match=r"behaviour:speed is not known.*behaviour:running"):
        measured_delay("behaviour:speed", session, rate_hz=None)


def test_light_in_the_scans_gives_the_delay_and_changes_no_config(tmp_path: Path) -> None:
    session = session_of(tmp_path / "session", [*frames(), *scans(leak=0.1)])
    found = loopback_of_session(session)
    assert found.delay_ms == pytest.approx(LIGHT_MS, abs=1.5)
    config = tmp_path / "config.yaml"
    config.write_text("seconds: 60\n")
    argv = ["check", str(config), "--photodiode", "scans", "--session", str(session.folder)]
    said = CliRunner().invoke(app, argv)
    assert said.exit_code == 0
    assert f"light_delay_ms: {found.delay_ms:.1f}".removesuffix(".0") in said.output
    assert config.read_text() == "seconds: 60\n"


def test_what_a_session_lacks_is_named(tmp_path: Path) -> None:
    dark = session_of(tmp_path / "dark", [*frames(), *scans(leak=0.0)])
    with pytest.raises(LeakAbsentError):
        loopback_of_session(dark)
    with pytest.raises(StreamMissingError, match="holds no samples of behaviour"):
        measured_delay("behaviour:running", dark, rate_hz=None)
    earlier = session_of(tmp_path / "earlier", [*frames(first=-1), *samples()])
    with pytest.raises(StreamMissingError, match="holds no numbered displayed frames"):
        measured_delay("behaviour:running", earlier, rate_hz=None)
    with pytest.raises(StreamMissingError, match="holds no scans and displayed frames"):
        loopback_of_session(earlier)
    with pytest.raises(MissingOptionError, match="--session is needed"):
        measured_delay("trace.csv", None, rate_hz=None)


def result(median_ms: float, clock: TraceClock = TraceClock.HOST) -> LightDelay:
    return LightDelay(clock, median_ms, 0.4, median_ms + 1, 8.0, 9.0, 10, 2, 30, 1, 12.4, 0.5)


@pytest.mark.parametrize(("median", "written"), [(8.2549, 8.25), (0.0, 0.0), (-0.3, 0.0)])
def test_the_delay_is_written_in_hundredths_and_not_below_zero(
    median: float, written: float
) -> None:
    assert delay_to_write(result(median)) == written


def test_light_before_its_flip_is_refused() -> None:
    with pytest.raises(TraceEarlyError, match=r"light is 12\.0 ms earlier than the flip"):
        delay_to_write(result(-12.0))


def test_the_sentences_state_what_is_known() -> None:
    told = " ".join(sentences(result(8.0)))
    assert "median 8.00 ms, SD 0.40 ms, 95 % at most 9.00 ms" in told
    assert "10 of 12 changes of the patch were seen, 2 are missing" in told
    assert "in 30 of 31 frames" in told
    own = " ".join(sentences(result(0.0, TraceClock.OWN)))
    assert "The delay itself is unknown" in own
    assert "drifts by 12 ppm" in own


def test_a_stream_is_recorded_beside_stimulus_and_recorder_alone() -> None:
    config = screen_alone(RunConfig(), seconds=30.0)
    assert [role.value for role in config.processes or ()] == ["recorder", "stimulus"]
    assert config.seconds == 30.0
