"""Every error that rtdecode raises by name: one class a cause, the class builds the sentence."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class RtdecodeError(Exception):
    """Something a person can mend; the message says what was got, expected, and what to do."""

    exit_code: int = 1


class BadInputError(RtdecodeError, ValueError):
    """A file, option or config that cannot be used as it is."""

    exit_code: int = 2


class DataLostError(RtdecodeError):
    """Data went missing beyond what the config permits."""

    exit_code: int = 3

    def __init__(self, *, lost: int, permitted: int, where: str) -> None:
        super().__init__(
            f"{lost} messages were lost ({where}), record.permitted_loss permits {permitted}: "
            f"the log holds a Gap for each hole; free a core or lower the scan rate"
        )


class ConfigError(BadInputError):
    """All mistakes of a config file at once, each with its line."""

    def __init__(self, *, path: Path, mistakes: Sequence[str]) -> None:
        listed = "\n".join(f"  {mistake}" for mistake in mistakes)
        what = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"{path} has {what}:\n{listed}")


class MissingFileError(BadInputError):
    """A file that the config or the command line names is not there."""

    def __init__(self, *, what: str, path: Path, remedy: str) -> None:
        super().__init__(f"{what} {path} does not exist: {remedy}")


class UnreadableFileError(BadInputError):
    """A file is there but cannot be read as what it should be."""

    def __init__(self, *, what: str, path: Path, expected: str, got: str) -> None:
        super().__init__(f"{what} {path} cannot be used: expected {expected}, got {got}")


class ShapeError(BadInputError):
    """An array has another shape than it must have."""

    def __init__(self, name: str, *, expected: str, got: NDArray[np.generic]) -> None:
        super().__init__(f"{name} must have {expected}, got shape {got.shape}")


class TwinMissingError(BadInputError):
    """An inversion was asked for without saying of what."""

    def __init__(self) -> None:
        super().__init__(
            "the config asks for a decoder but names no decode.twin: give the folder of a twin, or "
            "write `decode: null` to stop at the responses"
        )


class NeuronCountError(BadInputError):
    """The microscope's masks and the twin do not speak of the same neurons."""

    def __init__(self, *, streamed: int, trained: int, twin: str) -> None:
        super().__init__(
            f"the masks give {streamed} neurons, but twin '{twin}' was trained on {trained}: "
            f"set calcium.masks to the masks the twin was trained with, "
            f"or train a twin for these masks"
        )


class MasksMissingError(BadInputError):
    """Nobody said which pixels are neurons."""

    def __init__(self) -> None:
        super().__init__(
            "the config names neither calcium.masks nor a calcium.detector: give the masks of this "
            "field of view, or set calcium.detector: local_correlation"
        )


class MessageError(RtdecodeError, ValueError):
    """Bytes that are not a message of this version; refused before an array is made."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"message refused: {reason}")


class RecorderAbsentError(RtdecodeError):
    """No recorder took the first message; without recording nothing starts."""

    def __init__(self, *, endpoint: str, waited_s: float) -> None:
        super().__init__(
            f"no recorder answered at {endpoint} within {waited_s:g} s, so nothing was started: "
            f"start `rtdecode run` first, or set network.recorder to where it listens"
        )


class RecorderFullError(RtdecodeError):
    """The recorder's queue is full; going on would lose data silently."""

    def __init__(self, *, endpoint: str, stream: str, queued: int) -> None:
        super().__init__(
            f"the recorder at {endpoint} has not kept up: {queued} messages wait and {stream} "
            f"cannot be handed over; everything up to here is recorded; "
            f"use a faster disk or raise record.queue_messages"
        )


class AddressInUseError(BadInputError):
    """Somebody else already listens there."""

    def __init__(self, *, address: str, option: str) -> None:
        super().__init__(
            f"{address} is already in use: end the other instance, or set {option} "
            f"(0 lets the system choose a free port)"
        )


