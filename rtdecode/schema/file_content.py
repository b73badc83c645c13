"""What a file is by its first bytes, whatever its name says, for movies and for error messages."""

from pathlib import Path

MCAP = "MCAP (.mcap)"
_MARKS = {
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\x89HDF\r\n\x1a\n": "HDF5",
    b"\x89MCAP0\r\n": MCAP,
    b"\x93NUMPY": "NumPy (.npy)",
    b"PK\x03\x04": "zip (.npz, .zip)",
    b"RIFF": "AVI",
    b"\x1aE\xdf\xa3": "Matroska (.mkv)",
    b"MATLAB 5.0 MAT": "MATLAB (.mat)",
    b"\x1f\x8b\x08": "gzip",
    b"\x89PNG\r\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"%PDF": "PDF",
}
_VIDEO_MARK = b"ftyp"
_HEAD_BYTES, _FEWEST_LETTERS = 512, 16


def content_of(path: Path) -> str | None:
    """Name of the format of a file by its first bytes; None where it is not known, as of pixels.

    The file must be a regular one: reading from a pipe or device may wait.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[4:8] == _VIDEO_MARK:
        return "MP4"
    named = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    return "text" if named is None and _is_text(head) else named


def _is_text(head: bytes) -> bool:
    """Whether the first bytes are printable; the last character may be cut in the middle."""
    letters = head.decode("utf-8", errors="ignore")
    is_whole = len(letters.encode()) > len(head) - 4
    return len(head) >= _FEWEST_LETTERS and is_whole and "".join(letters.split()).isprintable()
