"""Reconstructions are published at their due times by a thread, whose errors are raised again."""

from pathlib import Path

import numpy as np
import pytest

from rtdecode.pipeline.decoder import Emission
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Collector, Subscriber
from rtdecode.schema.config.decode import EmitConfig
from rtdecode.schema.errors import RecorderAbsentError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Body, Health, Reconstruction, Start
from rtdecode.streams.paced_output import PacedOutput

CLOCK = HostClock()
START = Start("s", config_yaml="", git_revision="", twin_hash="")


def reconstruction(frame: int) -> Reconstruction:
    grey = np.full((2, 2), 128, np.float32)
    return Reconstruction(
        luminance=grey,
        uncertainty=grey,
        frame=frame,
        t_frame_mid_ns=0,
        t_scan_ns=0,
        t_scan_end_ns=0,
        t_received_ns=0,
        t_responses_ns=0,
        t_ready_ns=CLOCK.now_ns(),
        lag_frames=0,
        steps=1,
        objective=0.0,
        warm=True,
        late=False,
    )


def pushed_without_end(emitting: Emission) -> None:
    with emitting.started(START):
        while True:
            emitting.push(reconstruction(0))


def emission(messaging: Messaging, folder: Path) -> tuple[Emission, Collector]:
    tape = Collector(messaging, clock=CLOCK, endpoint=f"ipc://{folder}/r", queue=100)
    publisher = Publisher(
        messaging,
        "emit",
        clock=CLOCK,
        publish=f"ipc://{folder}/e",
        record=f"ipc://{folder}/r",
        queue=100,
    )
    pace = PacedOutput(EmitConfig(budget_ms=0.0), grid=FrameGrid(30.0), latency_s=0.05, clock=CLOCK)
    return Emission(pace, publisher, clock=CLOCK), tape


def test_a_burst_is_spread_over_its_frames_and_none_is_left_behind(tmp_path: Path) -> None:
    with Messaging() as messaging:
        emitting, tape = emission(messaging, tmp_path)
        # 2 s ahead: a busy machine may take long to push them
        first = FrameGrid(30.0).frame_at(CLOCK.now_ns() + 2_000_000_000)
        with emitting.started(START):
            for n in range(4):
                emitting.push(reconstruction(first + n))
        taken = list[Body]()
        while not taken or taken[-1].kind != "end":
            taken += [item.message.body for _, item in tape.take(1.0)]
        frames = [body.frame - first for body in taken if isinstance(body, Reconstruction)]
        assert frames == [0, 1, 2, 3]
        counters = emitting.counters()
        assert (counters["out"], counters["late"]) == (4, 0)
        assert 0 < counters["output_delay_ms"] <= 50


def test_a_controller_gets_each_frame_before_it_is_due(tmp_path: Path) -> None:
    with Messaging() as messaging:
        paced, _ = emission(messaging, tmp_path)
        due_ns = CLOCK.now_ns() + 10**12
        frame = reconstruction(FrameGrid(30.0).frame_at(due_ns))
        network = {"publish": f"ipc://{tmp_path}/y", "record": "", "queue": 100}
        ready = Publisher(messaging, "ready", clock=CLOCK, **network)  # type: ignore[arg-type]
        controller = Subscriber(
            messaging,
            clock=CLOCK,
            endpoints=[f"ipc://{tmp_path}/y"],
            kinds=[Reconstruction],
            queue=100,
        )
        while not controller.take(0.01):
            ready.announce(Health("starting", "", {}))
        emitting = Emission(paced._pace, paced._publisher, clock=CLOCK, ready=ready)
        emitting.push(frame)
        bodies = [item.message.body for item in controller.take(10.0)]
        (passed,) = (body for body in bodies if isinstance(body, Reconstruction))
        assert (passed.frame, passed.late) == (frame.frame, False)
        assert emitting.counters() == {"out": 0, "late": 0, "output_delay_ms": 50.0}


def test_an_error_of_the_thread_is_raised_where_the_process_can_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_publisher: Publisher, _body: Body) -> None:
        raise RecorderAbsentError(endpoint="ipc://r", waited_s=1.0)

    with Messaging() as messaging:
        emitting, _ = emission(messaging, tmp_path)
        monkeypatch.setattr(Publisher, "push", failing)
        with pytest.raises(RecorderAbsentError):
            pushed_without_end(emitting)
