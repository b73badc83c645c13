"""Traces of all formats give the same samples; bad ones are refused in one sentence."""

import os
import time
import wave
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rtdecode.evaluate.photodiode import Trace, TraceClock
from rtdecode.pipeline.photodiode_sources import LslTrace, read_trace
from rtdecode.schema.errors import (
    BadInputError,
    ExtraMissingError,
    MissingFileError,
    MissingOptionError,
    StreamAbsentError,
    TraceSourceError,
    UnreadableFileError,
)

LEVEL = np.random.default_rng(0).integers(0, 4000, 500)
HOST_NS = 5_123_456_789_012_345 + np.arange(500) * 500_000
"""Beyond what a float holds exactly."""


def save(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def rows(*columns: NDArray[Any], separator: str = ",") -> str:
    return "\n".join(separator.join(map(str, row)) for row in zip(*columns, strict=True))


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t"), (".txt", ";")])
def test_times_of_the_host_are_read_to_the_nanosecond(
    tmp_path: Path, suffix: str, separator: str
) -> None:
    head = separator.join(["host_ns", "level"])
    path = save(tmp_path / f"a{suffix}", f"{head}\n{rows(HOST_NS, LEVEL, separator=separator)}\n")
    trace = read_trace(path, rate_hz=None)
    assert trace.clock is TraceClock.HOST
    np.testing.assert_array_equal(trace.t_ns, HOST_NS)
    np.testing.assert_array_equal(trace.level, LEVEL)


def test_times_in_seconds_are_those_of_a_clock_of_its_own(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", f"time_s,volts\n{rows(np.arange(500) / 2000, LEVEL)}")
    trace = read_trace(path, rate_hz=None)
    assert trace.clock is TraceClock.OWN
    np.testing.assert_array_equal(trace.t_ns, np.arange(500) * 500_000)


def one_column(path: Path) -> Path:
    return save(path / "a.csv", "volts\n" + "\n".join(map(str, LEVEL)))


def npy(path: Path) -> Path:
    np.save(path / "a.npy", LEVEL.astype(np.int16))
    return path / "a.npy"


def wav(path: Path) -> Path:
    with wave.open(str(path / "a.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(2000)
        file.writeframes(np.stack([LEVEL, -LEVEL], axis=1).astype("<i2").tobytes())
    return path / "a.wav"


@pytest.mark.parametrize("make", [one_column, npy, wav])
def test_levels_with_a_rate_have_a_clock_of_their_own(tmp_path: Path, make: Any) -> None:
    trace = read_trace(make(tmp_path), rate_hz=2000.0)
    assert trace.clock is TraceClock.OWN
    np.testing.assert_array_equal(trace.level, LEVEL)
    np.testing.assert_array_equal(trace.t_ns, np.arange(500) * 500_000)


@pytest.mark.parametrize("make", [one_column, npy])
def test_levels_without_a_rate_are_refused(tmp_path: Path, make: Any) -> None:
    with pytest.raises(MissingOptionError, match="--rate-hz is needed for a trace without times"):
        read_trace(make(tmp_path), rate_hz=None)


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("a.csv", b"t,level\n1,2\n2,3\n", UnreadableFileError, "a first column named 't'"),
        ("a.csv", b"host_ns,level\n1,2\n1,3\n", UnreadableFileError, "times that do not increase"),
        ("a.csv", b"host_ns,level\n1,2\n", UnreadableFileError, "1 samples"),
        (
            "a.csv",
            b"host_ns,level\n1,2\n2,nan\n",
            UnreadableFileError,
            "levels that are not finite",
        ),
        ("a.csv", b"host_ns,level\n1,2\nx,3\n", UnreadableFileError, "damaged or foreign content"),
        ("a.csv", b"\xff\xfe\x00", UnreadableFileError, "damaged or foreign content"),
        ("a.csv", b"", UnreadableFileError, "expected a column of levels"),
        ("a.wav", b"RIFFxxxx", UnreadableFileError, "no PCM audio|a file that ends early"),
        ("a.npy", b"\x93NUMPY", UnreadableFileError, "photodiode trace"),
        ("a.mat", b"", TraceSourceError, r"a\.mat is not known: give a file \(\.csv"),
        ("none.csv", None, MissingFileError, "none.csv does not exist"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, error: type[BadInputError], words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=words):
        read_trace(tmp_path / name, rate_hz=1000.0)


def test_without_mne_lsl_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mne_lsl.lsl", None)
    with pytest.raises(ExtraMissingError, match=r"rtdecode\[lsl\]"):
        LslTrace("diode")


@pytest.fixture
def lsl() -> Any:
    return pytest.importorskip("mne_lsl.lsl")


@pytest.mark.system
def test_a_real_stream_is_collected_on_the_clock_of_the_host(lsl: Any) -> None:
    name = f"rtdecode-diode of {os.getpid()}"
    info = lsl.StreamInfo(name, "misc", 2, 1000.0, "float64", name)
    outlet, stop = lsl.StreamOutlet(info), Event()
    inlet = LslTrace(name, wait_s=60.0)
    thread = Thread(target=inlet.collect, args=(stop,))
    thread.start()
    try:
        # the second part is a second later: LSL may correct its clock between the parts
        stamps = time.monotonic() + np.arange(400) / 1000 + (np.arange(400) >= 150)
        samples = np.stack([np.arange(400.0), np.zeros(400)], axis=1)
        for part in (slice(0, 150), slice(150, 400)):
            outlet.push_chunk(samples[part], stamps[part])
            while inlet.count < part.stop:
                thread.join(0.01)
    finally:
        stop.set()
        thread.join()
    trace: Trace = inlet.trace()
    assert trace.clock is TraceClock.HOST
    np.testing.assert_array_equal(trace.level, np.arange(400))
    # LSL measures the difference of the clocks, here 0, as exactly as the machine's load permits
    np.testing.assert_allclose(trace.t_ns / 1e9, stamps, rtol=0, atol=0.1)


@pytest.mark.system
def test_a_stream_that_nobody_sends_is_named(lsl: Any) -> None:
    with pytest.raises(StreamAbsentError, match="no LSL stream named 'rtdecode-nobody'"):
        LslTrace("rtdecode-nobody", wait_s=0.5)
