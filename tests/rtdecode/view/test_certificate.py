"""A certificate of the page is used, or refused for what is wrong with it."""

import os
import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from own_certificate import Pair, made_certificate

from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.errors import (
    BadInputError,
    CertificateDatesError,
    CertificateKeyError,
    MissingFileError,
    UnreadableFileError,
)
from rtdecode.view.certificate import server_context

NOW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return made_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return made_certificate(tmp_path_factory.mktemp("other"))


def context_of(certificate: Path, private_key: Path, *, now: datetime = NOW) -> object:
    return server_context(ViewConfig(certificate=certificate, private_key=private_key), now=now)


def test_a_page_without_certificate_has_no_tls() -> None:
    assert server_context(ViewConfig(), now=NOW) is None


def test_a_certificate_with_its_key_is_used(pair: Pair) -> None:
    context = context_of(*pair)
    assert isinstance(context, ssl.SSLContext)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def refused(kind: type[BadInputError], says: str, *files: Path, now: datetime = NOW) -> None:
    with pytest.raises(kind, match=re.compile(says, re.DOTALL)) as error:
        context_of(files[0], files[1], now=now)
    assert error.value.exit_code == 2


def test_the_key_of_another_certificate_is_refused(pair: Pair, other: Pair) -> None:
    says = rf"view\.private_key {other.private_key} does not belong to .*{pair.certificate}"
    refused(CertificateKeyError, says, pair.certificate, other.private_key)


def test_a_certificate_is_refused_outside_its_dates(pair: Pair) -> None:
    year = timedelta(days=365)
    refused(CertificateDatesError, r"has expired on .*renew", *pair, now=NOW + year)
    refused(CertificateDatesError, r"is not valid before .*clock", *pair, now=NOW - year)


def test_an_encrypted_key_is_refused_and_asks_nobody_for_its_password(
    pair: Pair, tmp_path: Path
) -> None:
    encrypted = pair.encrypted(tmp_path / "encrypted.pem")
    refused(UnreadableFileError, "got an encrypted one.*openssl pkey", pair.certificate, encrypted)


def test_a_file_that_holds_something_else_or_is_absent_is_named(pair: Pair, tmp_path: Path) -> None:
    text, absent = tmp_path / "text.pem", tmp_path / "absent.pem"
    text.write_text("nothing of this kind\n")
    refused(UnreadableFileError, r"view\.certificate .*text\.pem", text, pair.private_key)
    refused(UnreadableFileError, r"view\.private_key .*text\.pem", pair.certificate, text)
    refused(UnreadableFileError, r"view\.private_key", pair.certificate, pair.certificate)
    refused(MissingFileError, r"view\.certificate .*does not exist", absent, pair.private_key)
    refused(MissingFileError, r"view\.private_key .*does not exist", pair.certificate, absent)
    refused(MissingFileError, r"is a folder", pair.certificate, tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_a_key_of_another_user_is_named(pair: Pair, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(pair.private_key.read_bytes())
    key.chmod(0)
    refused(UnreadableFileError, "the user of the run can read", pair.certificate, key)
