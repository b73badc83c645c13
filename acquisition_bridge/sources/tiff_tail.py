"""A source for ScanImage TIFFs, finished or growing, one file or consecutively numbered files."""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from acquisition_bridge.sources.contract import FrameSpec, Measured
from acquisition_bridge.sources.growing_tiff import TiffRow
from acquisition_bridge.sources.intake import DecodedScan, Intake
from acquisition_bridge.sources.scanimage_header import (
    PageStamp,
    ScanImageHeader,
    fields_of_page,
    page_stamp,
    scanimage_header,
)
from acquisition_bridge.sources.tiff_directory import TiffPage, naming
from rtdecode.schema.config.acquisition import TiffTailSource as TiffTailConfig
from rtdecode.schema.errors import SettingMissingError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import DisplayedFrame

log = logging.getLogger(__name__)
_POLL_NS = 2_000_000
_PAGES_AT_ONCE = 64
"""Pages that are read before the caller may send a heartbeat, where none has a scan to pass on."""
_NS_PER_S = 1_000_000_000
_DEFAULT_RATE_HZ = 30.0
_CHECKED_FRAMES = 10
_TOLERANCE = 0.1


class ScanImagePages:
    """Assigns frame, plane and time to the pages of one channel.

    A page with several fields of view (mROI) gives a scan for each, as planes of their own.
    """

    def __init__(self, *, channel: int | None, scan_rate_hz: float | None) -> None:
        self._channel, self._rate_hz = channel, scan_rate_hz
        self._place = 0
        self._pages = 0
        self._last = PageStamp(0, 0)
        self._first: tuple[int, int] | None = None
        self.header: ScanImageHeader | None = None

    @property
    def scan_rate_hz(self) -> float:
        """Scan rate in Hz, all planes and fields, of the config, else of the header, else 30."""
        if self._rate_hz is not None or self.header is None:
            return self._rate_hz or _DEFAULT_RATE_HZ
        return (self.header.frame_rate_hz or _DEFAULT_RATE_HZ) * self._fields

    @property
    def _fields(self) -> int:
        return 1 if self.header is None else max(1, len(self.header.field_rows))

    def scans(self, page: TiffPage) -> list[DecodedScan]:
        """Scans of `page`; none for another channel and for a flyback frame."""
        header = self.header or self._read_header(page)
        frame, channel = divmod(self._pages, len(header.channels))
        self._pages += 1
        if channel != self._place:
            return []
        frame_ns = _NS_PER_S * self._fields / self.scan_rate_hz
        stamp = page_stamp(page.description)
        if stamp is None:
            stamp = PageStamp(frame, round(frame * frame_ns))
        self._check_rate(stamp.frame, stamp.t_ns)
        place = header.volume.place(stamp.frame)
        if place is None:
            return []
        # each acquisition of a loop restarts its time stamps
        counter_restarted = stamp.frame > self._last.frame and stamp.t_ns < self._last.t_ns
        self._last = stamp
        fields = fields_of_page(page.pixels, header.field_rows)
        number, plane = (part * len(fields) for part in place)
        return [
            DecodedScan(
                pixels,
                number + k,
                plane + k,
                stamp.t_ns + round(k * frame_ns / len(fields)),
                counter_restarted and k == 0,
            )
            for k, pixels in enumerate(fields)
        ]

    def _check_rate(self, frame: int, stamp_ns: int) -> None:
        """Warn once if the rate of the time stamps differs from the header; the stamps are used."""
        first_frame, first_ns = self._first = self._first or (frame, stamp_ns)
        rate_hz = None if self.header is None else self.header.frame_rate_hz
        if rate_hz is None or frame - first_frame != _CHECKED_FRAMES or stamp_ns <= first_ns:
            return
        stamped_hz = _CHECKED_FRAMES * _NS_PER_S / (stamp_ns - first_ns)
        if abs(stamped_hz / rate_hz - 1) > _TOLERANCE:
            log.warning(
                "the header gives %.2f frames/s, the time stamps of its pages %.2f: "
                "the time stamps are used",
                rate_hz,
                stamped_hz,
            )

    def _read_header(self, page: TiffPage) -> ScanImageHeader:
        header = scanimage_header(page.software, page.description, page.artist)
        wanted = self._channel or header.channels[0]
        if wanted not in header.channels:
            raise SettingMissingError(
                setting=f"acquisition.source.channel to one of {list(header.channels)}",
                reason=f"channel {wanted} was not saved",
            )
        self._place = header.channels.index(wanted)
        self.header = header
        log.info("ScanImage: %s", header)
        return header


