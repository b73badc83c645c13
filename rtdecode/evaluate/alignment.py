"""Which shown frame belongs to which reconstruction: both lie on the same frame grid."""

from collections.abc import Iterator
from dataclasses import dataclass

from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Reconstruction, Stamped


@dataclass(frozen=True, slots=True)
class TruthFrame:
    """What was on the screen in the middle of one frame of the grid."""

    frame: int
    shown: DisplayedFrame


@dataclass(frozen=True, slots=True)
class Pair:
    """A reconstruction and what was really on the screen in that frame."""

    frame: int
    shown: DisplayedFrame
    reconstruction: Reconstruction


class TruthOnGrid:
    """The truth of every grid frame, as soon as the next flip settles what was on the screen.

    A hole in the stream leaves the frames that it may have covered without truth: the frame before
    the hole is not stretched over it.

    Parameters
    ----------
    grid
        The frame grid that all stages share.
    """

    def __init__(self, grid: FrameGrid) -> None:
        self._grid = grid
        self._on_screen: DisplayedFrame | None = None
        self._stream = ("", -1)

    def take(self, message: Stamped, shown: DisplayedFrame) -> Iterator[TruthFrame]:
        """Frames whose middle lay between the flip before `shown` and its own."""
        before, self._on_screen = self._on_screen, shown
        whole = self._stream == (message.source, message.seq - 1)
        self._stream = (message.source, message.seq)
        if before is not None and whole:
            yield from self._frames_of(before, until_ns=shown.t_flip_ns)

    def _frames_of(self, shown: DisplayedFrame, *, until_ns: int) -> Iterator[TruthFrame]:
        frame = self._grid.frame_at(shown.t_flip_ns)
        if self._grid.middle_ns(frame) < shown.t_flip_ns:
            frame += 1
        while self._grid.middle_ns(frame) < until_ns:
            yield TruthFrame(frame, shown)
            frame += 1


class Pairing:
    """Reconstructions with their truth, whichever of the two comes first.

    Parameters
    ----------
    grid
        The frame grid that all stages share.
    hold_frames
        For how many frames either side waits for the other before it is given up.
    """

    def __init__(self, grid: FrameGrid, *, hold_frames: int) -> None:
        self._truth = TruthOnGrid(grid)
        self._hold_frames = hold_frames
        self._shown: dict[int, DisplayedFrame] = {}
        self._decoded: dict[int, Reconstruction] = {}
        self.unmatched = 0
        """Reconstructions whose truth never came."""

    def take(self, message: Stamped) -> list[Pair]:
        """Pairs that this message completes, in the order of their frames."""
        if isinstance(message.body, DisplayedFrame):
            return self._take_shown(message, message.body)
        if isinstance(message.body, Reconstruction):
            return self._take_decoded(message.body)
        return []

    def _take_shown(self, message: Stamped, shown: DisplayedFrame) -> list[Pair]:
        pairs = []
        for truth in self._truth.take(message, shown):
            decoded = self._decoded.pop(truth.frame, None)
            if decoded is not None:
                pairs.append(Pair(truth.frame, truth.shown, decoded))
            else:
                self._shown[truth.frame] = truth.shown
                self._bound(self._shown)
        return pairs

    def _take_decoded(self, decoded: Reconstruction) -> list[Pair]:
        shown = self._shown.pop(decoded.frame, None)
        if shown is not None:
            return [Pair(decoded.frame, shown, decoded)]
        self._decoded[decoded.frame] = decoded
        self.unmatched += self._bound(self._decoded)
        return []

    def _bound(self, waiting: dict[int, DisplayedFrame] | dict[int, Reconstruction]) -> int:
        if len(waiting) <= self._hold_frames:
            return 0
        waiting.pop(next(iter(waiting)))
        return 1
