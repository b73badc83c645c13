"""Errors of session folders and logs, and of recorded data."""

from collections.abc import Sequence
from pathlib import Path

from rtdecode.schema.errors.families import BadInputError, RtdecodeError


class NoReconstructionError(RtdecodeError):
    """A run had a decoder, and nothing was reconstructed in it."""

    def __init__(self, *, scans: int, responses: int, session: str) -> None:
        if not scans:
            why = "no scan came in: check the microscope and acquisition.source"
        elif not responses:
            why = (
                "no responses were computed: run for longer than the calibration "
                "(calcium.calibration_s), and check calcium.rois"
            )
        else:
            why = f"the decoder gave none: run for longer, and read logs/decoder.log of session {session}"
        super().__init__(
            f"the run had a decoder but gave no reconstruction; {scans} scans and "
            f"{responses} frames of responses were recorded: {why}"
        )


class DiskFullError(BadInputError):
    """The disk has too little free space for a run to start."""

    def __init__(self, *, folder: Path, mount: Path, free_mb: float, needed_mb: float) -> None:
        super().__init__(
            f"the disk of {folder}, mounted at {mount}, has {free_mb:.0f} MB free, a run needs at least {needed_mb:.0f} MB "
            f"(record.min_free_mb, and the data of one minute): free some space, or choose another "
            f"disk (record.folder, --out)"
        )


class SessionExistsError(BadInputError):
    """The folder already contains a recording, which is never overwritten."""

    def __init__(self, *, folder: Path) -> None:
        super().__init__(
            f"{folder} already holds a recorded session: choose another --out, or move the folder"
        )


class LogWriteError(RtdecodeError):
    """The log of a running session cannot be written any more."""

    def __init__(self, *, log: Path, got: str) -> None:
        super().__init__(
            f"{log} cannot be written any more ({got}): what was flushed before is kept; "
            f"free disk space, then run `rtdecode recover {log.parent}`"
        )


class LogFullError(RtdecodeError):
    """The disk of a running session is full; its log was closed and can be read."""

    def __init__(self, *, log: Path, mount: Path, free_mb: float, got: str, until_s: float) -> None:
        super().__init__(
            f"the disk mounted at {mount} is full ({got}; {free_mb:.0f} MB free): {log} has every "
            f"message of its first {until_s:.1f} s and nothing after them; free space at {mount}, or "
            f"record on another disk (record.folder, --out)"
        )


class FileWriteError(RtdecodeError):
    """A file cannot be written, for example because its disk is full or read-only."""

    def __init__(self, *, path: Path, got: str, mount: Path, free_mb: float) -> None:
        super().__init__(
            f"{path} cannot be written ({got}; its disk, mounted at {mount}, has {free_mb:.0f} MB "
            f"free): free some space there or make it writable, then run the command again"
        )


class LogRemovedError(RtdecodeError):
    """The log of a running session is not at its place any more."""

    def __init__(self, *, log: Path) -> None:
        super().__init__(
            f"{log} was removed or renamed while it was recorded, so that nothing more can be "
            f"recorded; a renamed log has everything until then: leave a session folder where it "
            f"is until its run has ended"
        )


class RepairWriteError(RtdecodeError):
    """The repaired copy of a damaged log cannot be written."""

    def __init__(self, *, log: Path, got: str) -> None:
        super().__init__(
            f"{log} was not repaired and is unchanged, because its copy cannot be written ({got}): "
            f"free as much disk space as the log has, then run `rtdecode recover {log.parent}` again"
        )


class NonFiniteError(BadInputError):
    """A file contains NaN or infinity where a measurement is expected."""

    def __init__(self, *, path: Path, where: str) -> None:
        super().__init__(
            f"{path} contains NaN or infinity at {where}: only the end of a trial may be padded with NaN; "
            f"correct the file or remove the trial from its tier"
        )


class NoSuchTierError(BadInputError):
    """A session has no trial of the requested tier."""

    def __init__(self, *, folder: Path, tier: str, tiers: Sequence[str]) -> None:
        super().__init__(
            f"{folder} has no trial of tier '{tier}': its tiers are {', '.join(tiers) or '(none)'}"
        )