class SecondInstanceError(BadInputError):
    """The session folder belongs to a run that is still going."""

    def __init__(self, *, folder: Path, pid: int) -> None:
        super().__init__(
            f"session folder {folder} is in use by process {pid}: "
            f"wait for it, stop it, or choose another --out"
        )


class NoDisplayError(BadInputError):
    """There is neither a screen nor an X server that could make one."""

    def __init__(self, *, got: str) -> None:
        super().__init__(
            f"no screen for the stimulus ({got}): set DISPLAY, install Xvfb (`apt-get install xvfb "
            f"libglu1-mesa libfontconfig1`), or set stimulus.presenter: headless"
        )


class PresenterMissingError(BadInputError):
    """PsychoPy is not installed in this interpreter."""

    def __init__(self) -> None:
        super().__init__(
            "psychopy is not installed: run `make install`, or `pip install 'rtdecode[stimulus]'`, "
            "or set stimulus.presenter: headless"
        )


class RefreshRateError(BadInputError):
    """The monitor's refresh rate does not fit the movie or the config."""

    def __init__(self, *, got_hz: float, expected: str) -> None:
        super().__init__(
            f"the monitor refreshes {got_hz:.4g} times a second, expected {expected}: set the monitor's "
            f"mode, set stimulus.refresh_hz to what it really does, or lower stimulus.frame_rate_hz"
        )


