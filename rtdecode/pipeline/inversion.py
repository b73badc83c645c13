"""Everything that an inversion needs, loaded and warmed up before a run begins."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.decode.compute import prepare_process
from rtdecode.decode.decoder import Decoder
from rtdecode.decode.noise import load_noise
from rtdecode.decode.posterior import load_posterior_sd
from rtdecode.decode.prior import load_prior
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.errors import NeuronCountError, SettingMissingError, TwinMissingError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Responses, WindowFrame
from rtdecode.twins.folder import load_twin, twin_hash
from rtdecode.twins.twin import TwinSpec


@dataclass(frozen=True, slots=True)
class Inversion:
    """A decoder that is ready to work, and what its surroundings must know of it."""

    decoder: Decoder
    twin_hash: str
    neutral_behaviour: NDArray[np.float32]
    """(channel,) mean behaviour of the twin's training data."""
    response_latency_s: float
    """Longest time in s from the middle of a frame to the end of the scan that completes it."""


def inversion(config: RunConfig, *, neurons: int | None, clock: Clock) -> Inversion | None:
    """The inversion that `config.decode` asks for; None where it asks for none.

    Raises
    ------
    TwinMissingError
        If the config asks for an inversion and names no twin.
    NeuronCountError
        If the twin was trained on another number of neurons than the masks give.
    """
    if config.decode is None:
        return None
    if config.decode.twin is None:
        raise TwinMissingError
    folder, decode = config.decode.twin, config.decode
    prepare_process(threads=decode.threads)
    twin = load_twin(folder)
    if neurons is not None and neurons != twin.spec.neurons:
        raise NeuronCountError(streamed=neurons, trained=twin.spec.neurons, twin=str(folder))
    _warm_up(_decoder(decode, folder, clock=clock), twin.spec, decode)
    return Inversion(
        decoder=_decoder(decode, folder, clock=clock),
        twin_hash=twin_hash(folder),
        neutral_behaviour=np.array(twin.spec.behaviour_mean, np.float32),
        response_latency_s=_response_latency_s(config),
    )


def _decoder(decode: DecodeConfig, folder: Path, *, clock: Clock) -> Decoder:
    twin = load_twin(folder)
    return Decoder(
        decode,
        twin,
        load_prior(folder),
        clock=clock,
        noise=load_noise(folder, neurons=twin.spec.neurons),
        sd=load_posterior_sd(folder, shape=(twin.spec.rows_px, twin.spec.cols_px)),
    )


def _warm_up(decoder: Decoder, spec: TwinSpec, decode: DecodeConfig) -> None:
    """Invert a window of silence, so that the first real one finds everything allocated."""
    silent = np.zeros(spec.neurons, np.float32)
    behaviour = np.array(spec.behaviour_mean, np.float32)
    for frame in range(decode.window_frames + 4):
        responses = Responses(
            activity=silent,
            valid=np.ones(spec.neurons, np.bool_),
            frame=frame,
            t_frame_ns=0,
            t_scan_ns=0,
            t_scan_end_ns=0,
            t_received_ns=0,
            t_ready_ns=0,
        )
        decoder.step([WindowFrame(responses, behaviour)])


def _response_latency_s(config: RunConfig) -> float:
    """A scan completes what lies before its beginning; deconvolution waits for some more."""
    rate_hz = config.acquisition.source.scan_rate_hz
    if rate_hz is None:
        reason = "when frames are due follows from it"
        raise SettingMissingError(setting="acquisition.source.scan_rate_hz", reason=reason)
    return (2 + config.calcium.lag_scans) * config.calcium.planes / rate_hz
