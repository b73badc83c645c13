"""Arrays of files are read within bounds, and a damaged file is named in words of this project."""

import contextlib
import re
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtdecode.schema.array_files import (
    TEXTS,
    array_of_npy,
    arrays_of_npz,
    mapped_array_of_npy,
)
from rtdecode.schema.errors import BadInputError, MissingFileError, UnreadableFileError

HELD = np.arange(600, dtype=np.float32).reshape(20, 30)
GIVEN = {"what": "the file", "expected": "an array", "remedy": "give another one"}
LIBRARY_TEXT = re.compile(
    r"Error -\d|invalid|magic string|central directory|header|EOF|Errno|unpickl|\bmmap\b|CRC|"
    r"reshape|buffer|dtype\(|malformed|codec|token",
    re.IGNORECASE,
)
"""Parts of the messages of numpy, zipfile, zlib and tokenize."""
Read = Callable[[Path], np.ndarray]


def npz(path: Path) -> np.ndarray:
    return arrays_of_npz(path, ["a"], **GIVEN)["a"]


READERS: dict[str, Read] = {
    "npz": npz,
    "stored npz": npz,
    "npy": lambda path: array_of_npy(path, **GIVEN),
    "mapped": lambda path: mapped_array_of_npy(path, **GIVEN),
}


def written(path: Path, form: str) -> Path:
    if form == "npz":
        np.savez_compressed(path, a=HELD)
    elif form == "stored npz":
        np.savez(path, a=HELD)
    else:
        np.save(path, HELD)
    return path


@pytest.mark.parametrize("form", READERS)
def test_an_array_is_read_as_it_was_written(tmp_path: Path, form: str) -> None:
    suffix = ".npz" if "npz" in form else ".npy"
    path = written(tmp_path / f"a{suffix}", form)
    np.testing.assert_array_equal(READERS[form](path), HELD)


@pytest.mark.parametrize("form", READERS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_file_is_refused_in_our_words_or_read_with_its_shape_or_less(
    tmp_path: Path, form: str, share: float, mask: int, cut: bool
) -> None:
    path = written(tmp_path / ("a.npz" if "npz" in form else "a.npy"), form)
    content = bytearray(path.read_bytes())
    at = int(share * len(content))
    content[at] ^= mask
    path.write_bytes(content[:at] if cut else content)
    said = f"{path} give another one"
    try:
        found = READERS[form](path)
        assert found.nbytes <= len(content) * 1100
    except BadInputError as error:
        said = str(error)
    assert str(path) in said
    assert said.endswith("give another one")
    assert not LIBRARY_TEXT.search(said.replace(str(path), "")), said


@pytest.mark.parametrize("at", range(-22, 0))
def test_a_damaged_end_of_an_archive_is_named_in_our_words(tmp_path: Path, at: int) -> None:
    path = written(tmp_path / "a.npz", "npz")
    whole = path.read_bytes()
    for mask in (0x01, 0x40, 0x80, 0xFF):
        content = bytearray(whole)
        content[at] ^= mask
        path.write_bytes(content)
        with contextlib.suppress(BadInputError):
            np.testing.assert_array_equal(npz(path), HELD)
            continue
        with pytest.raises(UnreadableFileError) as error:
            npz(path)
        said = str(error.value).replace(str(path), "")
        assert not LIBRARY_TEXT.search(said), said


def test_what_is_missing_or_of_another_kind_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.array(["text"]))
    np.save(tmp_path / "pickled.npy", np.array([{}], object), allow_pickle=True)
    said = {
        "a": "got a, an array of <U4, not of numbers: give another one",
        "b": "got no array b: give another one",
    }
    for name, text in said.items():
        with pytest.raises(UnreadableFileError, match=re.escape(text)):
            arrays_of_npz(tmp_path / "a.npz", [name], **GIVEN)
    assert arrays_of_npz(tmp_path / "a.npz", ["a"], kinds=TEXTS, **GIVEN)["a"] == ["text"]
    for read in (READERS["npy"], READERS["mapped"]):
        with pytest.raises(UnreadableFileError, match=r"got a \.npz archive"):
            read(tmp_path / "a.npz")
        with pytest.raises(UnreadableFileError, match="an array of object, not of numbers"):
            read(tmp_path / "pickled.npy")
        with pytest.raises(UnreadableFileError, match="expected a file, got a folder"):
            read(tmp_path)
        with pytest.raises(MissingFileError, match="give another one"):
            read(tmp_path / "none.npy")


def test_an_npz_claims_no_more_than_its_bytes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.zeros(4))
    raw = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(raw.replace(b"(4,), ", b"(4**9"))
    (tmp_path / "c.npz").write_bytes(raw.replace(b"(4,), }  ", b"(99999,)}"))
    for name in ("b.npz", "c.npz"):
        with pytest.raises(UnreadableFileError, match=name):
            npz(tmp_path / name)


@pytest.mark.parametrize("form", ["npy", "npz"])
def test_a_header_that_claims_a_gigabyte_takes_no_memory(tmp_path: Path, form: str) -> None:
    header = str({"descr": "<f4", "fortran_order": False, "shape": (250_000_000,)}).encode()
    head = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    path = tmp_path / f"a.{form}"
    if form == "npy":
        path.write_bytes(head + bytes(100))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.npy", head + bytes(100))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreadableFileError, match=r"an array of shape \(250000000,\) in at most"):
        READERS[form](path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_damaged_entry_is_named_by_its_array(tmp_path: Path) -> None:
    path = written(tmp_path / "a.npz", "npz")
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("a.npy")
    content = bytearray(path.read_bytes())
    at = entry.header_offset + 30 + len("a.npy") + 60
    content[at : at + 8] = b"\xff" * 8
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="got a damaged array a: give another one"):
        npz(path)
