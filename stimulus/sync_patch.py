"""The square under the photodiode: its place in the window and its grey level with each frame."""

from dataclasses import dataclass

from rtdecode.schema.config.monitor import Corner, PatchCode, PatchConfig
from rtdecode.schema.patch_code import is_white

WHITE, BLACK = 255, 0


def patch_grey(number: int, code: PatchCode = PatchCode.ALTERNATE) -> int:
    """Grey level of the patch with movie frame `number`, counted over all clips.

    >>> [patch_grey(number) for number in range(4)]
    [255, 0, 255, 0]
    """
    return WHITE if is_white(number, code) else BLACK


@dataclass(frozen=True, slots=True)
class SyncPatch:
    """A square in a corner of the window; of `size_px` 0 for no patch."""

    config: PatchConfig
    window_px: tuple[int, int]
    """(width, height) of the window."""

    @property
    def edges_px(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) from the window's upper left corner; right and bottom are out.

        A patch that is larger than the window covers it.
        """
        width, height = self.window_px
        size_x, size_y = min(self.config.size_px, width), min(self.config.size_px, height)
        corner = self.config.corner
        left = 0 if corner in (Corner.UPPER_LEFT, Corner.LOWER_LEFT) else width - size_x
        top = 0 if corner in (Corner.UPPER_LEFT, Corner.UPPER_RIGHT) else height - size_y
        return left, top, left + size_x, top + size_y

    @property
    def probe_px(self) -> tuple[int, int]:
        """(x, y) of a pixel in its middle, from the window's upper left corner, y downwards."""
        left, top, right, bottom = self.edges_px
        return (left + right) // 2, (top + bottom) // 2
