"""Files that the calcium chain writes into a session: ROIs, calibration, picture of a mismatch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtdecode.pipeline.calcium_stage import CalciumStage
from rtdecode.schema.errors import FieldMismatchError

MISMATCH_FIGURE = "refused.png"


class CalciumFiles:
    """Writes ROIs and calibration into a session as soon as they are known.

    They remain when the decoder is killed, so that the session can be decoded again.
    """

    def __init__(self, stage: CalciumStage, folder: Path) -> None:
        self._stage, self._folder = stage, folder
        self._saved: tuple[int | None, bool] = (None, False)

    def save_new(self) -> None:
        """Write them if they have become known since the last call."""
        known = (self._stage.neurons, self._stage.calibrated)
        if known != self._saved:
            self._stage.save(self._folder)
            self._saved = known


@contextmanager
def mismatch_figure(report: Path) -> Iterator[None]:
    """Draw a FieldMismatchError of the block into the `report` folder, and name it in the error."""
    try:
        yield
    except FieldMismatchError as error:
        # matplotlib takes a second to import, and only this case needs it.
        from rtdecode.report.calcium_figure import draw_mismatch

        report.mkdir(parents=True, exist_ok=True)
        picture = report / MISMATCH_FIGURE
        draw_mismatch(
            picture,
            reference_counts=error.reference_counts,
            seen_counts=error.seen_counts,
            footprint=error.footprint,
            why=error.why,
        )
        raise error.pictured(picture) from None
