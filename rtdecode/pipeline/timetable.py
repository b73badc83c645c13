"""The timetable of a stimulus protocol, for `rtdecode check`, and the lengths of its movies."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rtdecode.runtime.protocol_file import read_protocol
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.protocol import Movie, Protocol, Still, Stimulus
from rtdecode.schema.errors import ClipError, SeveralMistakesError
from rtdecode.schema.planned_trials import PlannedTrial, planned_frames, planned_trials
from rtdecode.schema.protocol_limits import Limits

_MOST_ROWS = 20
_USUAL_RATE_HZ = 30
_ROUNDING = 1e-6
_HEAD = ("trial", "block", "stimulus", "start, s", "duration, s", "parameters")


def checked_protocol(config: RunConfig) -> tuple[Protocol, dict[Path, float]] | None:
    """The protocol of a run, after all checks, and the length in s of each movie file.

    None for a run without a protocol.

    Raises
    ------
    MissingFileError, ConfigError, ProtocolCodeError
        As `rtdecode.runtime.protocol_file.read_protocol`.
    ClipError, SeveralMistakesError
        For files that hold no picture.
    """
    if config.stimulus.protocol is None:
        return None
    limits = Limits.of(config.stimulus, frame_rate_hz=config.frame_rate_hz)
    protocol = read_protocol(config.stimulus.protocol, limits)
    lengths, mistakes = dict[Path, float](), list[ClipError]()
    for file in sorted(_files(protocol)):
        try:
            lengths[file] = movie_s(file)
        except ClipError as error:
            mistakes.append(error)
    if len(mistakes) > 1:
        raise SeveralMistakesError(mistakes=[str(one) for one in mistakes])
    if mistakes:
        raise mistakes[0]
    return protocol, lengths


def _files(protocol: Protocol) -> set[Path]:
    conditions = (one for block in protocol.blocks for one in block.conditions())
    pictures = (one for one in conditions if isinstance(one, Movie | Still))
    return {one.file for one in pictures if one.file is not None}


def movie_s(file: Path) -> float:
    """Length in s of a video, from the times of its packets; the first picture is decoded.

    Raises
    ------
    ClipError
        If ffmpeg does not read it, or it holds no picture.
    """
    # PyAV takes a tenth of a second to import, which runs without movies do without
    import av

    try:
        with av.open(str(file), metadata_errors="replace") as container:
            if not container.streams.video or next(container.decode(video=0), None) is None:
                raise ClipError(path=file, got="it holds no frame of video")
            stream = container.streams.video[0]
            frame_s = 1 / float(stream.average_rate or _USUAL_RATE_HZ)
            container.seek(0)
            packets = [packet for packet in container.demux(stream) if packet.size]
    except av.FFmpegError as error:
        raise ClipError(path=file, got=str(error.strerror)) from error
    times = [float(p.pts * p.time_base) for p in packets if p.pts is not None]
    if not times:
        return frame_s * max(1, len(packets))
    return max(times) - min(times) + frame_s


@dataclass(frozen=True, slots=True)
class TimedTrial:
    """A trial and when it is displayed, without the time of waits."""

    trial: PlannedTrial
    start_s: float
    duration_s: float


def timed_trials(
    protocol: Protocol, lengths: dict[Path, float], *, frame_rate_hz: float, clip_s: float
) -> Iterator[TimedTrial]:
    """All trials with their times in s, in whole frames, from the first frame of the protocol.

    Parameters
    ----------
    lengths
        Length in s of each movie file.
    clip_s
        Length in s of an embedded clip.
    """
    frames = 0
    for trial in planned_trials(protocol):
        count = _frames(trial.stimulus, lengths, frame_rate_hz=frame_rate_hz, clip_s=clip_s)
        yield TimedTrial(trial, frames / frame_rate_hz, count / frame_rate_hz)
        frames += count + round(trial.interval_s * frame_rate_hz)


def _frames(
    stimulus: Stimulus, lengths: dict[Path, float], *, frame_rate_hz: float, clip_s: float
) -> int:
    planned = planned_frames(stimulus, frame_rate_hz=frame_rate_hz)
    if not isinstance(stimulus, Movie):
        return planned or 1
    if stimulus.file is None:
        full = round(clip_s * frame_rate_hz)
    else:
        # a frame for each time k / rate before the end of the file
        full = -int(-(lengths[stimulus.file] - _ROUNDING) * frame_rate_hz // 1)
    return full if planned is None else min(full, planned)


def timetable(config: RunConfig, protocol: Protocol, lengths: dict[Path, float]) -> list[str]:
    """The timetable in lines: the first trials, their number, and the length.

    Times do not contain the waits for `start_block`.
    """
    timed = timed_trials(
        protocol,
        lengths,
        frame_rate_hz=config.frame_rate_hz,
        clip_s=config.stimulus.clip_s,
    )
    first = list(islice(timed, _MOST_ROWS))
    last = deque(timed, 1) or first[-1:]
    count = last[-1].trial.number + 1
    end_s = last[-1].start_s + last[-1].duration_s + last[-1].trial.interval_s
    named = _named(protocol)
    rows = [_HEAD, *(_row(one, named) for one in first)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    lines = [f"timetable of {config.stimulus.protocol}"]
    lines += ["  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in rows]
    if count > len(first):
        lines.append(f"and {count - len(first)} more")
    waits = sum(block.wait_for_trigger for block in protocol.blocks)
    waiting = f", and {waits} waits for start_block" if waits else ""
    lines.append(f"{count} trials, {end_s:.2f} s{waiting}")
    if config.seconds is not None and config.seconds < end_s:
        lines.append(f"the run ends before, after {config.seconds:g} s (seconds)")
    return lines


def _row(timed: TimedTrial, named: set[str]) -> tuple[str, ...]:
    trial = timed.trial
    times = (f"{timed.start_s:.3f}", f"{timed.duration_s:.3f}")
    block = f"{trial.block} (after start_block)" if trial.waits else trial.block
    own = trial.parameters.items()
    parameters = " ".join(f"{name}={value:g}" for name, value in own if name in named)
    return str(trial.number), block, trial.name, *times, parameters


def _named(protocol: Protocol) -> set[str]:
    """Parameters that have another value than their default in any trial; no other column."""
    conditions = (one for block in protocol.blocks for one in block.conditions())
    named = {
        name
        for one in conditions
        for name, value in one.parameters().items()
        if value != type(one).model_fields[name].default
    }
    return named - {"duration_s", "embedded"}
