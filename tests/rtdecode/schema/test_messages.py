"""What travels is frozen, named once, and carries its unit in its name."""

import dataclasses
import typing

import pytest

from rtdecode.schema.messages import BODIES, Body, Gap, Stamped

UNITS = ("_ns", "_s", "_ms", "_hz", "_px", "_deg", "_cm_s", "_counts")
QUANTITIES = ("t_", "f_", "running", "pupil", "pixels", "shift", "window")
UNIT_OF_THE_RIG = ("f_raw", "f_neuropil")
"""Fluorescence is in counts, or in the unit of the rig program that sends it."""


def test_the_union_and_the_list_name_the_same_kinds() -> None:
    assert set(typing.get_args(Body)) == set(BODIES)
    kinds = [body.kind for body in BODIES]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.kind)
def test_physical_quantities_end_in_their_unit(body: type[Body]) -> None:
    measured = [f.name for f in dataclasses.fields(body) if f.name.startswith(QUANTITIES)]
    without = [name for name in measured if not name.endswith(UNITS)]
    assert [name for name in without if name not in UNIT_OF_THE_RIG] == []


def test_a_message_cannot_be_changed() -> None:
    gap = Gap("bridge/scan", 3, 1, "decoder")
    with pytest.raises(dataclasses.FrozenInstanceError):
        gap.n_missing = 0  # type: ignore[misc]


def test_source_and_kind_name_the_stream() -> None:
    assert Stamped("decoder", 0, 0, "host", Gap("x", 0, 1, "d")).stream == "decoder/gap"
