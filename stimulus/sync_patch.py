"""The corner square under the photodiode, which alternates with every movie frame; for screens."""

from dataclasses import dataclass

WHITE, BLACK = 255, 0


def patch_grey(number: int) -> int:
    """Grey level of the patch with movie frame `number`, counted over all clips.

    >>> [patch_grey(number) for number in range(4)]
    [255, 0, 255, 0]
    """
    return BLACK if number % 2 else WHITE


@dataclass(frozen=True, slots=True)
class SyncPatch:
    """A square of `size_px` window pixels in the lower right corner; 0 for no patch."""

    size_px: int
    window_px: tuple[int, int]
    """(width, height) of the window."""

    @property
    def center_px(self) -> tuple[float, float]:
        """(x, y) of its centre in px, from the window's centre, y upwards."""
        width, height = self.window_px
        return (width - self.size_px) / 2, (self.size_px - height) / 2

    @property
    def probe_px(self) -> tuple[int, int]:
        """(x, y) of a pixel in its middle, from the window's upper left corner, y downwards."""
        width, height = self.window_px
        return width - self.size_px // 2 - 1, height - self.size_px // 2 - 1
