"""Files that the calcium chain writes into a session: ROIs, calibration, picture of a mismatch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtdecode.pipeline.planes_stage import CalciumStage
from rtdecode.schema.errors import FieldMismatchError, KeptFileError

MISMATCH_FIGURE = "refused.png"


class CalciumFiles:
    """Writes ROIs and calibration into a session as soon as they are known.

    They remain when the decoder is killed, so that a restarted one has the same neurons in the
    same order, and that the session can be decoded again.
    """

    def __init__(self, stage: CalciumStage, folder: Path) -> None:
        self._stage, self._folder = stage, folder
        self._saved: dict[str, str] = {}

    @property
    def identity(self) -> str:
        """The saved files with the hashes of their content, as heartbeats state them."""
        return " ".join(f"{name}:{found}" for name, found in self._saved.items())

    def save_new(self) -> None:
        """Write them if they have become known since the last call."""
        known = dict(self._stage.kept)
        if known != self._saved:
            self._stage.save(self._folder)
            self._saved = known

    def check(self, identity: str) -> None:
        """Compare the files with the `identity` that was stated before a restart, by content.

        Raises
        ------
        KeptFileError
            If one of them is not there any more, or has another content.
        """
        known = self._stage.kept
        for stated in identity.split():
            name, _, before = stated.rpartition(":")
            if known.get(name) != before:
                raise KeptFileError(
                    path=self._folder / name, before=before, now=known.get(name, "")
                )


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
