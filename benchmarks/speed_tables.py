"""Tables of docs/benchmarks.md."""

from results_as_tables import content, result, table

STAGES = {
    "scan": "middle of the newest scan to its end",
    "transport": "to its arrival",
    "calcium": "to the responses",
    "decode": "responses to reconstruction",
    "pacing": "waiting in the paced output",
    "screen_to_output": "screen to output, including the lag",
}
BUDGETS_MB = {"decoder": "1,500", "whole demo": "4,000"}


def decoder_table() -> str:
    """Time of a frame by neurons, window and steps."""
    rows = [
        [
            f"{row['neurons']:,}",
            *(str(row[key]) for key in ("window_frames", "steps", "threads")),
            *(f"{row[key]:.1f}" for key in ("ms_p50", "ms_p99", "cpu_ms_p50", "cpu_ms_p99")),
            f"{row['cpu_ms_p50'] / row['steps']:.1f}",
        ]
        for row in result("decoder")
    ]
    times = ["wall clock, median ms", "99 %", "processor, median ms", "99 %", "a step"]
    return table(["neurons", "window, frames", "steps", "threads", *times], rows)


def wire_table() -> str:
    """One hop between two processes by size and transport."""
    rows = [
        [
            f"{row['side_px']} × {row['side_px']}",
            row["transport"],
            f"{row['kilobytes']:,.0f}",
            *(f"{row[key]:.2f}" for key in ("p50_ms", "p99_ms")),
            *(f"{row[key]:.0f}" for key in ("pack_us", "unpack_us")),
            f"{row['lost']} of {row['messages']}",
        ]
        for row in result("wire")
    ]
    head = ["scan, px", "transport", "kB", "median ms", "99 % ms", "pack µs", "unpack µs", "lost"]
    return table(head, rows)


def live_table() -> str:
    """The whole live system beside its targets."""
    runs = (content("demo"), result("latency"))
    asked = {
        "frames a second": ("30.0", "fps_out", "{:.1f}"),
        "late, %": ("≤ 0.5", "late_percent", "{:.2f}"),
        "messages lost": ("0", "lost_messages", "{}"),
        "video_r": ("", "video_r", "{:.2f}"),
        "frame_r": ("", "frame_r", "{:.2f}"),
        "frames scored": ("", "frames_scored", "{:,}"),
    }
    rows = [
        [name, target, *(shown.format(run[key]) for run in runs)]
        for name, (target, key, shown) in asked.items()
    ]
    ready = [f"{run['stages_ms']['decode']['p99']:.1f}" for run in runs]
    rows.insert(3, ["responses to reconstruction, 99 %, ms", "≤ 33", *ready])
    return table(["", "target", "`demo`, 25 s", "`bench latency`, 60 s"], rows)


def stages_table() -> str:
    """Latency of each stage, in the longer run."""
    stages = result("latency")["stages_ms"]
    rows = [
        [name, *(f"{stages[key][part]:.1f}" for part in ("p50", "p99", "max"))]
        for key, name in STAGES.items()
    ]
    return table(["stage", "median ms", "99 % ms", "longest ms"], rows)


_CHOSEN_LAGS = (-4, -2, 0, 1, 2, 3, 4, 6, 8)
_BEST_STEPS = {0: 5, 1: 3}
"""Steps of the rows of the table, by deconvolution lag; the figure has all."""


def loop_table() -> str:
    """Quality against latency, by scan rate and lags."""
    rows = [
        [
            f"{row['scan_rate_hz']:g}",
            *(str(row[key]) for key in ("deconvolution_lag_scans", "lag_frames", "steps")),
            f"{row['video_r']['mean']:.3f} ({row['video_r']['ci95'][0]:.2f} to "
            f"{row['video_r']['ci95'][1]:.2f})",
            f"{row['content_age_ms']:.0f}",
            f"{row['paced_output_ms']:.0f}",
        ]
        for row in result("loop")
        if row["lag_frames"] in _CHOSEN_LAGS
        and row["steps"] == _BEST_STEPS[row["deconvolution_lag_scans"]]
        and (row["deconvolution_lag_scans"] == 0 or row["lag_frames"] >= 0)
    ]
    head = ["scans, Hz", "deconvolution lag", "frame lag", "steps", "video_r (95 %)"]
    return table([*head, "content age, ms", "paced output, ms"], rows)


def memory_table() -> str:
    """Memory of each process of the demo, and its budget."""
    rows = [
        [
            name,
            *(f"{one[key]:,.0f}" for key in ("highest_rss_mb", "highest_pss_mb")),
            BUDGETS_MB.get(name, ""),
            f"{one['slope_mb_per_minute']:.2f}",
        ]
        for name, one in result("memory")["processes"].items()
    ]
    return table(["process", "RSS, MB", "PSS, MB", "budget, MB", "slope, MB a minute"], rows)


def rig_table() -> str:
    """Processor load of the simulated rig, and correlation of activity with true rates."""
    rig = result("simulated_rig")
    rows = [
        [f"% of one core, {size.replace('x', ' × ')}", f"{percent:.1f}"]
        for size, percent in rig["percent_of_one_core"].items()
    ]
    r = f"{rig['single_trial_r']:.2f}"
    return table(["", "value"], [*rows, ["r of activity and true rate, median of neurons", r]])


