"""The alarm comes minutes before a disk is full, and not each second."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import AcquisitionConfig, PrairieRawSource
from rtdecode.schema.disk import mount_point
from rtdecode.schema.messages import Event
from rtdecode.session import disk_watch
from rtdecode.session.disk_watch import DiskWatch, expected_mb_s, short_of_space

MB = 1_000_000
S = 1_000_000_000


class Disk:
    """Free space that decreases by `other_mb_s` and by what the watch states as written."""

    def __init__(self, free_mb: float, *, log_mb_s: float, other_mb_s: float = 0.0) -> None:
        self.free_mb, self.log_mb_s, self.other_mb_s = free_mb, log_mb_s, other_mb_s
        self.t_s = 0.0
        self.watch = DiskWatch(Path("/"), free=lambda _: self.free)

    @property
    def free(self) -> int:
        return max(0, int((self.free_mb - self.t_s * (self.log_mb_s + self.other_mb_s)) * MB))

    def alarms(self, seconds: int) -> Iterator[tuple[float, Event]]:
        """Time in s and event of each alarm within `seconds`, with a step every 0.1 s."""
        for _ in range(seconds * 10):
            self.t_s += 0.1
            written = int(self.t_s * self.log_mb_s * MB)
            for event in self.watch.step(t_ns=round(self.t_s * S), written_bytes=written):
                yield self.t_s, event


def test_there_is_no_alarm_while_there_is_room_for_ten_minutes() -> None:
    disk = Disk(2.0 * 700, log_mb_s=2.0)
    assert list(disk.alarms(60)) == []
    assert disk.watch.counters()["disk_minutes_left"] == pytest.approx(640 / 60, rel=0.02)
    assert disk.watch.text == ""


def test_the_alarm_comes_at_ten_minutes_and_at_each_half_of_them() -> None:
    alarms = list(Disk(2.0 * 700, log_mb_s=2.0).alarms(720))
    left = [(700 - t_s) / 60 for t_s, _ in alarms]
    expected = [10, 5, 2.5, 1.25, 0.625, 0.3125, 0.15625]
    assert left == pytest.approx(expected, abs=0.05)
    assert "has room for 18 s more at 2.0 MB/s" in alarms[-2][1].text
    first = alarms[0][1]
    assert (first.severity, first.process, first.code) == ("alarm", "recorder", "disk_low")
    assert first.text.startswith("the disk mounted at / has room for 10.0 min more at 2.0 MB/s")


def test_space_that_other_programs_use_counts_too() -> None:
    [(_, event), *_] = Disk(1000, log_mb_s=0.5, other_mb_s=4.5).alarms(30)
    assert "at 5.0 MB/s" in event.text


def test_after_space_was_freed_the_alarm_can_come_again() -> None:
    disk = Disk(1000, log_mb_s=2.0)
    assert len(list(disk.alarms(20))) == 1
    disk.free_mb += 5000
    assert list(disk.alarms(100)) == []
    assert disk.watch.text == ""
    disk.free_mb -= 5200
    assert len(list(disk.alarms(80))) >= 1


def test_the_expected_rate_is_that_of_the_scans() -> None:
    source = PrairieRawSource(rows_px=512, cols_px=512, scan_rate_hz=30.0)
    config = RunConfig(decode=None, acquisition=AcquisitionConfig(source=source))
    # 512 · 512 · 2 B · 30 Hz = 15.7 MB/s, and less than a tenth of it for all else
    assert expected_mb_s(config) == pytest.approx(15.73, rel=0.1)


def test_a_planned_run_that_does_not_fit_is_stated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_watch, "free_mb", lambda _: 300.0)
    config = RunConfig(seconds=3600)
    rate = expected_mb_s(config)
    said = short_of_space(config, tmp_path)
    assert said.startswith(f"the disk mounted at {mount_point(tmp_path)} has 300 MB free, and this")
    assert f"of 3,600 s needs about {rate * 3600:,.0f} MB" in said
    assert short_of_space(RunConfig(seconds=30), tmp_path) == ""
    assert short_of_space(config.model_copy(update={"seconds": None}), tmp_path) == ""