class StreamMissingError(BadInputError):
    """The log of a session lacks a stream that is needed."""

    def __init__(self, *, log: Path, what: str, remedy: str) -> None:
        super().__init__(f"{log} holds no {what}: {remedy}")


class NoSuchStreamError(BadInputError):
    """A session lacks a stream that was asked for."""

    def __init__(self, *, session: Path, stream: str, has: Sequence[str], why: str = "") -> None:
        super().__init__(
            f"session {session} has no {stream}{f' ({why})' if why else ''}; it has "
            f"{', '.join(has) or 'no stream'}"
        )


class TimeBeforeStreamError(BadInputError):
    """A value is asked for at a time before the first one."""

    def __init__(self, *, stream: str, t_s: float, first_s: float) -> None:
        super().__init__(
            f"{stream} has no value at {t_s:.3f} s: its first one is at {first_s:.3f} s; give times "
            f"from there on"
        )


class ArgumentValueError(BadInputError):
    """A number that is given to a function has no meaning there."""

    def __init__(self, *, name: str, got: object, expected: str) -> None:
        super().__init__(f"{name} is {got}: give {expected}")


class SizeChangedError(BadInputError):
    """The values of a stream change their size within the part that was asked for."""

    def __init__(self, *, stream: str, sizes: Sequence[tuple[int, ...]], remedy: str) -> None:
        super().__init__(
            f"{stream} has values of different sizes, {', '.join(map(str, sizes))}, which are no "
            f"one array: {remedy}"
        )


class NoFrameScoredError(BadInputError):
    """No frame can be scored."""

    def __init__(self, *, why: str) -> None:
        super().__init__(f"no frame can be scored: {why}")


class NoSuchClipError(BadInputError):
    """A session did not display the clip that was asked for."""

    def __init__(self, *, session: Path, clip: str, clips: Sequence[str]) -> None:
        super().__init__(
            f"session {session} displays no clip '{clip}'; it displays {', '.join(clips) or 'none'}"
        )


class NeuronsChangedError(BadInputError):
    """The neurons, identified by their number and their ROIs, change within a session."""

    def __init__(
        self, *, log: Path, first: tuple[int, str], then: tuple[int, str], frame: int
    ) -> None:
        names = [f"{count} neurons (ROIs {found or 'unknown'})" for count, found in (first, then)]
        super().__init__(
            f"{log} holds responses of {names[0]}, and {frame} frames later of {names[1]}: "
            f"a twin needs the same neurons throughout; `rtdecode replay {log.parent}` "
            f"decodes the whole session again with one set of ROIs"
        )


class TooFewClipsError(BadInputError):
    """A session has too few different clips for training, validation and test."""

    def __init__(self, *, source: Path, clips: int, needed: int) -> None:
        super().__init__(
            f"{source} shows {clips} different clips of 3 s or more while neurons were measured, at "
            f"least {needed} are needed (training, validation, test): record longer, show more "
            f"clips (stimulus.clips, stimulus.embedded_clips), or, in an NWB file, add a column "
            f"`tier` to its trials"
        )


class TooShortError(BadInputError):
    """A recording or clip has too few frames."""

    def __init__(self, *, what: str, frames: int, needed: int) -> None:
        super().__init__(
            f"{what} has {frames} frames, at least {needed} are needed: "
            f"remove it from the data, or record longer trials"
        )


class EmptyNoteError(BadInputError):
    """A note without text."""

    def __init__(self) -> None:
        super().__init__(
            'the note is empty: give its text in quotes, as in `rtdecode note SESSION "eye closed"`'
        )


class NoteTooLongError(BadInputError):
    """A note that does not fit into one event."""

    def __init__(self, *, got: int, most: int) -> None:
        super().__init__(
            f"the note has {got:,} characters, and at most {most:,} are kept: give it in several "
            f"notes, or put the text as a file into the session folder and name it in a note"
        )


class NoteRefusedError(RtdecodeError):
    """A run that is about to begin or to end has not taken a note."""

    def __init__(self, *, got: str) -> None:
        super().__init__(f"the note was not taken: {got}")