class TiffTailSource:
    """One channel of a ScanImage acquisition, at the times of its page stamps.

    A scan is yielded once it is in the file, and not before (its stamp - the first stamp) / `speed`
    after the first scan. Flyback frames are left out and do not count as lost.
    """

    needs_displayed_frames = False

    def __init__(self, config: TiffTailConfig, *, clock: Clock) -> None:
        self._clock = clock
        self._speed = config.speed
        self._idle_ns = None if config.idle_s is None else round(config.idle_s * _NS_PER_S)
        self._row = TiffRow(config.path)
        self._pages = ScanImagePages(channel=config.channel, scan_rate_hz=config.scan_rate_hz)
        self._intake: Intake | None = None
        self._pending: DecodedScan | None = None
        self._fields: deque[DecodedScan] = deque()
        self._first: tuple[int, int] | None = None
        self._grown_ns: int | None = None
        self._left_out = -1
        self.ended = False

    @property
    def spec(self) -> FrameSpec:
        header = self._pages.header
        return FrameSpec(
            None,
            None,
            "int16",
            planes=1 if header is None else header.planes,
            channels=1 if header is None else len(header.channels),
            scan_rate_hz=None if header is None else self._pages.scan_rate_hz,
        )

    def begin(self, t_ns: int) -> None:
        """Ignored: the microscope runs independently."""

    def resume_after(self, number: int) -> None:
        """Leave out the scans up to that with the microscope's `number`, without waiting."""
        self._left_out = number

    def show(self, frame: DisplayedFrame) -> None:
        """Ignored: the animal is in front of the screen."""

    def measured_until(self, until_ns: int) -> Sequence[Measured]:
        while (scan := self._pending or self._found()) is None:
            now_ns = self._clock.now_ns()
            if self.ended or now_ns >= until_ns:
                return ()
            self._clock.sleep_until(min(until_ns, now_ns + _POLL_NS))
        due_ns = self._due_ns(scan)
        self._clock.sleep_until(min(due_ns, until_ns))
        self._pending = scan if self._clock.now_ns() < due_ns else None
        if self._pending is not None:
            return ()
        if self._intake is None:
            self._intake = Intake(scan_rate_hz=self._pages.scan_rate_hz * self._speed)
        return self._intake.scans(scan, arrived_ns=self._clock.now_ns())

    def health(self) -> dict[str, float]:
        counted = {} if self._intake is None else self._intake.health()
        row = self._row
        files = {"files": row.files, "cut_off": row.cut_off, "not_joined": row.not_joined}
        return {**counted, **files}

    def close(self) -> None:
        self._row.close()

    def _found(self) -> DecodedScan | None:
        """The next scan in the file, with its time stamp divided by the speed."""
        for _ in range(_PAGES_AT_ONCE):
            if self._fields or (page := self._row.page()) is None:
                break
            self._grown_ns = self._clock.now_ns()
            with naming(self._row.path):
                scans = self._pages.scans(page)
            self._fields.extend(scan for scan in scans if scan.counter > self._left_out)
        if self._fields:
            scan = self._fields.popleft()
            return replace(scan, t_source_ns=round((scan.t_source_ns or 0) / self._speed))
        self._check_idle()
        return None

    def _check_idle(self) -> None:
        now_ns = self._clock.now_ns()
        self._grown_ns = now_ns if self._grown_ns is None else self._grown_ns
        if self._idle_ns is not None and self._row.files:
            self.ended = now_ns - self._grown_ns >= self._idle_ns
            if self.ended:
                self._row.report_cut_off()

    def _due_ns(self, scan: DecodedScan) -> int:
        stamp_ns = scan.t_source_ns or 0
        if self._first is None or (scan.counter_restarted and scan is not self._pending):
            self._first = (stamp_ns, self._clock.now_ns())
        return self._first[1] + stamp_ns - self._first[0]
