"""The simulated microscope as a source of the bridge, in real time from the start of the run."""

from collections.abc import Sequence
from dataclasses import replace

from acquisition_bridge.sources.contract import FrameSpec, Measured
from acquisition_bridge.sources.simulated.microscope import SimulatedMicroscope
from acquisition_bridge.sources.simulated.retina import DELAY_NS
from rtdecode.schema.config.acquisition import SimulatedSource as SimulatedConfig
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Scan


class SimulatedSource:
    """A simulated rig in real time (`SimulatedMicroscope`)."""

    needs_displayed_frames = True
    ended = False

    def __init__(
        self, config: SimulatedConfig, *, screen_px: tuple[int, int], clock: Clock
    ) -> None:
        self._rig = SimulatedMicroscope(config, config.run_seed, screen_px=screen_px)
        self._clock = clock
        self._begin_ns = 0
        self._scans = 0
        self.spec = FrameSpec(
            config.rows_px, config.cols_px, "uint16", scan_rate_hz=config.scan_rate_hz
        )

    def begin(self, t_ns: int) -> None:
        self._begin_ns = t_ns

    def show(self, frame: DisplayedFrame) -> None:
        # a frame displayed before the start is still on the screen at the start
        self._rig.show(frame.luminance, max(frame.t_flip_ns - self._begin_ns, -DELAY_NS))

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        due_ns = self._begin_ns + self._rig.next_due_ns
        self._clock.sleep_until(min(due_ns, until_ns))
        if due_ns > self._clock.now_ns():
            return ()
        # one due time per call, so that frames displayed meanwhile are shown in between
        return [self._in_host_time(body) for body in self._rig.advance_to(self._rig.next_due_ns)]

    def health(self) -> dict[str, float]:
        return {"scans": self._scans, "late_frames": self._rig.late_frames}

    def close(self) -> None:
        """Nothing to release."""

    def _in_host_time(self, body: Scan | Behaviour) -> Measured:
        begin_ns = self._begin_ns
        if isinstance(body, Scan):
            self._scans += 1
            return replace(
                body, t_start_ns=body.t_start_ns + begin_ns, t_end_ns=body.t_end_ns + begin_ns
            )
        return replace(body, t_sample_ns=body.t_sample_ns + begin_ns)
