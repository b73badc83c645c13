"""`--device` reaches what computes, and is checked before data are read; no GPU is needed."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from rtdecode.cli import app
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.decode import compute
from rtdecode.schema.config.decode import Device
from rtdecode.schema.errors import UnknownModelError

META = torch.device("meta")
FITS = (("fit", "twin"), ("fit", "direct"), ("fit", "mask"), ("reconstruct",))
STUDIES = (("bench", "resolution"), ("bench", "limits"), ("bench", "errors"))
COMMANDS = (*FITS, ("bench", "quality"), *STUDIES, ("bench", "decoder"))


def invoked(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


def options(command: tuple[str, ...], data: Path, twin: Path, out: Path) -> list[object]:
    """What `command` needs, beside its device."""
    made = ["--json", out] if command[0] == "bench" and command[1] != "quality" else ["--out", out]
    given = [] if command == ("bench", "decoder") else ["--data", data]
    return [*given, *([] if command[-1] in {"twin", "direct"} else ["--twin", twin]), *made]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_gpu_cuda_is_refused_before_anything_is_read(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    nothing = tmp_path / "nothing"
    given = options(command, nothing, nothing, tmp_path / "out")
    done = invoked(*command, *given, "--device", "cuda")
    assert done.exit_code == 2
    assert "the device cuda needs a GPU that torch can compute on" in done.stderr
    assert "(or --device) to auto or cpu" in done.stderr
    assert not list(tmp_path.iterdir())


def stopped(seen: list[Any], device: Callable[..., Any]) -> Callable[..., Any]:
    """What keeps the device that it is called with, and ends the command with an error."""

    def stop(*given: Any, **named: Any) -> None:
        seen.append(device(*given, **named))
        raise UnknownModelError(model="stopped", known=())

    return stop


@pytest.mark.parametrize(
    ("command", "seam"),
    [
        (("fit", "twin"), "rtdecode.train.twin_fit.fit_compact"),
        (("fit", "direct"), "rtdecode.train.direct_fit.fit_direct"),
        (("fit", "mask"), "rtdecode.offline.screen_masks.make_mask"),
        *((study, "rtdecode.bench.subject.recorded_subject") for study in STUDIES),
        (("bench", "decoder"), "rtdecode.bench.decoder.benchmark_decoder"),
    ],
)
def test_what_computes_is_given_the_device(
    command: tuple[str, ...],
    seam: str,
    blob_session: SensoriumFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, seen = list[Device](), list[Any]()
    monkeypatch.setattr(compute, "usable_device", lambda wanted: asked.append(wanted) or META)
    monkeypatch.setattr(seam, stopped(seen, lambda *_, device, **__: device))
    given = options(command, blob_session.folder, tmp_path, tmp_path / "out")
    for device in Device:
        assert "'stopped'" in invoked(*command, *given, "--device", device.value).stderr
    assert asked == list(Device)
    assert seen == [META] * len(Device)


def test_the_demo_mouse_of_a_study_computes_on_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[Any]()
    monkeypatch.setattr(compute, "usable_device", lambda _wanted: META)
    seam = "rtdecode.bench.demo_subject.load_fitted_twin"
    monkeypatch.setattr(seam, stopped(seen, lambda *_, device, **__: device))
    assert "'stopped'" in invoked("bench", "errors", "--json", tmp_path / "errors.json").stderr
    assert seen == [META]


def test_a_table_of_methods_has_the_device_and_with_a_cluster_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[Any]()
    seam = "rtdecode.bench.quality.bench_quality"
    monkeypatch.setattr(seam, stopped(seen, lambda request, *_, **__: request.device))
    workers = "rtdecode.commands.reconstruct.computing"
    monkeypatch.setattr(workers, lambda *_given: nullcontext())
    table = ("bench", "quality", *options(("bench", "quality"), tmp_path, tmp_path, tmp_path))
    invoked(*table, "--device", "cuda")
    invoked(*table, "--cluster", "local", "--workers", 1)
    assert seen == [Device.CUDA, Device.CPU]
    done = invoked(*table, "--device", "cuda", "--cluster", "local")
    assert done.exit_code == 2
    assert "--device cuda does not go with --cluster" in " ".join(done.stderr.split())
    assert len(seen) == 2
