"""Alignment of displayed frames and reconstructions, which share one frame grid.

The ground truth of grid frame k is the frame that was displayed in the middle of k. A displayed
frame stays on the screen from its own flip until the next flip.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Reconstruction, Stamped


@dataclass(frozen=True, slots=True)
class TruthFrame:
    """The displayed frame in the middle of one frame of the grid."""

    frame: int
    displayed: DisplayedFrame


@dataclass(frozen=True, slots=True)
class Pair:
    """A reconstruction and the displayed frame of the same grid frame."""

    frame: int
    displayed: DisplayedFrame
    reconstruction: Reconstruction


_LONGEST_NS = 3_600 * 1_000_000_000


class TruthOnGrid:
    """Ground truth of every grid frame, available once the next flip has arrived.

    Frames during a gap in the stream have no ground truth: the displayed frame before the gap is
    not extended over it, nor over more than an hour, which no genuine pair of flips is apart.

    Parameters
    ----------
    grid
        The frame grid that all stages share.
    """

    def __init__(self, grid: FrameGrid) -> None:
        self._grid = grid
        self._on_screen: DisplayedFrame | None = None
        self._stream = ("", -1)

    def add_displayed(self, message: Stamped, displayed: DisplayedFrame) -> Iterator[TruthFrame]:
        """Grid frames whose middle lies between the previous flip and that of `displayed`."""
        before, self._on_screen = self._on_screen, displayed
        is_next = self._stream == (message.source, message.seq - 1)
        self._stream = (message.source, message.seq)
        if before is not None and is_next and displayed.t_flip_ns - before.t_flip_ns < _LONGEST_NS:
            yield from self._frames_of(before, until_ns=displayed.t_flip_ns)

    def _frames_of(self, displayed: DisplayedFrame, *, until_ns: int) -> Iterator[TruthFrame]:
        frame = self._grid.frame_at(displayed.t_flip_ns)
        if self._grid.middle_ns(frame) < displayed.t_flip_ns:
            frame += 1
        while self._grid.middle_ns(frame) < until_ns:
            yield TruthFrame(frame, displayed)
            frame += 1


class Pairing:
    """Pairs of displayed frames and reconstructions, whichever of the two arrives first.

    Parameters
    ----------
    grid
        The frame grid that all stages share.
    hold_frames
        Number of frames that are kept on either side while the other side is missing.
    """

    def __init__(self, grid: FrameGrid, *, hold_frames: int) -> None:
        self._truth = TruthOnGrid(grid)
        self._hold_frames = hold_frames
        self._displayed: dict[int, DisplayedFrame] = {}
        self._decoded: dict[int, Reconstruction] = {}
        self.unmatched = 0
        """Reconstructions without a displayed frame."""

    def add(self, message: Stamped) -> list[Pair]:
        """Pairs that `message` completes, in the order of their frames."""
        if isinstance(message.body, DisplayedFrame):
            return self._add_displayed(message, message.body)
        if isinstance(message.body, Reconstruction):
            return self._add_reconstruction(message.body)
        return []

    def _add_displayed(self, message: Stamped, displayed: DisplayedFrame) -> list[Pair]:
        pairs = []
        for truth in self._truth.add_displayed(message, displayed):
            decoded = self._decoded.pop(truth.frame, None)
            if decoded is not None:
                pairs.append(Pair(truth.frame, truth.displayed, decoded))
            else:
                self._displayed[truth.frame] = truth.displayed
                self._bound(self._displayed)
        return pairs

    def _add_reconstruction(self, decoded: Reconstruction) -> list[Pair]:
        displayed = self._displayed.pop(decoded.frame, None)
        if displayed is not None:
            return [Pair(decoded.frame, displayed, decoded)]
        self._decoded[decoded.frame] = decoded
        self.unmatched += self._bound(self._decoded)
        return []

    def _bound(self, waiting: dict[int, DisplayedFrame] | dict[int, Reconstruction]) -> int:
        if len(waiting) <= self._hold_frames:
            return 0
        waiting.pop(next(iter(waiting)))
        return 1
