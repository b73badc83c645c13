"""Copies the large arrays of a log into datasets of an HDF5 file, in one pass and block by block.

Duties: put the images, activity and fluorescence of a session into the rows of datasets that exist
already. At most one block of each dataset is in memory, and each block is compressed once. It must
not know what the datasets mean in their file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.export.session_content import SessionContent
from rtdecode.schema.messages import DisplayedFrame, Fluorescence, Reconstruction, Responses
from rtdecode.session.recorded import RecordedSession

_BLOCK_BYTES = 1_000_000
LARGE_KINDS = (DisplayedFrame.kind, Responses.kind, Fluorescence.kind, Reconstruction.kind)
Array = NDArray[Any]


def block_rows(row_shape: tuple[int, ...], *, dtype: type, rows: int) -> int:
    """Rows of a block of about 1 MB, at least 1 and at most `rows`."""
    row_bytes = max(1, int(np.prod(row_shape))) * np.dtype(dtype).itemsize
    return int(np.clip(_BLOCK_BYTES // row_bytes, 1, max(1, rows)))


class BlockWriter:
    """Writes rows into `dataset`, whole chunks at a time; rows that are never set stay as filled.

    Parameters
    ----------
    dataset
        Chunked h5py dataset, (row, ...). Its chunks hold whole rows.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._rows = int(dataset.chunks[0])
        self._block = -1
        self._held: Array = np.zeros((0, *dataset.shape[1:]), dataset.dtype)

    def put(self, row: int, values: Array) -> None:
        """Set one row."""
        block = row // self._rows
        if block != self._block:
            self.flush()
            self._block = block
            self._held = self._dataset[block * self._rows : (block + 1) * self._rows]
        self._held[row - block * self._rows] = values

    def flush(self) -> None:
        """Write the rows that are held."""
        if self._block >= 0:
            first = self._block * self._rows
            self._dataset[first : first + len(self._held)] = self._held


@dataclass(slots=True)
class LargeArrays:
    """Datasets for the arrays of a session; those that are left out are not copied."""

    displayed: Any = None
    """(displayed frame, row, col) in the order of the log."""
    activity: Sequence[tuple[slice, Any]] = ()
    """(frame, neuron) for each range of neurons, from the first frame with responses on."""
    raw: Mapping[int, Any] = field(default_factory=dict)
    """(scan, neuron) fluorescence of each plane, in the order of the log."""
    neuropil: Mapping[int, Any] = field(default_factory=dict)
    decoded: Any = None
    """(reconstruction, row, col), ascending in the frame of the grid."""
    uncertainty: Any = None


def fill(
    arrays: LargeArrays,
    content: SessionContent,
    session: RecordedSession,
    *,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Read the log and copy its arrays; `progress` is called for each message that is copied."""
    copy = _Copy(arrays, content)
    for item in session.messages(*LARGE_KINDS):
        copy.add(item.message.body)
        progress()
    copy.flush()


class _Copy:
    """The rows at which the messages of a log go into the datasets."""

    def __init__(self, arrays: LargeArrays, content: SessionContent) -> None:
        self._first = content.frames.start
        self._place = {frame: row for row, frame in enumerate(content.decoded_frames)}
        self._n_displayed = 0
        self._n_scans = dict.fromkeys(content.planes, 0)
        self._displayed = _writer(arrays.displayed)
        self._decoded, self._uncertainty = _writer(arrays.decoded), _writer(arrays.uncertainty)
        self._activity = [(part, BlockWriter(one)) for part, one in arrays.activity]
        self._raw = {plane: BlockWriter(one) for plane, one in arrays.raw.items()}
        self._neuropil = {plane: BlockWriter(one) for plane, one in arrays.neuropil.items()}

    def add(self, body: object) -> None:
        match body:
            case DisplayedFrame() as frame:
                _put(self._displayed, self._n_displayed, frame.luminance)
                self._n_displayed += 1
            case Responses() as responses:
                known = np.where(responses.valid, responses.activity, np.float32(np.nan))
                for part, writer in self._activity:
                    writer.put(responses.frame - self._first, known[part])
            case Fluorescence() as scan:
                row = self._n_scans[scan.plane]
                _put(self._raw.get(scan.plane), row, scan.f_raw)
                _put(self._neuropil.get(scan.plane), row, scan.f_neuropil)
                self._n_scans[scan.plane] += 1
            case Reconstruction() as frame:
                _put(self._decoded, self._place[frame.frame], frame.luminance)
                _put(self._uncertainty, self._place[frame.frame], frame.uncertainty)

    def flush(self) -> None:
        one = (self._displayed, self._decoded, self._uncertainty)
        many = (*(writer for _, writer in self._activity), *self._raw.values())
        for writer in (*one, *many, *self._neuropil.values()):
            if writer is not None:
                writer.flush()


def _writer(dataset: Any) -> BlockWriter | None:
    return None if dataset is None else BlockWriter(dataset)


def _put(writer: BlockWriter | None, row: int, values: Array) -> None:
    if writer is not None:
        writer.put(row, values)
