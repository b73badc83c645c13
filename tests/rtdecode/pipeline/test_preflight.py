"""Every mistake that a start would meet is found before it, and nothing is started or written."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_certificate import made_certificate
from pydantic import BaseModel, ValidationError

from rtdecode.calcium.calibration import Calibration
from rtdecode.pipeline import decoder_checks
from rtdecode.pipeline.addresses import require_form
from rtdecode.pipeline.mistakes import Checks
from rtdecode.pipeline.named_paths import named_paths
from rtdecode.pipeline.preflight import checked
from rtdecode.pipeline.topology import with_processes
from rtdecode.runtime.key_folder import KeyFolder
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.errors import (
    AddressInUseError,
    AddressUnusableError,
    BadInputError,
    CalibrationError,
    DeviceUnavailableError,
    DiskFullError,
    FrameRateError,
    MissingFileError,
    NeuronCountError,
    NotFiniteWeightsError,
    NothingToScoreError,
    RoisMissingError,
    ScreenSizeError,
    SettingMissingError,
    SeveralMistakesError,
    TwinMissingError,
    TwinRepeatedError,
    TwinsDifferError,
    UnreadableFileError,
)
from rtdecode.session import layout

MakeRun = Callable[..., RunConfig]
MakeTwin = Callable[..., Path]
RECORDED = ("recorder", "stimulus", "bridge")


def calibration(neurons: int, shape: tuple[int, int]) -> Calibration:
    plain = np.ones(neurons, np.float32)
    statistics = dict.fromkeys(("noise", "decay_tau_s", "activity_mean", "activity_sd"), plain)
    return Calibration(
        reference_counts=np.ones(shape, np.float32),
        scan_rate_hz=15.0,
        baseline_counts=plain,
        neuropil_counts=plain,
        activity_quantiles=np.zeros((neurons, 2), np.float32),
        **statistics,
    )


def test_a_run_without_a_mistake_has_its_processes_by_name(
    small_run: MakeRun, twin_folder: MakeTwin, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    config = small_run(twin_folder(), record={"folder": tmp_path / "new" / "sessions"})
    before = sorted(tmp_path.rglob("*"))
    assert checked(config) == with_processes(config)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_twin_is_compared_with_rois_frame_rate_and_screen(
    small_run: MakeRun, twin_folder: MakeTwin, tmp_path: Path
) -> None:
    with pytest.raises(NeuronCountError, match=r"the ROIs give 9 neurons.*trained on 5"):
        checked(small_run(twin_folder(neurons=5)))
    twin = twin_folder()
    with pytest.raises(FrameRateError, match="frame_rate_hz is 20"):
        checked(small_run(twin, frame_rate_hz=20.0))
    screen = {"clips": tmp_path, "rows_px": 12, "cols_px": 8}
    with pytest.raises(ScreenSizeError, match=r"12 x 8 px.*6 x 8 px"):
        checked(small_run(twin, stimulus=screen))


def test_a_mistake_that_two_checks_find_is_reported_once() -> None:
    checks = Checks()
    for _ in range(2):
        checks.found(TwinMissingError())
    with pytest.raises(TwinMissingError):
        checks.report()
    assert checks.tried(int, "3") == 3
    checks.found(RoisMissingError())
    with pytest.raises(SeveralMistakesError, match="2 mistakes"):
        checks.report()


def test_each_of_several_twins_is_compared_with_the_run_and_with_the_first(
    small_run: MakeRun, twin_folder: MakeTwin, tmp_path: Path
) -> None:
    twins = twin_folder(), twin_folder(seed=2)
    assert checked(small_run(*twins)).decode is not None
    with pytest.raises(SeveralMistakesError, match=r"trained on 5.*\n.*neurons 9 and 5") as found:
        checked(small_run(*twins, twin_folder(neurons=5)))
    assert "twin9_2" not in str(found.value)
    source = {"kind": "lsl_rois", "stream": "rois"}
    unknown = small_run(twins[0], twin_folder(neurons=5), acquisition={"source": source})
    with pytest.raises(TwinsDifferError):
        checked(unknown)
    with pytest.raises(TwinRepeatedError, match="same folder"):
        checked(small_run(twins[0], twins[0] / ".." / twins[0].name))
    with pytest.raises(MissingFileError, match=r"decode\.twins .*absent"):
        checked(small_run(twins[0], tmp_path / "absent"))


@pytest.mark.parametrize("is_built_for_gpus", [True, False])
def test_a_gpu_that_torch_cannot_use_is_a_mistake(
    small_run: MakeRun,
    twin_folder: MakeTwin,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_built_for_gpus: bool,
) -> None:
    """Without torch where its build alone is the reason."""
    monkeypatch.setattr(decoder_checks, "build_can_use_gpus", lambda: is_built_for_gpus)
    monkeypatch.setattr("rtdecode.decode.compute.cuda_mistake", lambda: "its driver is too old")
    reason = "its driver is too old" if is_built_for_gpus else "is a build without CUDA"
    run = small_run(twin_folder())
    assert run.decode is not None
    for device in ("auto", "cpu"):
        checked(run.model_copy(update={"decode": run.decode.model_copy(update={"device": device})}))
    asked = DecodeConfig.model_validate({**run.decode.model_dump(), "device": "cuda"})
    with pytest.raises(DeviceUnavailableError, match=rf"{reason}: set decode\.device"):
        checked(run.model_copy(update={"decode": asked}))


def test_what_a_build_of_torch_can_use_is_what_torch_itself_states() -> None:
    import torch

    expected = torch.version.cuda is not None or torch.version.hip is not None
    assert decoder_checks.build_can_use_gpus() is expected


def test_a_twin_with_nan_is_refused_by_file_and_tensor(
    small_run: MakeRun, twin_folder: MakeTwin
) -> None:
    from safetensors.numpy import load_file, save_file

    twin = twin_folder()
    weights = load_file(twin / "twin.safetensors")
    weights["spatial"][0, 0, 0] = np.nan
    save_file(weights, twin / "twin.safetensors")
    with pytest.raises(NotFiniteWeightsError, match=r"twin\.safetensors .* tensor 'spatial'"):
        checked(small_run(twin))


@pytest.mark.parametrize("name", ["twin.json", "twin.safetensors", "noise.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 99, None])
def test_a_damaged_or_missing_file_of_the_twin_is_refused(
    small_run: MakeRun, twin_folder: MakeTwin, name: str, content: bytes | None
) -> None:
    twin = twin_folder()
    (twin / name).unlink() if content is None else (twin / name).write_bytes(content)
    with pytest.raises((UnreadableFileError, MissingFileError), match=name):
        checked(small_run(twin))


def test_the_calibration_is_compared_with_the_rois(
    small_run: MakeRun, tmp_path: Path, rig: Any
) -> None:
    rois, path = tmp_path / "masks.npz", tmp_path / "calibration.npz"
    for neurons, shape in ((5, rig.rois.shape), (9, (30, 30))):
        calibration(neurons, shape).save(path)
        with pytest.raises(CalibrationError):
            checked(small_run(None, calcium={"rois": rois, "calibration": path}))
    calibration(9, rig.rois.shape).save(path)
    checked(small_run(None, calcium={"rois": rois, "calibration": path, "rescale_to": path}))
    calibration(5, rig.rois.shape).save(path)
    with pytest.raises(CalibrationError):
        checked(small_run(None, calcium={"rois": rois, "rescale_to": path}))


def test_the_screen_mask_is_compared_with_the_screen(
    small_run: MakeRun, twin_folder: MakeTwin, tmp_path: Path
) -> None:
    np.save(tmp_path / "mask.npy", np.ones((3, 3), np.bool_))
    with pytest.raises(UnreadableFileError, match=r"of shape \(6, 8\), got bool of shape \(3, 3\)"):
        checked(small_run(twin_folder(), evaluate={"screen_mask": tmp_path / "mask.npy"}))


def test_a_disk_without_room_for_a_minute_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = {"kind": "prairie_raw", "rows_px": 512, "cols_px": 512, "scan_rate_hz": 30}
    record = {"folder": tmp_path, "min_free_mb": 0}
    given = {"acquisition": {"source": source}, "decode": None, "record": record}
    given |= {"processes": RECORDED}
    # 16 MB/s, thus about 1000 MB for a minute
    monkeypatch.setattr(layout, "free_mb", lambda _: 500.0)
    with pytest.raises(DiskFullError, match=r"has 500 MB free, a run needs at least 9\d\d MB"):
        checked(RunConfig.model_validate(given))
    checked(RunConfig.model_validate(given | {"seconds": 20}))
    # nothing is assumed about the size of a file's scans
    (tmp_path / "movie.tif").touch()
    unknown = {"kind": "raw_movie", "path": tmp_path / "movie.tif"}
    checked(RunConfig.model_validate(given | {"acquisition": {"source": unknown}}))


def test_everything_is_reported_at_once(tmp_path: Path) -> None:
    config = RunConfig.model_validate(
        {
            "calcium": {"rois": tmp_path / "none.npz"},
            "network": {"control": "tcp://127.0.0.1:70000", "emit": "localhost:5000"},
            "record": {"folder": tmp_path, "min_free_mb": 1e12},
        }
    )
    with pytest.raises(SeveralMistakesError) as found:
        checked(config)
    text = str(found.value)
    assert "5 mistakes" in text
    for part in (
        "none.npz does not exist",
        "no decode.twin",
        "a port is at most 65535",
        "network.emit localhost:5000 cannot be used (expected tcp://HOST:PORT",
        "MB free",
    ):
        assert part in text
    assert found.value.exit_code == 2


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"calcium": {}, "decode": None}, RoisMissingError),
        ({"calcium": {"detector": "local_correlation"}}, TwinMissingError),
        ({"processes": ["recorder", "evaluate"], "decode": None}, NothingToScoreError),
        ({"processes": RECORDED, "record": {"min_free_mb": 1e12}}, DiskFullError),
        ({"processes": ["recorder", "bridge"]}, SettingMissingError),
    ],
)
def test_a_single_mistake_has_its_own_error(
    settings: dict[str, Any], error: type[BadInputError]
) -> None:
    with pytest.raises(error):
        checked(RunConfig.model_validate(settings))


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    "settings",
    [
        {"processes": ["recorder", "view"], "view": {"port": "PORT"}},
        {"processes": RECORDED, "network": {"recorder": "tcp://127.0.0.1:PORT"}},
        {"processes": RECORDED, "network": {"bridge": "tcp://*:PORT"}},
        {
            "processes": RECORDED,
            "acquisition": {"source": {"kind": "zmq_native", "address": "tcp://127.0.0.1:PORT"}},
        },
        {
            "processes": RECORDED,
            "acquisition": {"source": {"kind": "scanimage_tcp", "side": "listen", "port": "PORT"}},
        },
    ],
)
def test_a_port_in_use_is_found_before_the_start(
    settings: dict[str, Any], taken: int, tmp_path: Path
) -> None:
    KeyFolder(tmp_path).new("decoder")
    config = json.loads(json.dumps(settings).replace("PORT", str(taken)))
    config.setdefault("network", {})["keys"] = str(tmp_path)
    with pytest.raises(AddressInUseError, match=f"{taken} is already in use"):
        checked(RunConfig.model_validate(config))


def test_an_address_that_another_machine_listens_at_is_not_tried(taken: int) -> None:
    network = {"bridge": f"tcp://127.0.0.1:{taken}"}
    checked(RunConfig.model_validate({"processes": ["recorder"], "network": network}))


def test_a_host_of_another_machine_is_refused_also_where_the_system_chooses_the_port() -> None:
    config = RunConfig(processes=(Role.RECORDER, Role.VIEW), view={"host": "192.0.2.99"})  # type: ignore[arg-type]
    with pytest.raises(AddressUnusableError, match=r"view\.host 192\.0\.2\.99:0 cannot be used"):
        checked(config)


def test_an_address_of_no_interface_is_refused() -> None:
    settings = {"processes": ["recorder", "view"], "view": {"host": "192.0.2.1", "port": 5999}}
    with pytest.raises(AddressUnusableError, match=r"view\.port 192\.0\.2\.1:5999 cannot be used"):
        checked(RunConfig.model_validate(settings))


def test_pipes_folders_and_devices_in_place_of_files_are_named_within_a_second(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe")
    named = {
        "decode": {"twin": tmp_path / "pipe"},
        "calcium": {"rois": tmp_path / "pipe", "calibration": "/dev/zero", "rescale_to": tmp_path},
        "evaluate": {"screen_mask": "/dev/zero"},
        "stimulus": {"clips": tmp_path / "pipe"},
        "acquisition": {"source": {"kind": "tiff_tail", "path": tmp_path / "pipe"}},
    }
    begun = time.monotonic()
    with pytest.raises(SeveralMistakesError) as found:
        checked(RunConfig.model_validate(named))
    assert time.monotonic() - begun < 1
    text = str(found.value)
    assert "7 mistakes" in text
    for part in (
        "decode.twin PIPE is a named pipe, not a folder",
        "calcium.rois PIPE is a named pipe, not a file or a folder",
        "calcium.calibration /dev/zero is a device, not a file",
        f"calcium.rescale_to {tmp_path} is a folder, not a file",
        "evaluate.screen_mask /dev/zero is a device",
        "stimulus.clips PIPE is a named pipe",
        "acquisition.source.path PIPE is a named pipe",
    ):
        assert part.replace("PIPE", str(tmp_path / "pipe")) in text


def test_a_gamma_table_that_cannot_be_used_is_found(tmp_path: Path) -> None:
    (tmp_path / "gamma.csv").write_text("0 1\n255 2\n")
    monitor = {"distance_cm": 15, "width_cm": 50, "gamma": tmp_path / "gamma.csv"}
    config = {"processes": ["recorder", "stimulus"], "stimulus": {"monitor": monitor}}
    with pytest.raises(UnreadableFileError, match=r"gamma\.csv.*2 levels from 0 to 255"):
        checked(RunConfig.model_validate(config))


def test_a_file_that_the_microscope_has_yet_to_write_may_be_missing(tmp_path: Path) -> None:
    source = {"kind": "tiff_tail", "path": tmp_path / "new.tif"}
    config = {"processes": RECORDED, "acquisition": {"source": source}}
    checked(RunConfig.model_validate(config))
    source["path"] = tmp_path / "nowhere" / "new.tif"
    with pytest.raises(
        MissingFileError, match=r"acquisition\.source\.path .*new\.tif does not exist"
    ):
        checked(RunConfig.model_validate(config))


def test_a_place_for_the_session_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnreadableFileError, match="expected a folder that can be written"):
        checked(RunConfig(processes=("recorder",)), folder=tmp_path / "file" / "session")


def path_options(section: BaseModel, prefix: str = "") -> Iterator[str]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from path_options(value, f"{prefix}{name}.")
        elif isinstance(value, Path):
            yield prefix + name


def test_every_path_of_a_config_is_checked() -> None:
    config = RunConfig.model_validate(
        {
            "acquisition": {"source": {"kind": "raw_tail", "path": "a", "experiment": "b"}},
            "stimulus": {
                "clips": "c",
                "monitor": {"distance_cm": 15, "width_cm": 50, "gamma": "i"},
            },
            "calcium": {"rois": "d", "calibration": "e", "rescale_to": "f"},
            "decode": {"twin": "g"},
            "evaluate": {"screen_mask": "h"},
            "view": {"certificate": "j", "private_key": "k"},
        }
    )
    named = {each.option for each in named_paths(config, set(Role))}
    assert named == set(path_options(config)) - {"record.folder"}


@pytest.mark.parametrize("address", ["tcp://*:5000", "tcp://[::1]:1", "tcp://h:*", "ipc:///a/b"])
def test_endpoints_of_zeromq_are_accepted(address: str) -> None:
    require_form(address, "network.emit")


@given(address=st.text(max_size=30) | st.from_regex(r"tcp://[a-z.:*]*:\d{1,7}", fullmatch=True))
def test_any_other_address_is_a_named_error(address: str) -> None:
    with contextlib.suppress(AddressUnusableError):
        require_form(address, "network.emit")


def test_the_certificate_of_the_page_is_checked_where_the_run_has_a_page(
    small_run: MakeRun, twin_folder: MakeTwin, tmp_path: Path
) -> None:
    pair, absent = made_certificate(tmp_path), tmp_path / "absent.pem"
    view = {"certificate": pair.certificate, "private_key": pair.private_key}
    page: dict[str, Any] = {"processes": None, "view": view}
    checked(small_run(twin_folder(), **page))
    page["view"] = view | {"private_key": pair.certificate}
    with pytest.raises(UnreadableFileError, match=r"view\.private_key"):
        checked(small_run(twin_folder(), **page))
    page["view"] = {"certificate": absent, "private_key": tmp_path / "also.pem"}
    with pytest.raises(SeveralMistakesError, match=r"(?s)2 mistakes.*certificate.*private_key"):
        checked(small_run(twin_folder(), **page))
    checked(small_run(twin_folder(), processes=("recorder", "bridge"), view=page["view"]))


@pytest.mark.parametrize(
    "view",
    [
        {"certificate": "c.pem"},
        {"private_key": "k.pem"},
        {"names": ["http://rig.lab"]},
        {"names": ["rig.lab:80"]},
        {"names": ["rig lab"]},
        {"names": [""]},
        {"names": ["rig.lab", "*.lab"]},
    ],
)
def test_half_a_certificate_and_what_is_no_name_are_refused(view: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"certificate|is no name"):
        RunConfig.model_validate({"view": view})
