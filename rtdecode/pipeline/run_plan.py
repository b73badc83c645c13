"""What a run will do, in sentences, for `rtdecode check`.

Each sentence states one part of the config as the run will use it, with what only this machine
knows: the twin's training, the free disk and for how long it has room.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rtdecode.pipeline.topology import included
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config import acquisition as sources
from rtdecode.schema.config.calcium import CalciumConfig, Detector
from rtdecode.schema.config.control import Arm, ControlConfig
from rtdecode.schema.config.decode import DecodeConfig, Device
from rtdecode.schema.config.roles import Role
from rtdecode.schema.config.run import StartOn
from rtdecode.schema.disk import free_mb
from rtdecode.schema.errors import MissingFileError
from rtdecode.session.disk_watch import expected_mb_s, lasting
from rtdecode.twins.record import fit_warnings, twin_record

_NEEDED = ("animal id", "experimenter", "protocol")
_SOURCES = {
    "simulated": "the simulated one, {rows_px} x {cols_px} px with {neurons:,} neurons",
    "raw_movie": "the recorded movie {path}",
    "scanimage_tcp": "ScanImage at {host}:{port}",
    "scanbox_mmap": "Scanbox, through its file {path}",
    "raw_tail": "the raw file {path}, as it grows",
    "prairie_raw": "PrairieView at {host}:{port}",
    "tiff_tail": "the TIFF files of {path}, as they are written",
    "zmq_native": "a program that sends scans to {address}",
    "lsl_rois": "ROI values of the LSL stream {stream}",
}
"""Sentence of each kind of source, with its settings by name."""


def run_plan(config: RunConfig, *, folder: Path) -> Iterator[str]:
    """Sentences about the run of `config`, which records into a new folder in `folder`.

    The config has been checked: what it names exists.
    """
    roles = {row.role for row in included(config)}
    yield _session(config)
    if Role.BRIDGE in roles:
        yield f"Microscope: {_microscope(config.acquisition.source)}."
    if Role.STIMULUS in roles:
        yield f"Screen: {_screen(config)}."
    if Role.DECODER in roles:
        yield f"Activity: {_activity(config.calcium, config.acquisition.source)}."
        yield f"Decoder: {_decoder(config.decode, config.frame_rate_hz)}."
    if Role.EVALUATE in roles:
        mask = config.evaluate.screen_mask
        scored = "the whole screen" if mask is None else f"the pixels of {mask}"
        yield f"Score: {scored}, over the last {config.evaluate.window_s:g} s."
    if Role.CONTROLLER in roles and config.control is not None:
        yield f"Controller: {_controller(config.control)}."
    yield _processes(config)
    yield _recording(config, folder)
    yield f"Length: {_length(config)}."


def _session(config: RunConfig) -> str:
    given = config.session
    known = {
        "animal id": given.animal.id,
        "experimenter": ", ".join(given.experimenter),
        "protocol": given.protocol,
    }
    stated = [f"{name} {value}" for name, value in known.items() if value]
    missing = [name for name in _NEEDED if not known[name]]
    without = f"the section `session` states no {', no '.join(missing)}" if missing else ""
    return f"Session: {'; '.join([*stated, *filter(None, [without])])}."


def _microscope(source: sources.Source) -> str:
    rate = getattr(source, "scan_rate_hz", None)
    at = f" at {rate:g} scans/s" if rate else ""
    speed = getattr(source, "speed", 1.0)
    given = {**dict(source), "path": getattr(source, "path", None) or "that --movie names"}
    named = _SOURCES[source.kind].format_map(given)
    return f"{named}{at}{f', {speed:g} times as fast' if speed != 1 else ''}"


def _screen(config: RunConfig) -> str:
    stimulus = config.stimulus
    if stimulus.protocol is not None:
        shown = f"the protocol {stimulus.protocol}"
    elif stimulus.clips is not None:
        shown = f"the clips of {stimulus.clips}"
    else:
        shown = f"the {stimulus.embedded_clips} embedded clips"
    size = f"{stimulus.rows_px} x {stimulus.cols_px} px"
    delay = stimulus.light_delay_ms
    light = f"light {delay:g} ms after the flip" if delay else "delay from flip to light unknown"
    return f"{shown} by {stimulus.presenter.value}, {size} at {config.frame_rate_hz:g} Hz, {light}"


def _activity(calcium: CalciumConfig, source: sources.Source) -> str:
    if calcium.rois_from_source or isinstance(source, sources.LslRoisSource):
        rois = "ROIs of the source"
    elif calcium.rois is not None:
        rois = f"ROIs of {calcium.rois}"
    elif calcium.detector is not Detector.NONE:
        rois = f"ROIs detected in the first {calcium.detector_scans} scans"
    else:
        rois = "no ROIs"
    known = calcium.calibration
    calibration = (
        f"calibrated in the first {calcium.calibration_s:g} s"
        if known is None
        else f"calibrated by {known}"
    )
    return f"{rois}, {calibration}, {calcium.activity.value}"


def _decoder(decode: DecodeConfig | None, frame_rate_hz: float) -> str:
    if decode is None:
        return "none (decode: null); the run records and computes activity"
    ms = 1000 * decode.lag_frames / frame_rate_hz
    lag = f"lag {decode.lag_frames} frames ({ms:.0f} ms), {decode.steps} steps a frame"
    twins = " and ".join(map(_twin, decode.twin_folders)) or "no twin"
    device = "" if decode.device is Device.AUTO else f", on {decode.device.value}"
    return f"{twins}, {lag}{device}"


def _twin(folder: Path) -> str:
    """The twin with its neurons, the session of its training and how well it predicts."""
    parts = [f"the twin {folder}"]
    # the decoder of a run of several computers may be elsewhere, and its twin too
    with suppress(MissingFileError):
        known = twin_record(folder)
        parts += [f"{known.neurons:,} neurons"] if known.neurons else []
        parts += [f"trained on {known.trained_on}"] if known.trained_on else []
        parts += [f"single-trial r {known.training_r:.3f}"] if known.training_r else []
    return ", ".join([*parts, *fit_warnings(folder)])


def _controller(control: ControlConfig) -> str:
    policy = control.policy.name or f"{control.policy.class_name} of {control.policy.file}"
    armed = "armed at the start" if control.arm is Arm.AT_START else "armed by hand"
    most = f"at most {control.max_actions_per_s:g} actions/s"
    return f"the policy {policy}, {armed}, {most}"


def _processes(config: RunConfig) -> str:
    network = config.network
    names = [
        row.role.value
        if (host := network.host_of(row.role)) == network.main_host
        else f"{row.role.value} on {host}"
        for row in included(config)
    ]
    return f"Processes: {', '.join(names)}."


def _recording(config: RunConfig, folder: Path) -> str:
    rate, has_mb = expected_mb_s(config), free_mb(folder)
    room = f"{has_mb / 1000:,.1f} GB are free, room for {lasting(has_mb / rate)}"
    return f"Recording: all messages, about {rate:.1f} MB/s, into a new folder in {folder}; {room}."


def _length(config: RunConfig) -> str:
    starts = {
        StartOn.AT_ONCE: "",
        StartOn.ON_REQUEST: ", once `rtdecode start` is given",
        StartOn.ON_FIRST_SCAN: ", from the first scan",
    }[config.start]
    if config.seconds is None:
        return f"until Ctrl-C or the end of the source{starts}"
    needed_mb = expected_mb_s(config) * config.seconds
    return f"{config.seconds:g} s (about {needed_mb:,.0f} MB){starts}"
