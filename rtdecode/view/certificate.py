"""TLS of the page: the certificate and private key that the config names, and their mistakes.

`rtdecode check` and the process of the page use the same function, so that a run does not begin
with a certificate that the page would refuse.
"""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.errors import (
    CertificateDatesError,
    CertificateKeyError,
    MissingFileError,
    UnreadableFileError,
)

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, for which `ssl` has no name."""
_TURNS = 10
"""More than a handshake takes, each with a step of both sides."""
_MISMATCH = "KEY_VALUES_MISMATCH"
REMEDY = "give the PEM file of the certificate and that of its private key, or leave both out"
CERTIFICATE, PRIVATE_KEY = "view.certificate", "view.private_key"


def server_context(config: ViewConfig, *, now: datetime) -> ssl.SSLContext | None:
    """TLS settings of the page; None where the config names no certificate.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If a file is absent, cannot be read, or holds something else, as an encrypted key.
    CertificateKeyError
        If the key belongs to another certificate.
    CertificateDatesError
        If the certificate is not valid at `now`.
    """
    if config.certificate is None or config.private_key is None:
        return None
    _require_readable(config.certificate, CERTIFICATE)
    _require_readable(config.private_key, PRIVATE_KEY)
    context = _loaded(config.certificate, config.private_key)
    found = _presented(context, config.certificate)
    begins, ends = (_time(found[key]) for key in ("notBefore", "notAfter"))
    if not begins <= now <= ends:
        raise CertificateDatesError(
            certificate=config.certificate, begins=begins, ends=ends, now=now.astimezone(UTC)
        )
    return context


def _require_readable(path: Path, what: str) -> None:
    if not path.is_file():
        raise MissingFileError(what=what, path=path, remedy=REMEDY)
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        got = error.strerror or str(error)
        expected = "a file that the user of the run can read"
        raise UnreadableFileError(what=what, path=path, expected=expected, got=got) from error


def _loaded(certificate: Path, private_key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2

    def no_password() -> str:
        raise UnreadableFileError(
            what=PRIVATE_KEY,
            path=private_key,
            expected="a private key without a password",
            got="an encrypted one",
            remedy="`openssl pkey -in KEY -out NEW` writes it without; keep that file for its user "
            "alone (chmod 600)",
        )

    _trusting(certificate)
    try:
        context.load_cert_chain(certificate, private_key, password=no_password)
    except ssl.SSLError as error:
        if error.reason == _MISMATCH:
            raise CertificateKeyError(certificate=certificate, private_key=private_key) from error
        raise _unreadable(PRIVATE_KEY, private_key, "a private key in PEM form", error) from error
    return context


def _trusting(certificate: Path) -> ssl.SSLContext:
    """Settings of a client that accepts the certificates in this file, whatever their dates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    try:
        context.load_verify_locations(certificate)
    except ssl.SSLError as error:
        raise _unreadable(CERTIFICATE, certificate, "a certificate in PEM form", error) from error
    return context


def _presented(context: ssl.SSLContext, certificate: Path) -> Mapping[str, object]:
    """What a client reads in the certificate of `context`, after a TLS handshake in memory."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = _trusting(certificate).wrap_bio(to_client, to_server)
    try:
        for _ in range(_TURNS):
            if all([_shaken(client), _shaken(server)]):
                break
    except ssl.SSLError as error:
        raise _unreadable(CERTIFICATE, certificate, "that of a server", error) from error
    return client.getpeercert() or {}


def _shaken(side: ssl.SSLObject) -> bool:
    """Whether the handshake of this side has ended, after all that has arrived was read."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _time(text: object) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(text)), UTC)


def _unreadable(what: str, path: Path, expected: str, error: ssl.SSLError) -> UnreadableFileError:
    reason = getattr(error, "verify_message", "") or error.reason or "something else"
    got = reason.lower().replace("_", " ")
    return UnreadableFileError(what=what, path=path, expected=expected, got=got, remedy=REMEDY)
