"""Each setting is timed on its own frames, and the requested one is the first row."""

from pathlib import Path

import pytest
import torch

from rtdecode.bench import decoder as bench_decoder
from rtdecode.bench.decoder import Setting, benchmark_decoder
from rtdecode.decode.noise import even_noise, save_noise
from rtdecode.decode.prior import fit_prior, save_prior
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.folder import save_twin
from rtdecode.twins.twin import TwinSpec

ASKED = Setting(neurons=5, window_frames=24, lag_frames=4, steps=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    spec = TwinSpec(
        architecture="compact",
        neurons=3,
        rows_px=12,
        cols_px=16,
        luminance_mean=127.0,
        luminance_sd=60.0,
    )
    save_twin(Compact(spec, generator=generator), tmp_path)
    save_prior(fit_prior([(torch.rand(20, 12, 16, generator=generator) * 255).numpy()]), tmp_path)
    save_noise(even_noise(3), tmp_path)
    return tmp_path


def test_the_asked_setting_is_timed(folder: Path) -> None:
    (row,) = benchmark_decoder(folder, ASKED, frames=4, grow=False)
    assert (row["neurons"], row["steps"], row["threads"]) == (5, 2, 1)
    assert 0 < row["ms_p50"] <= row["ms_p99"]
    assert row["ms_a_step"] == row["ms_p50"] / 2


def test_growth_varies_one_thing_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_decoder, "NEURONS", (5, 7))
    monkeypatch.setattr(bench_decoder, "WINDOWS", (3, 26))
    monkeypatch.setattr(bench_decoder, "STEPS", (1, 2))
    told: list[tuple[int, int]] = []
    rows = benchmark_decoder(folder, ASKED, frames=31, report=lambda *now: told.append(now))
    axes = [(row["neurons"], row["window_frames"], row["steps"]) for row in rows]
    assert axes == [(5, 24, 2), (7, 24, 2), (5, 26, 2), (5, 24, 1)]
    assert all(sum(a != b for a, b in zip(axes[0], axis, strict=True)) == 1 for axis in axes[1:])
    assert told == [(1, 2), (2, 2)]
