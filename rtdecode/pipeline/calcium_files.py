"""What the calcium chain leaves in a session's folder while it runs, and when it refuses to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtdecode.pipeline.calcium_stage import CalciumStage
from rtdecode.schema.errors import FieldMismatchError

REFUSED_PICTURE = "refused.png"


class CalciumKeeper:
    """Writes rois and calibration into a session as soon as the chain knows them.

    A decoder that is killed later leaves them, and what it has decoded can be done again.
    """

    def __init__(self, stage: CalciumStage, folder: Path) -> None:
        self._stage, self._folder = stage, folder
        self._kept: tuple[int | None, bool] = (None, False)

    def keep(self) -> None:
        """Write what is known by now and was not before."""
        known = (self._stage.neurons, self._stage.calibrated)
        if known != self._kept:
            self._stage.save(self._folder)
            self._kept = known


@contextmanager
def refusals_pictured(report: Path) -> Iterator[None]:
    """Draw what did not match into the `report` folder; the error that goes on names the picture.

    Raises FieldMismatchError as the block does.
    """
    try:
        yield
    except FieldMismatchError as error:
        # drawing takes a second to load, and only a refusal needs it
        from rtdecode.report.calcium_figure import draw_mismatch

        report.mkdir(parents=True, exist_ok=True)
        picture = report / REFUSED_PICTURE
        draw_mismatch(
            picture,
            reference_counts=error.reference_counts,
            seen_counts=error.seen_counts,
            footprint=error.footprint,
            why=error.why,
        )
        raise error.pictured(picture) from None
