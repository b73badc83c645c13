"""The benchmark of the loop gives ages by the data's times, and its figure the rows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtdecode.bench.loop import LoopSettings, bench_loop
from rtdecode.bench.loop_figure import draw_frontier, frontier_panel
from rtdecode.bench.loop_pass import Batch, decoded_at_lags
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.demo.config import demo_config
from rtdecode.demo.mouse import TEST
from rtdecode.demo.simulated_session import DataClock, simulated_session
from rtdecode.offline.trial import Trial
from rtdecode.report.figures import new_figure
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RawMovieSource, SimulatedSource
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.config.stimulus import Display
from rtdecode.schema.errors import SettingMissingError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Responses, Scan, WindowFrame

FRAME_MS = 1000 / 30
SMALL = LoopSettings(
    scan_rates_hz=(15.0,),
    kinds=((0, 1), (1, 1)),
    lags=(-2, 0, 3),
    seeds=(1,),
    clips=1,
    clip_s=2.0,
)


def demo() -> RunConfig:
    return demo_config(seconds=1.0, display=Display.AUTO, clips=None)


def test_each_lag_adds_its_own_time_and_a_forecast_takes_it_off() -> None:
    lines: list[str] = []
    rows = bench_loop(demo(), SMALL, report=lines.append)
    age = {(row["deconvolution_lag_scans"], row["lag_frames"]): row["age_ms"] for row in rows}
    assert set(age) == {(scans, lag) for scans in (0, 1) for lag in (-2, 0, 3)}
    assert len(lines) == len(rows)
    # two frames a scan: 50 ms from the middle of a scan's first frame to its end, and their spread
    assert 67 <= age[0, 0] + FRAME_MS / 2 <= 67 + 2 * FRAME_MS
    assert age[0, 3] - age[0, 0] == pytest.approx(3 * FRAME_MS, abs=2)
    assert age[1, 0] - age[0, 0] == pytest.approx(2 * FRAME_MS, abs=2)
    assert age[0, -2] - age[0, 0] == pytest.approx(-2 * FRAME_MS, abs=2)
    quality = {row["lag_frames"]: row["video_r"]["mean"] for row in rows[:3]}
    assert quality[3] > quality[0] > quality[-2] > 0.2
    for row in rows:
        waited_ms = row["content_age_ms"] - row["age_ms"] - row["computed_ms"]
        assert waited_ms == pytest.approx(FRAME_MS / 2)
        assert row["paced_output_ms"] >= row["age_ms"] + row["computed_ms"]


def test_a_simulated_session_is_the_same_each_time_and_in_order_of_time() -> None:
    source = SimulatedSource(neurons=30, rows_px=64, cols_px=64)
    first, again = (
        simulated_session(source, TEST, seed=3, clips=2, clip_s=0.5, grid=FrameGrid(30.0))
        for _ in range(2)
    )
    assert len(first.video) == 2 * first.clip_frames == 30
    np.testing.assert_array_equal(first.video, again.video)
    scans, others = ([b for b in one.measured if isinstance(b, Scan)] for one in (first, again))
    ends = [scan.t_end_ns for scan in scans]
    assert ends == sorted(ends)
    assert ends[0] > 0
    for scan, other in zip(scans, others, strict=True):
        np.testing.assert_array_equal(scan.pixels_counts, other.pixels_counts)


def test_the_data_clock_stands_until_it_is_moved() -> None:
    clock = DataClock()
    clock.sleep_until(5)
    clock.sleep_until(3)
    assert clock.now_ns() == clock.now_ns() == 5


def test_a_recorded_movie_cannot_be_simulated() -> None:
    config = demo()
    acquisition = config.acquisition.model_copy(update={"source": RawMovieSource()})
    with pytest.raises(SettingMissingError, match=r"acquisition\.source\.kind"):
        bench_loop(
            config.model_copy(update={"acquisition": acquisition}),
            replace(SMALL, lags=()),
            report=print,
        )


def result(rate: float, deconvolution: int, lag: int, video_r: float) -> dict[str, object]:
    return {
        "scan_rate_hz": rate,
        "deconvolution_lag_scans": deconvolution,
        "steps": 3,
        "lag_frames": lag,
        "video_r": {"mean": video_r},
        "content_age_ms": 100 + 67 * deconvolution + 33 * lag,
    }


def test_the_figure_has_a_curve_for_each_kind_and_the_forecasts_apart(tmp_path: Path) -> None:
    rows = [result(15.0, 0, 0, 0.7), result(15.0, 0, 2, 0.8), result(15.0, 1, 0, 0.71)]
    rows.append(result(15.0, 0, -2, 0.6))
    figure = new_figure(inches=(4, 3))
    axes = figure.subplots()
    frontier_panel(axes, rows)
    curves = [list(map(tuple, line.get_xydata())) for line in axes.get_lines()]  # type: ignore[arg-type]
    assert curves == [[(100, 0.7), (166, 0.8)], [(34, 0.6), (100, 0.7)], [(167, 0.71)]]
    draw_frontier([*rows, result(30.0, 0, 0, 0.7)], tmp_path / "deep" / "figure.png")
    assert (tmp_path / "deep" / "figure.png").stat().st_size > 1000


def window_frame(frame: int, activity: np.ndarray, behaviour: np.ndarray) -> WindowFrame:
    times = {"t_frame_start_ns": 0, "t_scan_ns": frame // 2, "t_scan_end_ns": 0}
    responses = Responses(
        activity, np.isfinite(activity), frame, **times, t_received_ns=0, t_ready_ns=0
    )
    return WindowFrame(responses, behaviour)


@pytest.mark.parametrize("lag", [-2, 0, 3])
def test_a_pass_gives_at_each_lag_what_the_decoder_gives(
    linear_mouse: FittedTwin, watch: Callable[..., Trial], lag: int
) -> None:
    trial = watch(frames=30)
    items = [
        window_frame(n, *each)
        for n, each in enumerate(zip(trial.responses, trial.behaviour, strict=True))
    ]
    batches = [Batch(n, items[2 * n : 2 * n + 2], 0.0) for n in range(15)]
    config = DecodeConfig(window_frames=8, estimated_frames=6, lag_frames=0, steps=2)
    at_once = decoded_at_lags(
        linear_mouse,
        config,
        batches,
        lags=(-2, 0, 3),
        first=0,
        shape=(30, *trial.truth.shape[1:]),
        grid=FrameGrid(30.0),
    ).by_lag[lag]
    lags = {"lag_frames": max(lag, 0), "forecast_frames": max(-lag, 0)}
    decoder = linear_mouse.decoder(config.model_copy(update=lags), clock=DataClock())
    given = [out for batch in batches for out in decoder.step(batch.frames) if out.frame < 30]
    kept = [out.frame for out in given if out.frame >= max(-lag, 0)]
    assert kept == np.flatnonzero(np.isfinite(at_once.age_ms)).tolist()
    for out in given[-20:]:
        np.testing.assert_allclose(at_once.video[out.frame], out.luminance, atol=1e-3)
