"""The config of `rtdecode demo`: embedded mouse, microscope and clips, with a rig's processes."""

import importlib.resources
from enum import StrEnum
from pathlib import Path

from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.stimulus import Display
from rtdecode.schema.errors import ClipError


class Purpose(StrEnum):
    """What the reconstructions of a run are for, which decides between quality and latency.

    display: they are watched, so quality matters most. control: a policy reacts to them, so their
    age matters more. docs/benchmarks.md has the quality of both at each latency.
    """

    DISPLAY = "display"
    CONTROL = "control"


_FILES = {Purpose.DISPLAY: "demo.yaml", Purpose.CONTROL: "demo_control.yaml"}


def demo_config(
    *,
    seconds: float,
    display: Display,
    clips: Path | None,
    purpose: Purpose = Purpose.DISPLAY,
) -> RunConfig:
    """The run of the demo mouse.

    Parameters
    ----------
    seconds
        Length of the run in s.
    display
        X display of the stimulus window.
    clips
        A video or a folder of videos, displayed in place of the embedded clips.
    purpose
        Decides which config is read, `demo.yaml` or `demo_control.yaml`.

    Raises
    ------
    ClipError
        If there is nothing at `clips`; the stimulus checks its content.
    """
    if clips is not None and not clips.exists():
        raise ClipError(path=clips, got="it does not exist")
    source = importlib.resources.files("rtdecode") / "demo_mouse" / _FILES[purpose]
    with importlib.resources.as_file(source) as path:
        config = read_config(path)
    stimulus = config.stimulus.model_copy(
        update={"clips": clips and clips.resolve(), "display": display}
    )
    return config.model_copy(update={"seconds": seconds, "stimulus": stimulus})
