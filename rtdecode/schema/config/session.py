"""Settings of recording, live score and web page."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar, Self

from pydantic import field_validator, model_validator

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


_DNS_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
)


class ViewConfig(Section):
    """The web page.

    Beyond this machine the page needs the address, with a token of the run, that the terminal of
    the run prints: one address to watch, and one to act too (docs/page.md).
    """

    host: str = "127.0.0.1"
    """Address that the page listens on; the default is reachable from this machine only, 0.0.0.0
    from every network of this machine. Requests under another name than this address, a loopback
    name, the address at which they arrive, or one of `names` are refused."""
    port: Port = 0
    """TCP port of the page; 0 lets the system choose."""
    names: tuple[str, ...] = ()
    """DNS names or IP addresses under which browsers reach the page; the first one is printed."""
    certificate: Path | None = None
    """PEM file of the certificate, with those of its issuers; the page is then served over TLS."""
    private_key: Path | None = None
    """PEM file of the private key of the certificate, without a password."""

    @field_validator("names")
    @classmethod
    def _without_port(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not (_DNS_NAME.fullmatch(name.lower()) or is_ip_address(name)):
                raise ValueError(
                    f"'{name:.60}' is no name: a DNS name or an IP address is expected, without "
                    f"scheme and port"
                )
        return tuple(name.lower() for name in names)

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            missing = "certificate" if self.certificate is None else "private_key"
            raise ValueError(
                f"certificate and private_key are given together: {missing} is missing"
            )
        return self


def is_ip_address(text: str) -> bool:
    """Whether `text` is an address in numbers, without brackets.

    >>> is_ip_address("10.0.0.2"), is_ip_address("fd00::1"), is_ip_address("rig.lab")
    (True, True, False)
    """
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
