"""Errors of the web page's certificate."""

from datetime import datetime
from pathlib import Path

from rtdecode.schema.errors.families import BadInputError


class CertificateKeyError(BadInputError):
    """The private key of the page belongs to another certificate."""

    def __init__(self, *, certificate: Path, private_key: Path) -> None:
        super().__init__(
            f"view.private_key {private_key} does not belong to view.certificate {certificate}: give "
            f"the two files that were made together; a file with several certificates must begin "
            f"with that of the page"
        )


class CertificateDatesError(BadInputError):
    """The certificate of the page is not valid now."""

    def __init__(
        self, *, certificate: Path, begins: datetime, ends: datetime, now: datetime
    ) -> None:
        got = f"has expired on {ends:%Y-%m-%d %H:%M} UTC"
        if now < begins:
            got = f"is not valid before {begins:%Y-%m-%d %H:%M} UTC"
        super().__init__(
            f"view.certificate {certificate} {got}, and the clock of this machine states "
            f"{now:%Y-%m-%d %H:%M} UTC: renew the certificate, or set the clock"
        )
