"""Settings of recording, live score and web page."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from rtdecode.schema.config.section import Count, Index, NotNegative, Port, Positive, Section


class RecordConfig(Section):
    """The session folder and its log."""

    folder: Path = Path("sessions")
    """Folder in which new session folders are made."""
    flush_s: Positive = 1.0
    """Interval in s at which the log is flushed to disk."""
    queue_messages: Count = 2000
    """Messages that may wait for each subscriber, such as the decoder, before some are dropped."""
    backlog_mb: Positive = 1024.0
    """Memory in MB, of all processes together, for messages that the recorder has not taken yet, as
    while a disk is slow. The bridge has half of it. Beyond it messages are not recorded."""
    split_mb: Positive = 2000.0
    """Size in MB at which the log goes on in a further file (log.mcap, log_0001.mcap and so on), so
    that its index does not grow for hours in the recorder's memory. A file also ends after 20,000
    chunks, whose index takes about 16 MB there."""
    permitted_loss: Index = 0
    """Number of messages that the log lacks above which a run ends with exit code 3."""
    min_free_mb: NotNegative = 200.0
    """Free disk space in MB without which a run does not start; at least that of a minute of data
    is needed, also with 0."""


class EvaluateConfig(Section):
    """The live score of the reconstructions against the displayed frames."""

    earlier_names: ClassVar[Mapping[str, str]] = {"mask": "screen_mask"}

    window_s: Positive = 10.0
    """Length in s of the sliding window of the live score."""
    period_s: Positive = 1.0
    """Interval in s between two scores."""
    warm_up_s: NotNegative = 2.0
    """Time in s from the first reconstruction that is not scored."""
    screen_mask: Path | None = None
    """.npy file of the screen mask, the pixels that are scored; null scores the whole screen."""


class ViewConfig(Section):
    """The web page."""

    host: str = "127.0.0.1"
    """Address that the page listens on; the default is reachable from this machine only. Requests
    under another name than this address, a loopback name or, where it is 0.0.0.0, a name or address
    of this machine, are refused."""
    port: Port = 0
    """TCP port of the page; 0 lets the system choose."""
