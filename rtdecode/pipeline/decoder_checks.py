"""Checks of what the decoder opens, before a run starts: ROIs, calibration, twins and device.

Duties: compare files by their content, with each other and with the run. torch is imported only
where a file or a device cannot be judged without it, because that takes seconds.
"""

import importlib.metadata
import importlib.util
import re
from pathlib import Path

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.roi_files import read_pixel_lists
from rtdecode.calcium.rois import Rois
from rtdecode.pipeline.mistakes import Checks
from rtdecode.pipeline.named_paths import planes
from rtdecode.pipeline.planes_stage import joined_hash
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config import acquisition as sources
from rtdecode.schema.config.calcium import CalciumConfig, Detector
from rtdecode.schema.config.decode import DecodeConfig, Device
from rtdecode.schema.errors import (
    CalibrationError,
    DeviceUnavailableError,
    FrameRateError,
    NeuronCountError,
    RoisMissingError,
    ScreenSizeError,
    TwinMissingError,
)
from rtdecode.twins.record import (
    TwinSizes,
    require_common,
    require_distinct,
    require_rois,
    sizes_if_loaded,
)

_NO_CUDA, _NO_HIP = (
    re.compile(rf"^{name}\b.*= *None\s*$", re.MULTILINE) for name in ("cuda", "hip")
)
"""Lines of torch/version.py in a build that cannot use GPUs."""


def check_decoder(checks: Checks, config: RunConfig) -> None:
    """Content of ROIs, calibration and twins, whether they have the same neurons, and device."""
    found = [_neurons(checks, config, one) for one in planes(config.calcium)]
    counts = [count for count, _ in found if count is not None]
    if config.decode is not None:
        neurons = sum(counts) if len(counts) == len(found) else None
        hashes = [rois_hash for _, rois_hash in found]
        rois_hash = joined_hash(hashes) if config.calcium.several_planes else hashes[0]
        _check_twins(checks, config, config.decode, neurons=neurons, rois_hash=rois_hash)
        checks.tried(require_device, config.decode.device)


def _neurons(checks: Checks, config: RunConfig, calcium: CalciumConfig) -> tuple[int | None, str]:
    """Number of neurons of one plane, and the content hash of its ROIs; None and "" if unknown."""
    if isinstance(source := config.acquisition.source, sources.RecordedTrialsSource):
        return _neurons_of_data(checks, source), ""
    target = _calibration(checks, calcium.rescale_to)
    calibration = _calibration(checks, calcium.calibration)
    if calcium.rois_from_source or isinstance(config.acquisition.source, sources.LslRoisSource):
        return None if calibration is None else calibration.count, ""
    if calcium.rois is None and calcium.detector is Detector.NONE:
        checks.found(RoisMissingError())
    if calcium.rois is None or calcium.rois in checks.missing:
        return None, ""
    shape, table = None if calibration is None else calibration.shape, calcium.rois_table
    rois = checks.tried(read_pixel_lists, calcium.rois, shape=shape, table=table)
    if rois is None:
        return None, ""
    if calibration is not None and isinstance(rois, Rois):
        checks.tried(calibration.check, rois)
    if target is not None and target.count != rois.count:
        checks.found(CalibrationError(expected=f"{rois.count} neurons", got=f"{target.count}"))
    return rois.count, rois.hash if isinstance(rois, Rois) else ""


def _neurons_of_data(checks: Checks, source: sources.RecordedTrialsSource) -> int | None:
    """Number of neurons of the data set whose trials are replayed; None where it is unreadable."""
    if source.path in checks.missing:
        return None
    # the readers of data need torch
    from rtdecode.pipeline.trial_stream import TrialStream

    stream = checks.tried(TrialStream, source)
    return None if stream is None else stream.data.neurons


def _calibration(checks: Checks, path: Path | None) -> Calibration | None:
    if path is None or path in checks.missing:
        return None
    return checks.tried(Calibration.load, path)


def _check_twins(
    checks: Checks,
    config: RunConfig,
    decode: DecodeConfig,
    *,
    neurons: int | None,
    rois_hash: str,
) -> None:
    """Each twin is compared with the run, and with the first twin."""
    if not decode.twin_folders:
        checks.found(TwinMissingError())
    checks.tried(require_distinct, decode.twin_folders)
    first: tuple[Path, TwinSizes] | None = None
    for folder in decode.twin_folders:
        sizes = None if folder in checks.missing else _sizes(checks, folder)
        if sizes is None:
            continue
        _check_twin(checks, config, (folder, sizes), neurons=neurons)
        by = decode.rois_check
        checks.tried(require_rois, sizes.rois_hash, rois_hash, by=by, twin=str(folder))
        first = first or (folder, sizes)
        checks.tried(require_common, first, (folder, sizes), by=by)


def _sizes(checks: Checks, folder: Path) -> TwinSizes | None:
    return sizes_if_loaded(folder) or _sizes_by_loading(checks, folder)


def _check_twin(
    checks: Checks, config: RunConfig, twin: tuple[Path, TwinSizes], *, neurons: int | None
) -> None:
    """Neurons, frame rate and screen of the run and of the twin in a folder."""
    (folder, sizes), run_hz = twin, config.frame_rate_hz
    name, twin_hz = str(folder), sizes.frame_rate_hz
    if neurons not in {None, sizes.neurons}:
        checks.found(NeuronCountError(streamed=neurons or 0, trained=sizes.neurons, twin=name))
    if twin_hz != run_hz:
        checks.found(FrameRateError(run_hz=run_hz, twin_hz=twin_hz, twin=name))
    shown = (config.stimulus.rows_px, config.stimulus.cols_px)
    trained = (sizes.rows_px, sizes.cols_px)
    if trained != shown:
        checks.found(ScreenSizeError(run_px=shown, twin_px=trained, twin=name))


def _sizes_by_loading(checks: Checks, folder: Path) -> TwinSizes | None:
    """Sizes of a twin that is not stated to be loadable; what is wrong with it is found."""
    # torch takes seconds to import, which a run without decoder, or with a known twin, does without
    from rtdecode.decode.fitted_twin import load_fitted_twin
    from rtdecode.twins.folder import read_spec, sizes_in

    spec = checks.tried(read_spec, folder)
    if spec is None:
        return None
    checks.tried(load_fitted_twin, folder)
    return sizes_in(spec)


def require_device(wanted: Device) -> None:
    """Raise DeviceUnavailableError where a GPU is asked for and torch cannot compute on one.

    torch itself is imported only where `wanted` is a GPU and this build of torch can use one.
    """
    if wanted is not Device.CUDA:
        return
    if not build_can_use_gpus():
        version = importlib.metadata.version("torch")
        raise DeviceUnavailableError(got=f"torch {version} is a build without CUDA")
    from rtdecode.decode.compute import usable_device

    usable_device(wanted)


def build_can_use_gpus() -> bool:
    """Whether the installed torch was built for GPUs, by its file of versions; True if unknown."""
    found = importlib.util.find_spec("torch")
    folders = [] if found is None else found.submodule_search_locations or []
    texts = [
        path.read_text(encoding="utf-8")
        for path in (Path(folder) / "version.py" for folder in folders)
        if path.is_file()
    ]
    return not any(_NO_CUDA.search(text) and _NO_HIP.search(text) for text in texts)