class UnknownOrderError(RtdecodeError, ValueError):
    """A command that its receiver does not know."""

    def __init__(self, *, got: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown command '{got:.40}': expected one of {', '.join(known)}")


class ClipError(BadInputError):
    """A clip cannot be shown."""

    def __init__(self, *, path: Path, got: str) -> None:
        super().__init__(
            f"clip {path} cannot be shown: {got}; give videos that ffmpeg reads "
            f"(mp4, mkv, avi, webm), at least one frame long"
        )


class DiskFullError(BadInputError):
    """The disk has too little room for a session of this length."""

    def __init__(self, *, folder: Path, free_mb: float, needed_mb: float) -> None:
        super().__init__(
            f"{folder} has {free_mb:.0f} MB free, this session needs about {needed_mb:.0f} MB: "
            f"free some space, choose another --out, or shorten the run"
        )


class SessionExistsError(BadInputError):
    """The folder already holds a recording, which nothing may overwrite."""

    def __init__(self, *, folder: Path) -> None:
        super().__init__(
            f"{folder} already holds a recorded session: choose another --out, or move it away"
        )


class LogWriteError(RtdecodeError):
    """The log can no longer be written while a session runs."""

    def __init__(self, *, log: Path, got: str) -> None:
        super().__init__(
            f"{log} can no longer be written ({got}): what was flushed before is kept; "
            f"free the disk, then run `rtdecode recover {log.parent}`"
        )


class ProcessFailedError(RtdecodeError):
    """A process of the run ended with an error; the run ends with the same exit code."""

    def __init__(self, *, name: str, code: int, tail: str) -> None:
        self.exit_code = code if code > 0 else 1
        super().__init__(f"{name} ended with exit code {code}; its last words:\n{tail}")


class NotReadyError(RtdecodeError):
    """A process of the run did not become ready."""

    def __init__(self, *, name: str, waited_s: float, tail: str) -> None:
        super().__init__(
            f"{name} was not ready after {waited_s:g} s; its last words:\n{tail or '(none)'}"
        )


class NonFiniteError(BadInputError):
    """A file holds NaN or infinity where a measurement must be."""

    def __init__(self, *, path: Path, where: str) -> None:
        super().__init__(
            f"{path} holds NaN or infinity at {where}: only the end of a trial may be padded with NaN; "
            f"mend the file or take the trial out of its tier"
        )


class NoSuchTierError(BadInputError):
    """A recorded session has no trial of the tier that was asked for."""

    def __init__(self, *, folder: Path, tier: str, tiers: Sequence[str]) -> None:
        super().__init__(
            f"{folder} has no trial of tier '{tier}': its tiers are {', '.join(tiers) or '(none)'}"
        )


class ScanShapeError(BadInputError):
    """A scan has another size than what it is compared with."""

    def __init__(self, *, got: tuple[int, ...], expected: tuple[int, ...], what: str) -> None:
        super().__init__(
            f"a scan of {_size(got)} pixels came in, but the {what} has {_size(expected)}: give the "
            f"{what} of this field of view, or set the microscope back to {_size(expected)}"
        )


class ScanValueError(BadInputError):
    """A scan holds values that no detector gives."""

    def __init__(self, *, number: int, got: str) -> None:
        super().__init__(
            f"scan {number} holds {got}: counts must be finite whole numbers (uint16 or int16); "
            f"look at what the microscope's software sends"
        )


class MasksError(BadInputError):
    """Masks that cannot be those of a field of view."""

    def __init__(self, *, where: str, got: str) -> None:
        super().__init__(
            f"masks {where} cannot be used: {got}; give .npz masks of this project, a suite2p folder, "
            f"a CaImAn .hdf5 file or an NWB file with a PlaneSegmentation"
        )


class UnsafePickleError(BadInputError):
    """A pickled file names code that reading an array never needs; nothing of it was run."""

    def __init__(self, *, path: Path, name: str) -> None:
        super().__init__(
            f"{path} wants to run {name} while it is read, which an array of ROIs never needs, so it "
            f"was refused unread: convert it on the machine that wrote it, or give another masks file"
        )


class CalibrationError(BadInputError):
    """A calibration does not belong to these masks or this field of view."""

    def __init__(self, *, got: str, expected: str) -> None:
        super().__init__(
            f"the calibration does not fit: expected {expected}, got {got}; leave calibration out to "
            f"calibrate on the first scans, or give the one made with these masks"
        )


class NoCellsFoundError(BadInputError):
    """The detector saw nothing that rises and falls like a cell."""

    def __init__(self, *, scans: int) -> None:
        super().__init__(
            f"no cells were found in the first {scans} scans: raise calcium.detector_scans, look whether "
            f"the shutter is open, or give calcium.masks from suite2p, CaImAn or NWB"
        )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


class MovieNotGivenError(BadInputError):
    """The source is a recorded movie, but no file is named."""

    def __init__(self) -> None:
        super().__init__(
            "acquisition.source.kind is raw_movie but no movie is named: "
            "give --movie FILE, or set acquisition.source.path"
        )


class EndpointMissingError(BadInputError):
    """A process that nobody supervises does not know where to listen."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"{name} is empty: a process that is started by itself needs {name} in its config, "
            f"for example tcp://127.0.0.1:5701; `rtdecode run CONFIG` chooses addresses itself"
        )


class TooShortError(BadInputError):
    """A recording or clip has fewer frames than what is to be done with it needs."""

    def __init__(self, *, what: str, frames: int, needed: int) -> None:
        super().__init__(
            f"{what} has {frames} frames, at least {needed} are needed: "
            f"leave it out, or choose shorter crops (frames) or a twin with a shorter history"
        )


class CheckpointError(BadInputError):
    """An interrupted training cannot be gone on with by these settings."""

    def __init__(self, *, path: Path, differing: str) -> None:
        super().__init__(
            f"{path} is from an interrupted training with another {differing}: "
            f"repeat its command to go on with it, delete the file to start anew, or choose another --out"
        )


class DivergedError(RtdecodeError):
    """A training or a fit no longer gives numbers."""

    def __init__(self, *, step: int) -> None:
        super().__init__(
            f"the loss is not finite at step {step}: lower learning_rate, "
            f"and look for extreme values in the responses"
        )


class FolderNotEmptyError(BadInputError):
    """What would be written might mix with what is there."""

    def __init__(self, *, folder: Path) -> None:
        super().__init__(f"{folder} is not empty: choose another folder, or clear it first")


class StreamError(RtdecodeError, ValueError):
    """What a microscope sends is not what its adapter reads."""

    def __init__(self, *, stream: str, reason: str) -> None:
        super().__init__(
            f"the stream of acquisition.source.kind {stream} cannot be read: {reason}; "
            f"check kind and settings of acquisition.source against the rig (docs/rig.md)"
        )


class ScanSizeChangedError(RtdecodeError):
    """Scans of another size than before; masks and reference no longer fit."""

    def __init__(self, *, number: int, before: tuple[int, ...], now: tuple[int, ...]) -> None:
        super().__init__(
            f"scan {number} has shape {now}, all before had {before}: masks and reference no longer "
            f"fit; keep the rig's settings during a run, and start a new run after changing them"
        )


class SettingMissingError(BadInputError):
    """Something must be set that the file or rig does not say itself."""

    def __init__(self, *, setting: str, reason: str) -> None:
        super().__init__(f"set {setting}: {reason}")


class FrameOrderError(RtdecodeError):
    """A frame came that is not newer than the one before it."""

    def __init__(self, *, newest: int, got: int) -> None:
        super().__init__(
            f"the decoder was given frame {got} after frame {newest}: frames must come in order, once; "
            f"start a new decoder for a new stream, or check the order of what feeds it"
        )


class BehaviourChannelsError(BadInputError):
    """The behaviour that comes in is not what the twin was trained with."""

    def __init__(self, *, got: int, expected: int) -> None:
        super().__init__(
            f"a frame carries {got} behaviour channels, the twin was trained with {expected}: "
            f"give running, pupil diameter, pupil x and pupil y, in this order"
        )


class ExtraMissingError(BadInputError):
    """A package that only some rigs need is not installed."""

    def __init__(self, *, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: run `pip install 'rtdecode[{extra}]'`")


class StreamAbsentError(BadInputError):
    """Nobody sends the stream that the config names."""

    def __init__(self, *, stream: str, waited_s: float) -> None:
        super().__init__(
            f"no LSL stream named '{stream}' was found within {waited_s:g} s: start its sender, or "
            f"set the stream's name in the config to one that `mne-lsl` lists"
        )


class EmptyMaskError(RtdecodeError):
    """No part of the screen matters to the neurons."""

    def __init__(self, *, highest: float, needed: float) -> None:
        super().__init__(
            f"no pixel reaches a transparency of {needed:g} (the highest is {highest:.2f}): "
            f"give more --steps, or a twin that predicts its neurons better"
        )


class UnknownModelError(BadInputError):
    """A twin of this architecture cannot be trained here."""

    def __init__(self, *, model: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no training for model '{model}': choose {' or '.join(known)}")


class ForeignWeightsError(BadInputError):
    """A published checkpoint is not of the layout that it was said to be."""

    def __init__(self, *, path: Path, got: str) -> None:
        super().__init__(
            f"weights {path} cannot be imported: they hold {got}; "
            f"check --format (sensorium2022 for images, dwiseneuro for video) and --mouse"
        )


class UnknownFormatError(BadInputError):
    """A format that nobody here can import."""

    def __init__(self, *, got: str, known: Sequence[str]) -> None:
        super().__init__(f"--format {got} is not known: give one of {', '.join(known)}")


class LeakedClipError(BadInputError):
    """A clip that would be scored was among those the twin was trained on."""

    def __init__(self, *, trial: int, clip: int, fraction: float) -> None:
        super().__init__(
            f"trial {trial} shows what training clip {clip} showed ({100 * fraction:.0f} % of its "
            f"frames match): a score would say nothing; score other trials, or train without this clip"
        )


class MissingOptionError(BadInputError):
    """A command needs an option that was not given."""

    def __init__(self, *, option: str, needed_for: str) -> None:
        super().__init__(f"{option} is needed for {needed_for}: give it")
