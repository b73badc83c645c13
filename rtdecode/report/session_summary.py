"""The value that states what happened in a session, and its sentences.

Terminal, report page and JSON print its fields and its `sentences`, and add none of their own. It
must not read a log: `rtdecode.report.summary` computes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rtdecode.evaluate.latency import StageLatency
from rtdecode.evaluate.loop_latency import LoopFigures
from rtdecode.evaluate.output_count import EventSum
from rtdecode.report.latency_sentences import latency_sentences
from rtdecode.report.twin_check import TwinCheckFigures
from rtdecode.runtime.clock_state import ClockFigures
from rtdecode.runtime.restarts import HELD_LOST
from rtdecode.schema.wall_clock import WallClock
from rtdecode.session.notes import LaterNote
from rtdecode.session.recorder import DISK_FULL

_NS_PER_S = 1e9
SUPERVISOR = "supervisor"
"""Source whose END is that of the run."""


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """The figures of one session, and the sentences that state them."""

    session: str
    """Name of the session's folder."""
    complete: bool
    """False where messages at the end or in damaged parts of the log are missing."""
    seconds: float
    """Time from the first to the last message of the log."""
    decoder: bool
    """Whether the config has a decoder."""
    decoder_started: bool
    """Whether the processes of the run include the decoder."""
    frames_out: int
    """Emitted reconstructions."""
    fps_out: float | None
    """Emitted frames a second; None where no time was measured, as in a replay."""
    late_percent: float | None
    """Percentage of emitted frames that were ready after their due time; None as `fps_out`."""
    lost_scans: int
    """Scans that the microscope lost, by its own numbers; messages that were lost are apart."""
    lost_messages: int
    """Messages that were sent and that the log lacks: never received, or not readable."""
    lost_by_stream: Mapping[str, int]
    video_r: float | None
    """Scores are over all scored frames and pixels; None where nothing could be scored."""
    frame_r: float | None
    ssim: float | None
    shift_ms: float | None
    frames_scored: int
    """Frames after the warm-up that have both a displayed frame and a reconstruction."""
    scored_pixels: int
    """Pixels of the screen mask; all pixels of the screen where the config names none."""
    screen_pixels: int
    leaked_clips: Sequence[str]
    """Displayed clips that the twin was trained on; a score with one in it is not valid."""
    lag_frames: int | None
    frames_left_out: int
    """Emitted frames whose activity had almost no weight, as in a scan with an artefact."""
    neurons_left_out: int
    """Neurons that were stuck or implausible, at most at one time."""
    stages_ms: Mapping[str, StageLatency]
    """Median (p50), p99 and maximum latency in ms of each stage that was measured."""
    video_r_over_time: Sequence[tuple[float, float | None]]
    """Running score: time of the newest frame in s since the first message, and its video r."""
    messages: Mapping[str, int]
    """Number of messages of each stream that can be read from the log."""
    events: Sequence[EventSum]
    """What happened in the processes, in the order in which it first did."""
    environment: Mapping[str, Any]
    """Machine and versions of the session; empty where they were not recorded."""
    repaired: bool = False
    """True where the log was damaged and holds only the messages that could still be read."""
    scans: int = 0
    """Scans that were recorded, of all planes."""
    scans_to_decode: int = 0
    """Of them, those of the decoded planes."""
    scans_not_decoded: int = 0
    """Scans of the decoded planes without fluorescence."""
    neurons: int | None = None
    """Neurons whose activity was computed; None without any."""
    causality: str | None = None
    """causal, or as published: responses deconvolved with later scans; None without activity."""
    frames_with_fewer_steps: int = 0
    """Emitted frames with fewer solver steps than `decode.steps`, for lack of time."""
    first_ns: int = 0
    """When the recorder received the first message, the zero of all times in sentences."""
    decoded_s: Sequence[tuple[float, float]] = ()
    """Times in s since the first message between which frames were decoded without a break."""
    without_end: Sequence[str] = ()
    """Sources that started and whose END the log lacks, as after a kill."""
    damage: Sequence[str] = ()
    """Parts of the log that cannot be read, in the words of `rtdecode recover`."""
    missed: Mapping[str, int] = field(default_factory=dict)
    """Messages that a process missed and the log can have: `STREAM by PROCESS` → number."""
    frames_not_decoded: int = 0
    """Frames between the first and the last emitted one for which nothing was emitted."""
    frames_shed: int = 0
    """Of them, those that an overloaded decoder left out."""
    late_frames: int = 0
    worst_late_frames: int = 0
    """Late frames of the 10 s in which most were late, of `worst_late_of` emitted ones."""
    worst_late_of: int = 0
    worst_late_end_ns: int = 0
    """When the last of these 10 s was emitted."""
    twin_check: TwinCheckFigures | None = None
    """Prediction of the responses from displayed frames; None without a verdict on it."""
    clocks: Sequence[ClockFigures] = ()
    """Clocks of the hosts other than the main one."""
    wall_clock: WallClock | None = None
    """UTC at an instant of the session; None where it was not recorded."""
    later_notes: Sequence[LaterNote] = ()
    """Notes that were given after the end; those given before are events."""
    loop: LoopFigures = field(default_factory=LoopFigures)
    """What the policy of the closed loop did; in JSON its fields are beside the summary's."""

    def as_json(self) -> dict[str, Any]:
        """The figures as plain values, without the environment."""
        figures = asdict(self)
        del figures["environment"], figures["loop"]
        figures["begins_utc"] = self.begins_utc
        figures["later_notes"] = [
            {"utc": note.utc.isoformat(), "text": note.text} for note in self.later_notes
        ]
        return figures | asdict(self.loop)

    def text(self) -> str:
        """The sentences, one a line."""
        return "\n".join(self.sentences())

    def sentences(self) -> list[str]:
        """State the figures in words, a sentence or two for each subject."""
        damage = [f"{part[0].upper()}{part[1:]}." for part in self.damage]
        stated = [self._recording(), *self._end(), *damage, *self._scans(), *self._not_decoded()]
        stated += [*self._activity(), self._decoding()]
        if self.frames_out:
            stated += [
                *self._fewer_steps(),
                *self._left_out(),
                *self._leaks(),
                self._score(),
                *self._twin_check(),
                *latency_sentences(self.stages_ms),
            ]
        stated += [*self.loop.sentences(), *(clock.sentence() for clock in self.clocks)]
        stated += [event.sentence(zero_ns=self.first_ns) for event in self.events]
        return [*stated, *(note.sentence() for note in self.later_notes)]

    @property
    def begins_utc(self) -> str | None:
        """Date and time of the first message, in ISO 8601; None where it was not recorded."""
        if self.wall_clock is None or not self.first_ns:
            return None
        return self.wall_clock.utc(self.first_ns).isoformat(timespec="milliseconds")

    @property
    def cut_by_full_disk(self) -> bool:
        """Whether the recorder ended the log because the disk was full."""
        return any(event.code == DISK_FULL for event in self.events)

    def _recording(self) -> str:
        log = "complete" if self.complete else "incomplete (see `rtdecode recover`)"
        if self.repaired:
            log = "repaired and holds only the messages that could be read from the damaged one"
        if self.cut_by_full_disk:
            log = "readable and ends where the disk was full"
        lost = ", ".join(f"{n} of {stream}" for stream, n in self.lost_by_stream.items())
        ends_early = self.repaired or self.cut_by_full_disk or self.without_end
        none = "no message was lost before its end" if ends_early else "no message was lost"
        if any(event.code == HELD_LOST for event in self.events):
            none = "those that a failed process held may be lost"
        messages = f"{sum(self.messages.values()):,} messages can be read"
        losses = f"lost messages: {lost}" if lost else none
        begin = self.begins_utc
        since = "" if begin is None else f" from {begin[:10]} {begin[11:19]} UTC"
        return f"{self.seconds:.0f} s were recorded{since}; the log is {log}; {losses}; {messages}."

    def _end(self) -> list[str]:
        if self.cut_by_full_disk:
            return ["The run's end was not recorded, because the disk was full."]
        stated = []
        if SUPERVISOR in self.without_end:
            stated.append(
                "The run's end was not recorded, as after a kill of the command or of the recorder."
            )
        if others := [source for source in self.without_end if source != SUPERVISOR]:
            names = ", ".join(others)
            stated.append(f"The log holds no END of {names}: last messages can be missing.")
        return stated

    def _scans(self) -> list[str]:
        if not self.lost_scans:
            return []
        return [f"The microscope lost {self.lost_scans:,} scans, by its own numbers."]

    def _not_decoded(self) -> list[str]:
        stated = []
        if self.scans_not_decoded:
            count = f"{self.scans_not_decoded:,} of {self.scans_to_decode:,}"
            planes = "" if self.scans_to_decode == self.scans else " of the decoded planes"
            stated.append(f"{count} scans{planes} were recorded but not decoded.")
        if self.missed:
            missed = ", ".join(f"{n:,} of {stream}" for stream, n in self.missed.items())
            stated.append(f"Messages were missed, which the log can have: {missed}.")
        part = "all" if self.frames_shed == self.frames_not_decoded else f"{self.frames_shed:,}"
        shed = f", {part} of them because the decoder was overloaded"
        if self.frames_not_decoded:
            stated.append(
                f"{self.frames_not_decoded:,} frames between the first and the last decoded one "
                f"were not decoded{shed if self.frames_shed else ''}."
            )
        return stated

    def _activity(self) -> list[str]:
        recorded = [f"{self.scans:,} scans"] if self.scans else []
        if self.neurons is not None:
            recorded.append(f"the activity of {self.neurons:,} neurons")
        return [] if self.decoder or not recorded else [f"Recorded: {' and '.join(recorded)}."]

    def _fewer_steps(self) -> list[str]:
        if not self.frames_with_fewer_steps:
            return []
        return [
            f"The estimate of {self.frames_with_fewer_steps:,} frames had fewer solver steps than "
            "configured, as there was no time for all of them; a replay takes all steps, so its "
            "estimate differs."
        ]

    def _decoding(self) -> str:
        if not self.decoder:
            return "Nothing was decoded or scored: the config has no decoder (`decode: null`)."
        if not self.frames_out and not self.decoder_started:
            return "Nothing was decoded: the processes of the run do not include the decoder."
        if not self.frames_out:
            return "Nothing was decoded: the decoder gave no frame."
        decoded = f"{self.frames_out:,} frames were decoded"
        if self.fps_out is None or self.late_percent is None:
            return f"{decoded} with a lag of {self.lag_frames} frames."
        return (
            f"{decoded} with a lag of {self.lag_frames} frames: {self.fps_out:.1f} per second, "
            f"of which {self.late_percent:.1f} % were late{self._worst_late()}."
        )

    def _worst_late(self) -> str:
        if not self.worst_late_frames:
            return ""
        end_s = (self.worst_late_end_ns - self.first_ns) / _NS_PER_S
        share = f"{self.worst_late_frames:,} of {self.worst_late_of:,}"
        return f" ({share} in the worst 10 s, until {end_s:.1f} s)"

    def _left_out(self) -> list[str]:
        stated = []
        if self.frames_left_out:
            frames = f"{self.frames_left_out:,} frames"
            stated.append(f"The activity of {frames} was left out as an artefact.")
        if self.neurons_left_out:
            neurons = f"up to {self.neurons_left_out:,} neurons at once"
            stated.append(f"The activity of {neurons} was left out as stuck or implausible.")
        return stated

    def _leaks(self) -> list[str]:
        return [
            f"The twin was trained on the displayed clip {clip}: the score is not valid."
            for clip in self.leaked_clips
        ]

    def _score(self) -> str:
        if self.video_r is None:
            return (
                "Nothing was scored: no frame that was decoded after the warm-up has a displayed "
                "frame to compare with."
            )
        masked = self.scored_pixels < self.screen_pixels
        pixels = (
            f"the {self.scored_pixels:,} of {self.screen_pixels:,} pixels of the screen mask"
            if masked
            else f"all {self.screen_pixels:,} pixels of the screen"
        )
        frame_r = "" if self.frame_r is None else f" and frame r {self.frame_r:.2f}"
        return (
            f"Decoded and displayed frames correlate with video r {self.video_r:.2f}{frame_r} "
            f"(1 is perfect, 0 is chance), over {self.frames_scored:,} frames and {pixels}."
        )

    def _twin_check(self) -> list[str]:
        return [] if self.twin_check is None else [self.twin_check.sentence()]