def twin_check_table() -> str:
    """Single-trial r of the twin check on one session, unchanged and with faults."""
    rows = []
    for name, one in result("twin_check").items():
        r, expected = (
            "–" if each is None else f"{each[0]:.2f} to {each[1]:.2f}"
            for each in (one["r"], one["r_expected"])
        )
        alarm = "none" if one["alarm_after_s"] is None else f"after {one['alarm_after_s']} s"
        rows.append([name, r, expected, f"{one['r_training']:.2f}", alarm])
    return table(["", "r", "expected by the noise model", "at training", "alarm"], rows)


def outputs_table() -> str:
    """Delay of each kind of output, from the decision."""
    names = {"zmq": "ZeroMQ message", "lsl": "LSL marker", "serial": "serial byte"}
    rows = [
        [names[kind], *(f"{delay[key]:.1f}" for delay in row.values() for key in _DELAYS)]
        for kind, row in result("outputs").items()
    ]
    times = [f"{to}, {key}" for to in ("handed over", "received") for key in _DELAYS.values()]
    return table(["ms from the decision", *times], rows)


def commands_table() -> str:
    """Delays of commands to the stimulus, on a virtual screen and on simulated refreshes."""
    names = {"window": "window on a virtual display", "refreshes": "simulated refreshes, 60 Hz"}
    keys = ("flip_ms", "answer_ms", "lead_ms")
    rows = [
        [
            names[screen],
            str(row["n"]),
            *(f"{row[key][part]:.1f}" for key in keys for part in ("median", "p99", "max")),
        ]
        for screen, row in result("commands").items()
    ]
    parts = ("median", "99 %", "maximum")
    head = [f"{to}, {part}" for to in ("to the flip", "to the answer", "lead") for part in parts]
    return table(["ms from sending", "commands", *head], rows)


def loop_latency_table() -> str:
    """Medians over runs of the closed loop with all processes, by scan rate."""
    found = result("loop_latency")
    rows = []
    for name, row in found.items():
        middle = row["median"]
        times = [
            f"{middle[key]:.0f}" if key in middle else "–"
            for key in (*_REACTION, *_CONTENT_AGE, "screen_to_output_p50")
        ]
        rate = f"{middle['late_percent']:.2f}"
        rows.append([name, str(len(row["runs"])), *times, rate, f"{middle['video_r']:.3f}"])
    head = ["run", "runs", "reaction, median, ms", "99 %", "content age, median, ms", "99 %"]
    return table([*head, "displayed frame to paced output, ms", "late, %", "video_r"], rows)


def disarm_table() -> str:
    """Time from a signal to the recorder until the controller is disarmed."""
    names = {"killed": "killed (SIGKILL)", "silent": "stopped (SIGSTOP), with `silence_s: 2.0`"}
    rows = [
        [
            names[cause],
            str(row["n"]),
            f"{row['disarmed_ms']['median']:.0f}",
            f"{row['disarmed_ms']['max']:.0f}",
            f"{row['last_action_ms_max']:.0f}",
        ]
        for cause, row in result("disarm").items()
    ]
    head = [
        "the recorder is",
        "runs",
        "disarmed after, median, ms",
        "maximum",
        "last action, maximum",
    ]
    return table(head, rows)


_REACTION = ("reaction_ms_p50", "reaction_ms_p99")
_CONTENT_AGE = ("content_age_ms_p50", "content_age_ms_p99")
_DELAYS = {"p50": "median", "p99": "99 %", "max": "maximum"}


def photodiode_table() -> str:
    """Displayed frames beside what a photodiode saw of them."""
    rows = [
        [
            row["warp"],
            str(row["commands"]),
            f"{row['frames']:,}",
            f"{row['seen']:,}",
            *(str(row[key]) for key in ("other_time", "unknown", "answers_that_differ")),
            *(f"{row[f'difference_ms_{name}']:.2f}" for name in ("p50", "p1", "p99")),
            f"{row['cpu_busy_percent']:.0f}",
        ]
        for row in result("photodiode")
    ]
    counts = ["frames", "seen", "at another time", "not in the log", "answers that differ"]
    times = ["pixels − flip, median ms", "1 %", "99 %", "cores busy, %"]
    return table(["warp", "commands", *counts, *times], rows)


def drawing_table() -> str:
    """Duration of drawing and flipping a frame in a window."""
    keys = [f"{step}_ms_{name}" for step in ("draw", "flip") for name in ("p50", "p99")]
    rows = [
        [name, *(f"{row[key]:.2f}" for key in keys)]
        for name, row in result("stimulus_timing").items()
    ]
    return table(["drawn by", "draw, median ms", "99 %", "flip, median ms", "99 %"], rows)


TABLES = {
    "photodiode": photodiode_table,
    "drawing": drawing_table,
    "decoder": decoder_table,
    "wire": wire_table,
    "live": live_table,
    "stages": stages_table,
    "loop": loop_table,
    "loop_latency": loop_latency_table,
    "memory": memory_table,
    "twin_check": twin_check_table,
    "rig": rig_table,
    "outputs": outputs_table,
    "commands": commands_table,
    "disarm": disarm_table,
}
