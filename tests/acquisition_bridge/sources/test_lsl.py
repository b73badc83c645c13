"""LSL samples to messages: channels as configured, unusable samples counted, absence named."""

import importlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from acquisition_bridge.sources.contract import FrameSpec
from acquisition_bridge.sources.lsl import BehaviourSamples, LslInlet, LslRois, WithBehaviour
from rtdecode.schema.config.acquisition import LslBehaviour, LslRoisSource
from rtdecode.schema.errors import ExtraMissingError, StreamAbsentError, StreamError
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Fluorescence, Scan

CONFIG = LslBehaviour(
    stream="wheel", running_channel=1, pupil_diameter_channel=0, pupil_x_channel=2
)
NOTHING = (np.zeros((0, 3)), np.zeros(0))


class FakeInlet:
    """Gives the batches it was made with, then nothing."""

    def __init__(self, *batches: Any) -> None:
        self._batches = list(batches)
        self.closed = False

    def pull(self) -> Any:
        return self._batches.pop(0) if self._batches else NOTHING

    def close(self) -> None:
        self.closed = True


def test_each_sample_becomes_a_message_with_the_configured_channels() -> None:
    values = np.array([[30.0, 5.0, 1.5], [31.0, 6.0, 2.5]])
    bodies = list(
        BehaviourSamples(CONFIG).bodies((values, np.array([1.0, 1.5])), arrived_ns=2 * 10**9)
    )
    assert [b.t_sample_ns for b in bodies] == [1_000_000_000, 1_500_000_000]
    assert [(b.running_cm_s, b.pupil_diameter_px) for b in bodies] == [(5.0, 30.0), (6.0, 31.0)]
    np.testing.assert_array_equal(bodies[1].pupil_center_px, np.array([2.5, 0], np.float32))


def test_on_another_host_stamps_of_its_clock_are_mapped() -> None:
    """LSL corrects stamps to the clock of the bridge's host, which is 3 s behind."""
    samples = BehaviourSamples(CONFIG, lambda t_ns: t_ns + 3 * 10**9)
    values, stamps_s = np.array([[30.0, 5.0, 1.5]]), np.array([1.0])
    (body,) = samples.bodies((values, stamps_s), arrived_ns=5 * 10**9)
    assert body.t_sample_ns == 4 * 10**9


def test_samples_with_nan_are_left_out_and_counted() -> None:
    samples = BehaviourSamples(CONFIG)
    values = np.array([[30.0, np.nan, 1.5], [31.0, 6.0, np.inf], [30.0, 5.0, 1.0]])
    stamps_s = np.array([1.0, 2.0, 3.0])
    assert len(list(samples.bodies((values, stamps_s), arrived_ns=4 * 10**9))) == 1
    assert samples.unusable == 2


def test_a_channel_that_is_not_there_is_named() -> None:
    with pytest.raises(StreamError, match=r"channel 2 \(from 0\) of 2"):
        list(BehaviourSamples(CONFIG).bodies((np.zeros((1, 2)), np.zeros(1)), arrived_ns=0))


class Scans:
    """A source with a scan and a sample of its own behaviour."""

    spec = FrameSpec(2, 2, "uint16")
    needs_displayed_frames = False
    ended = False
    closed = False

    def begin(self, t_ns: int) -> None:
        """It runs."""

    def show(self, frame: DisplayedFrame) -> None:
        """It is blind."""

    def measured_until(self, until_ns: int) -> list[Any]:
        own = Behaviour(0, 1.0, 1.0, np.zeros(2, np.float32))
        return [own, Scan(np.zeros((2, 2), np.uint16), 0, 0, 0, 1)]

    def health(self) -> dict[str, float]:
        return {"scans": 1}

    def close(self) -> None:
        self.closed = True


def test_behaviour_comes_from_lsl_and_scans_from_the_source(clock: Any) -> None:
    scans, inlet = Scans(), FakeInlet((np.array([[30.0, 5.0, 1.5]]), np.array([1.0])))
    source = WithBehaviour(scans, inlet, CONFIG, clock=clock)
    bodies = source.measured_until(0)
    assert [type(body) for body in bodies] == [Behaviour, Scan]
    assert isinstance(bodies[0], Behaviour)
    assert bodies[0].running_cm_s == 5.0
    counted = {"scans": 1, "behaviour": 1, "behaviour_unusable": 0}
    assert source.health() == {**counted, "stamps_rejected": 0, "clock_restarts": 0}
    source.close()
    assert (scans.closed, inlet.closed) == (True, True)


def test_roi_values_become_fluorescence(clock: Any) -> None:
    values = np.array([[1.0, 2.0], [np.nan, 2.0], [3.0, 4.0]])
    inlet = FakeInlet(NOTHING, (values, np.array([0.1, 0.2, 0.3])))
    source = LslRois(LslRoisSource(stream="rois"), inlet, clock=clock)
    bodies = source.measured_until(clock.now_ns() + 10_000_000)
    assert [(b.number, b.t_scan_ns) for b in bodies if isinstance(b, Fluorescence)] == [
        (0, 100_000_000),
        (2, 300_000_000),
    ]
    counted = {"scans": 3, "unusable": 1}
    assert source.health() == {**counted, "stamps_rejected": 0, "clock_restarts": 0}
    assert source.measured_until(clock.now_ns() + 10_000_000) == ()
    source.close()


def test_another_number_of_rois_is_refused(clock: Any) -> None:
    batches = (np.zeros((1, 2)), np.zeros(1)), (np.zeros((1, 3)), np.zeros(1))
    source = LslRois(LslRoisSource(stream="rois"), FakeInlet(*batches), clock=clock)
    source.measured_until(0)
    with pytest.raises(StreamError, match="3 values after 2"):
        source.measured_until(0)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ExtraMissingError, match=r"rtdecode\[lsl\]"):
        LslInlet("wheel", wait_s=0.1)


def test_an_absent_stream_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lsl = SimpleNamespace(resolve_streams=lambda timeout, name: [])
    monkeypatch.setattr(importlib, "import_module", lambda _name: lsl)
    with pytest.raises(StreamAbsentError, match="'wheel' was found within"):
        LslInlet("wheel", wait_s=0.1)


def test_a_sample_stamped_far_ahead_is_left_out_and_the_others_stay(clock: Any) -> None:
    stamps_s = np.arange(30) / 30
    stamps_s[15] += 200_000
    inlet = FakeInlet((np.ones((30, 2)), stamps_s))
    source = LslRois(LslRoisSource(stream="rois"), inlet, clock=clock)
    bodies = source.measured_until(clock.now_ns())
    assert [b.number for b in bodies if isinstance(b, Fluorescence)] == [*range(15), *range(16, 30)]
    assert (source.health()["stamps_rejected"], source.health()["clock_restarts"]) == (1, 0)
