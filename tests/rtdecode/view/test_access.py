"""Tokens of the page follow from the run, and reach the terminal alone."""

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.messages import Health
from rtdecode.view.access import (
    PageAccess,
    PageAddresses,
    Right,
    is_local,
    page_addresses,
    unencrypted,
)

ACCESS = PageAccess("run one")
GIVEN = (Right.WATCH, Right.ACT)


@pytest.mark.parametrize("right", GIVEN)
def test_a_token_and_its_cookie_give_their_right_and_differ(right: Right) -> None:
    assert ACCESS.of_token(ACCESS.token(right)) is right
    assert ACCESS.of_any(ACCESS.cookie(right)) is right
    assert ACCESS.of_any(ACCESS.token(right)) is right
    assert ACCESS.of_token(ACCESS.cookie(right)) is Right.NONE


def test_a_restarted_page_knows_the_same_tokens_and_the_next_run_none_of_them() -> None:
    again, other = PageAccess("run one"), PageAccess("run two")
    secrets = {access.token(right) for access in (ACCESS, other) for right in GIVEN}
    assert len(secrets) == 4
    assert all(len(secret) == 32 for secret in secrets)
    for right in GIVEN:
        assert again.token(right) == ACCESS.token(right)
        assert other.of_any(ACCESS.cookie(right)) is Right.NONE
        assert other.of_token(ACCESS.token(right)) is Right.NONE


@given(guess=st.text())
def test_a_guess_gives_nothing(guess: str) -> None:
    assert ACCESS.of_token(guess) is ACCESS.of_any(guess) is Right.NONE


def test_a_run_without_a_secret_gives_no_access() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        PageAccess("")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "[::1]", "localhost"])
def test_a_page_of_this_machine_alone_has_one_address_without_a_token(host: str) -> None:
    address = f"https://{host}:4242/"
    assert page_addresses(address, secret="r") == {Right.ACT: address}


@pytest.mark.parametrize("host", ["10.0.0.2", "[fd00::1]", "rig.lab", "localhost.evil.example"])
def test_any_other_page_has_an_address_for_each_right(host: str) -> None:
    found = page_addresses(f"http://{host}:4242/", secret="r")
    assert list(found) == list(GIVEN)
    for right, address in found.items():
        assert PageAccess("r").of_token(address.partition("=")[2]) is right


def test_an_address_that_is_no_number_and_not_localhost_is_not_local() -> None:
    assert not any(map(is_local, ("", "0.0.0.0", "::", "rig", "127.0.0.1.evil.example")))


def test_the_terminal_gets_the_tokens_and_a_file_of_the_user_keeps_them(tmp_path: Path) -> None:
    got: list[tuple[str, Health]] = []
    addresses = PageAddresses(
        tmp_path / "page.txt", secret="r", on_health=lambda *heard: got.append(heard)
    )
    for name, detail in (
        ("view", ""),
        ("recorder", "http://rig.lab/"),
        ("view", "http://rig.lab/"),
    ):
        addresses.update(name, Health("running", detail, {"browsers": 1.0}))
    expected = page_addresses("http://rig.lab/", secret="r")
    assert [health.detail for _, health in got[:2]] == ["", "http://rig.lab/"]
    assert got[2][1].detail.splitlines() == list(expected.values())
    assert got[2][1].counters == {"browsers": 1.0}
    assert (tmp_path / "page.txt").read_text().split() == list(expected.values())
    assert stat.S_IMODE((tmp_path / "page.txt").stat().st_mode) == 0o600
    addresses.remove()
    addresses.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_page_of_this_machine_alone_needs_no_file(tmp_path: Path) -> None:
    addresses = PageAddresses(tmp_path / "p", secret="r", on_health=lambda *_: None)
    addresses.update("view", Health("running", "http://127.0.0.1:1/", {}))
    assert list(tmp_path.iterdir()) == []


def test_a_page_of_another_host_alone_states_its_host(tmp_path: Path) -> None:
    got: list[str] = []
    addresses = PageAddresses(
        tmp_path / "p",
        secret="r",
        on_health=lambda _, health: got.append(health.detail),
        joined_host="screen",
    )
    addresses.update("view", Health("running", "http://127.0.0.1:1/", {}))
    addresses.update("view", Health("running", "http://rig.lab:1/", {}))
    assert got[0] == "http://127.0.0.1:1/ (in a browser on the host screen alone)"
    assert "screen" not in got[1]


@pytest.mark.parametrize(
    ("view", "warned"),
    [
        ({}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"names": ("rig.lab",)}, True),
        ({"host": "0.0.0.0", "certificate": "c", "private_key": "k"}, False),
    ],
)
def test_a_page_that_leaves_its_machine_without_tls_is_warned_of(
    view: dict[str, Any], *, warned: bool
) -> None:
    assert bool(unencrypted(ViewConfig(**view))) is warned


def test_a_file_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    got: list[str] = []
    addresses = PageAddresses(
        tmp_path / "absent" / "p", secret="r", on_health=lambda name, _: got.append(name)
    )
    addresses.update("view", Health("running", "http://rig.lab/", {}))
    assert got == ["view"]
