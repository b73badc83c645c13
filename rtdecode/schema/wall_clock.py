"""The wall clock of a session: UTC at a stated instant of the monotonic clock.

>>> clock = WallClock(utc_ns=1_700_000_000_000_000_000, t_ns=5_000_000_000, uncertainty_ns=200)
>>> clock.utc(6_500_000_000).isoformat(timespec="milliseconds")
'2023-11-14T22:13:21.500+00:00'
>>> clock.t_ns_of(clock.utc(6_500_000_000))
6500000000
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_US = 1000


@dataclass(frozen=True, slots=True)
class WallClock:
    """One reading of the clock of the day beside the monotonic one, on one host."""

    utc_ns: int
    """Nanoseconds since 1970-01-01 00:00 UTC, as the host's clock had them."""
    t_ns: int
    """Monotonic time (HostNs) of the reading."""
    uncertainty_ns: int = 0
    """Half the time between the readings of the monotonic clock before and after."""

    def utc(self, t_ns: int) -> datetime:
        """UTC at `t_ns`, to the microsecond; later steps of the clock of the day are not in it."""
        return _EPOCH + timedelta(microseconds=(self.utc_ns + t_ns - self.t_ns) // _NS_PER_US)

    def t_ns_of(self, utc: datetime) -> int:
        """Monotonic time at `utc`."""
        passed = utc - _EPOCH
        seconds = passed.days * 86_400 + passed.seconds
        since_ns = (seconds * 1_000_000 + passed.microseconds) * _NS_PER_US
        return since_ns - self.utc_ns + self.t_ns
