"""Errors of twins, their training, and decoding with them."""

from pathlib import Path

from rtdecode.schema.errors.families import BadInputError, RtdecodeError


class TwinMissingError(BadInputError):
    """The config has a decoder and no twin."""

    def __init__(self) -> None:
        super().__init__(
            "the config has a decoder but no decode.twin, and no folder in decode.twins: give the "
            "folder of a twin, or write `decode: null` to end at the responses"
        )


class DeviceUnavailableError(BadInputError):
    """A GPU was asked for, and there is none on which torch can compute."""

    def __init__(self, *, got: str) -> None:
        super().__init__(
            f"the device cuda needs a GPU that torch can compute on, but {got}: set decode.device "
            f"(or --device) to auto or cpu, or install a build of torch for this GPU and its driver"
        )


class FrameRateError(BadInputError):
    """The run and the twin have different frame rates."""

    def __init__(self, *, run_hz: float, twin_hz: float, twin: str) -> None:
        super().__init__(
            f"frame_rate_hz is {run_hz:g}, but twin '{twin}' was trained at {twin_hz:g} frames per "
            f"second: set frame_rate_hz: {twin_hz:g} at the top of the config, "
            f"or give a twin that was trained at {run_hz:g} Hz"
        )


class ScreenSizeError(BadInputError):
    """The run and the twin have different sizes of the screen."""

    def __init__(self, *, run_px: tuple[int, int], twin_px: tuple[int, int], twin: str) -> None:
        super().__init__(
            f"the movie of the run has {run_px[0]} x {run_px[1]} px, but twin '{twin}' was trained with "
            f"{twin_px[0]} x {twin_px[1]} px: set stimulus.rows_px: {twin_px[0]} and "
            f"stimulus.cols_px: {twin_px[1]}, or give a twin of this size"
        )


class NeuronCountError(BadInputError):
    """The ROIs of the microscope and the twin have different numbers of neurons."""

    def __init__(self, *, streamed: int, trained: int, twin: str) -> None:
        super().__init__(
            f"the ROIs give {streamed} neurons, but twin '{twin}' was trained on {trained}: "
            f"set calcium.rois to the ROIs that the twin was trained with, "
            f"or train a twin for these ROIs"
        )


class SessionNeuronsError(BadInputError):
    """A twin or decoder and a recorded session have different numbers of neurons."""

    def __init__(
        self,
        *,
        folder: Path,
        trained: int,
        session: Path,
        recorded: int,
        what: str = "twin",
        remedy: str = "give the session that it was fitted to, or one that was fitted to this one",
    ) -> None:
        super().__init__(
            f"{what} {folder} has {trained} neurons, but session {session} has {recorded}: {remedy}"
        )


class DecoderLagError(BadInputError):
    """A direct decoder was fitted for another lag than the one that was asked for."""

    def __init__(self, *, decoder: str, fitted: int, asked: int) -> None:
        super().__init__(
            f"the direct decoder '{decoder}' was fitted for a lag of {fitted} frames, not {asked}: "
            f"give --lag-frames {fitted}, or fit one with "
            f"`rtdecode fit direct --lag-frames {asked}`"
        )


class TwinRoisError(BadInputError):
    """The ROIs of the run are others than those that the twin was trained with."""

    def __init__(self, *, streamed: str, trained: str, twin: str) -> None:
        super().__init__(
            f"twin '{twin}' was trained on the ROIs with the content hash {trained}, but those of this "
            f"run have {streamed}: set calcium.rois to masks.npz of the session that it was trained "
            f"on, or, if these are the same cells in the same order, set decode.rois_check to count"
        )


class TwinsDifferError(BadInputError):
    """Two twins that cannot be inverted together."""

    def __init__(self, *, first: Path, other: Path, what: str) -> None:
        super().__init__(
            f"twins '{first}' and '{other}' cannot be decoded with together, as they differ: {what}. "
            f"Give twins of the same neurons, screen and frame rate as decode.twins, or leave one out"
        )


