"""The closed loop of `rtdecode demo --policy`: options of each policy that suit the demo mouse.

A lab writes the same into the section `control` of its own config.
"""

import importlib.resources
import os
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rtdecode.control.policies.threshold import ANY_CLIP
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.control import Arm, ControlConfig, PolicyConfig
from rtdecode.schema.config.monitor import MonitorConfig
from rtdecode.schema.config.outputs import ZmqOutput
from rtdecode.schema.errors import MissingOptionError

OUTPUT = "pulse"
"""The output of the demo, a ZeroMQ message."""
ADAPTIVE, SHAM = "adaptive_parameter", "sham"
OPTIONS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        # a region in the middle of what the neurons of the demo mouse see
        "threshold": {
            "quantity": "luminance",
            "above": 140.0,
            "hysteresis": 20.0,
            "output": OUTPUT,
            "clip": ANY_CLIP,
            "rows": [14, 21],
            "cols": [26, 37],
        },
        "template_match": {"output": OUTPUT},
        "show_back": {"seconds": 5.0},
        "hardest_next": {"dwell_s": 3.0},
        "open_loop": {"dwell_s": 3.0},
        ADAPTIVE: {
            "parameter": "contrast",
            "target": 0.5,
            "start": 0.6,
            "low": 0.02,
            "high": 1.0,
            "gain": 2.0,
            "scale": "log",
        },
        SHAM: {},
    }
)
"""Options of each policy in the demo."""


def with_policy(config: RunConfig, policy: str, *, session: Path | None) -> RunConfig:
    """`config` with a closed loop that is armed at the start.

    Parameters
    ----------
    config
        The run of the demo mouse.
    policy
        Name of a policy of rtdecode; another name is refused by the check of the run.
    session
        Session whose actions `sham` repeats.

    Raises
    ------
    MissingOptionError
        If `sham` has no session.
    """
    options = dict(OPTIONS.get(policy, {}))
    if policy == SHAM:
        if session is None:
            raise MissingOptionError(option="--session", needed_for=f"--policy {SHAM}")
        options["session"] = str(session.resolve())
    # a second demo has another one
    endpoint = f"ipc://{tempfile.gettempdir()}/rtdecode-demo-pulse-{os.getpid()}"
    control = ControlConfig(
        policy=PolicyConfig(name=policy, options=options),
        arm=Arm.AT_START,
        # all processes of the demo share the cores, and a policy may have to wait for one
        step_budget_ms=250.0,
        outputs=(ZmqOutput(name=OUTPUT, endpoint=endpoint),),
    )
    if policy == ADAPTIVE:
        config = _with_protocol(config)
    return config.model_copy(update={"control": control})


def _with_protocol(config: RunConfig) -> RunConfig:
    """The run with a protocol whose contrast can be set."""
    found = importlib.resources.files("rtdecode") / "demo_mouse" / "demo_protocol.yaml"
    with importlib.resources.as_file(found) as path:
        update = {
            "protocol": path,
            "clips": None,
            "monitor": MonitorConfig(distance_cm=15.0, width_cm=48.0),
        }
    return config.model_copy(update={"stimulus": config.stimulus.model_copy(update=update)})
