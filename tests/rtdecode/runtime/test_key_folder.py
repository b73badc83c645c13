"""Keys on disk: who can read them, whose they are, and what is said about any other file."""

import stat
from pathlib import Path

import pytest
import zmq
import zmq.auth

from rtdecode.runtime.key_folder import KeyFolder, default_key_folder
from rtdecode.schema.errors import (
    BadInputError,
    KeyConflictError,
    KeyExistsError,
    KeyFileError,
    KeyNameError,
    KeyNotAllowedError,
    KeyUnprotectedError,
    MissingFileError,
)


@pytest.fixture
def here(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path / "here")


def another(tmp_path: Path, name: str = "screen") -> KeyFolder:
    made = KeyFolder(tmp_path / name)
    made.new(name)
    return made


def test_a_new_key_is_read_back_and_nobody_else_can_read_it(here: KeyFolder) -> None:
    made = here.new("decoder")
    assert here.own() == made
    assert zmq.curve_public(made.secret) == made.public
    assert stat.S_IMODE(here.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in here.path.iterdir()} == {0o600}
    assert made.secret.decode() not in repr(made)


def test_the_files_are_certificates_of_pyzmq_in_both_directions(
    here: KeyFolder, tmp_path: Path
) -> None:
    made = here.new("decoder")
    secret_file = here.path / "decoder.key_secret"
    assert zmq.auth.load_certificate(secret_file) == (made.public, made.secret)
    assert zmq.auth.load_certificate(here.public_file("decoder")) == (made.public, None)
    public_file, secret = zmq.auth.create_certificates(tmp_path, "matlab")
    assert here.allow(Path(public_file)) == "matlab"
    with pytest.raises(KeyFileError, match=r"carry matlab\.key instead"):
        here.allow(Path(secret))


def test_a_key_is_never_overwritten(here: KeyFolder) -> None:
    made = here.new("decoder")
    for name in ("decoder", "other"):
        with pytest.raises(KeyExistsError, match="not overwritten"):
            here.new(name)
    assert here.own() == made


@pytest.mark.parametrize("name", ["", "Screen", "../x", "a b", "x" * 32, "join/…"])
def test_a_name_that_no_host_can_have_makes_no_key(here: KeyFolder, name: str) -> None:
    with pytest.raises(KeyNameError):
        here.new(name)
    assert not here.path.exists()


def test_a_secret_key_that_others_can_read_is_refused_with_the_command(here: KeyFolder) -> None:
    here.new("decoder")
    secret = here.path / "decoder.key_secret"
    secret.chmod(0o640)
    with pytest.raises(KeyUnprotectedError, match=f"chmod 600 {secret}"):
        here.own()
    secret.chmod(0o600)
    here.path.chmod(0o770)
    with pytest.raises(KeyUnprotectedError, match=f"chmod 700 {here.path}"):
        here.own()
    here.path.chmod(0o700)
    allowed = here.path / "allowed"
    allowed.mkdir()
    allowed.chmod(0o777)
    with pytest.raises(KeyUnprotectedError, match=f"chmod 700 {allowed}"):
        here.own()


def test_who_is_allowed_is_known_by_name_until_revoked(here: KeyFolder, tmp_path: Path) -> None:
    screen = another(tmp_path)
    public = screen.own().public
    assert here.name_of(public) == ""
    assert here.allow(screen.public_file("screen")) == "screen"
    assert here.allow(screen.public_file("screen")) == "screen"
    assert (here.name_of(public), here.allowed()) == ("screen", {"screen": public})
    here.revoke("screen")
    assert (here.name_of(public), here.allowed()) == ("", {})
    with pytest.raises(KeyNotAllowedError, match="no other key is allowed"):
        here.revoke("screen")


def test_one_name_has_one_key_and_one_key_one_name(here: KeyFolder, tmp_path: Path) -> None:
    first, second = another(tmp_path), another(tmp_path / "new")
    here.allow(first.public_file("screen"))
    with pytest.raises(KeyConflictError, match="rtdecode keys revoke screen"):
        here.allow(second.public_file("screen"))
    renamed = tmp_path / "renamed.key"
    text = first.public_file("screen").read_text()
    renamed.write_text(text.replace('name = "screen"', 'name = "microscope"'))
    with pytest.raises(KeyConflictError, match="allowed as 'screen' already"):
        here.allow(renamed)
    here.new("office")
    with pytest.raises(KeyConflictError, match="a name of its own"):
        here.allow(another(tmp_path, "office").public_file("office"))


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff" * 100, b"ssh-ed25519 AAAA", b'public-key = "short"', b"x" * 1_000_000],
)
def test_any_other_file_is_refused_by_name(here: KeyFolder, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "screen.key"
    file.write_bytes(content)
    with pytest.raises(KeyFileError, match=r"screen\.key cannot be used as a key") as refused:
        here.allow(file)
    assert refused.value.exit_code == 2
    assert not here.path.exists()


def test_no_file_and_a_folder_are_refused(here: KeyFolder, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.key", tmp_path):
        with pytest.raises(MissingFileError, match="rtdecode keys show"):
            here.allow(path)


def test_a_damaged_own_key_is_named_and_one_damaged_allowed_key_refuses_that_host_alone(
    here: KeyFolder, tmp_path: Path
) -> None:
    made, screen, office = here.new("decoder"), another(tmp_path), another(tmp_path, "office")
    for one, name in ((screen, "screen"), (office, "office")):
        here.allow(one.public_file(name))
    (here.path / "allowed" / "screen.key").write_text("damaged")
    assert here.name_of(screen.own().public) == ""
    assert here.name_of(office.own().public) == "office"
    with pytest.raises(KeyFileError, match=r"allowed/screen\.key"):
        here.allowed()
    secret = here.path / "decoder.key_secret"
    secret.write_text(
        secret.read_text().replace(made.public.decode(), screen.own().public.decode())
    )
    with pytest.raises(BadInputError, match="do not belong together"):
        here.own()


def test_the_public_file_is_written_again_where_it_is_missing(here: KeyFolder) -> None:
    here.new("decoder")
    before = here.public_file("decoder").read_text()
    here.public_file("decoder").unlink()
    assert here.require_public_file("decoder").read_text() == before


def test_the_default_folder_is_among_the_configs_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_key_folder() == tmp_path / "rtdecode" / "keys"
    assert KeyFolder().path == default_key_folder()
    assert (KeyFolder().option, KeyFolder(tmp_path).option) == ("", f" --folder {tmp_path}")
