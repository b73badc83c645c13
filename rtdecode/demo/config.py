"""The config of `rtdecode demo`: embedded mouse, microscope and clips, with a rig's processes."""

import importlib.resources
from pathlib import Path

from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.stimulus import Display
from rtdecode.schema.errors import ClipError


def demo_config(*, seconds: float, display: Display, clips: Path | None) -> RunConfig:
    """The run of the demo mouse.

    Parameters
    ----------
    seconds
        Length of the run in s.
    display
        X display of the stimulus window.
    clips
        A video or a folder of videos, displayed in place of the embedded clips.

    Raises
    ------
    ClipError
        If there is nothing at `clips`; the stimulus checks its content.
    """
    if clips is not None and not clips.exists():
        raise ClipError(path=clips, got="it does not exist")
    source = importlib.resources.files("rtdecode") / "demo_mouse" / "demo.yaml"
    with importlib.resources.as_file(source) as path:
        config = read_config(path)
    stimulus = config.stimulus.model_copy(
        update={"clips": clips and clips.resolve(), "display": display}
    )
    return config.model_copy(update={"seconds": seconds, "stimulus": stimulus})