class TwinRepeatedError(BadInputError):
    """A twin is named twice, by different paths of one folder."""

    def __init__(self, *, first: Path, other: Path) -> None:
        super().__init__(
            f"twins '{first}' and '{other}' are the same folder, but several twins must be different "
            f"ones: give each twin once as decode.twins"
        )


class TwinReplacedError(BadInputError):
    """The folder for an imported twin has files of another twin."""

    def __init__(self, *, out: Path, got: str) -> None:
        super().__init__(
            f"{out} has {got} of another twin, which would be lost or be used with the imported "
            f"weights: choose another --out, or move that twin"
        )


class BehaviourChannelsError(BadInputError):
    """The number of behaviour channels differs from that of the training data."""

    def __init__(self, *, got: int, expected: int) -> None:
        super().__init__(
            f"a frame has {got} behaviour channels, the twin was trained with {expected}: "
            f"give running, pupil diameter, pupil x and pupil y, in this order"
        )


class FrameOrderError(RtdecodeError):
    """A frame is not newer than the previous one."""

    def __init__(self, *, newest: int, got: int) -> None:
        super().__init__(
            f"the decoder was given frame {got} after frame {newest}: frames must come in order, once; "
            f"start a new decoder for a new stream, or check the order of its input"
        )


class SessionsDifferError(BadInputError):
    """Two sessions on which no common twin can be trained."""

    def __init__(self, *, first: Path, other: Path, what: str, remedy: str) -> None:
        super().__init__(
            f"sessions {first} and {other} cannot be used together, as {what}: {remedy}"
        )


class CheckpointError(BadInputError):
    """An interrupted training has other settings than its continuation."""

    def __init__(self, *, path: Path, differing: str) -> None:
        super().__init__(
            f"{path} is from an interrupted training with another {differing}: "
            f"repeat its command to continue it, delete the file to start anew, or choose another --out"
        )


class DivergedError(RtdecodeError):
    """The loss of a training or a fit is not finite."""

    def __init__(self, *, step: int) -> None:
        super().__init__(
            f"the loss is not finite at step {step}: check the responses of the session for extreme "
            f"values, and try another --seed"
        )


class NotFiniteWeightsError(BadInputError):
    """A file of a twin has values that are NaN or infinite."""

    def __init__(self, *, what: str, path: Path, tensor: str, wrong: int, total: int) -> None:
        super().__init__(
            f"{what} {path} cannot be used: {wrong} of {total} values of tensor '{tensor}' are NaN or "
            f"infinite, as after a training that diverged: train the twin again with another --seed, "
            f"or give another twin"
        )


class EmptyMaskError(RtdecodeError):
    """No pixel of the screen affects the responses of the neurons enough to be scored.

    `highest` and `needed` are transparencies. `fraction` is the reduction of a pixel's variance
    that a transparency of 1 stands for; None for the published procedure.
    """

    def __init__(self, *, highest: float, needed: float, fraction: float | None = None) -> None:
        if fraction is None:
            reached = _below(highest, needed)
            what = f"no pixel reaches a transparency of {needed:g} (the highest is {reached})"
            remedy = "give more --steps, a lower --scored-from"
        else:
            percent, needed_percent = 100 * fraction * highest, 100 * fraction * needed
            reached = _below(percent, needed_percent)
            what = (
                f"the activity reduces the variance of no pixel by {needed_percent:g} % "
                f"(of the best one by {reached} %)"
            )
            remedy = "give a lower --fraction"
        super().__init__(
            f"{what}: {remedy}, or a twin that predicts its neurons better "
            f"(more recorded clips, or more neurons)"
        )


_MOST_DIGITS = 17


def _below(value: float, limit: float) -> str:
    """`value` with two decimals, or as many more as distinguish it from a `limit` above it."""
    texts = (f"{value:.{digits}f}" for digits in range(2, _MOST_DIGITS))
    return next((text for text in texts if float(text) < limit), repr(value))


class ForeignWeightsError(BadInputError):
    """A published checkpoint does not have the given layout."""

    def __init__(self, *, path: Path, got: str) -> None:
        super().__init__(
            f"weights {path} cannot be imported: they hold {got}; "
            f"check --format (sensorium2022 for images, dwiseneuro for video) and --mouse"
        )
