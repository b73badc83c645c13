"""Tables of docs/calcium.md."""

from results_as_tables import result, table

SPIKES = ("offline_oasis", "online_lag_1", "online_lag_3")


def step_table() -> str:
    """Time of each step of the chain."""
    speed = result("calcium_speed")
    rows = [
        [name, f"{times['p50']:.2f}", f"{times['p99']:.2f}", f"{100 * speed['share'][name]:.0f} %"]
        for name, times in speed["steps_cpu_ms"].items()
    ]
    return table(["step", "median ms", "99 % ms", "share"], rows)


def pair_table() -> str:
    """Time of a scan before and after a change, interleaved."""
    rows = [
        [
            f"{row['size_px']} × {row['size_px']}",
            f"{row['cells']:,}",
            f"{row['cpu_ms_other']:.2f}",
            f"{row['cpu_ms_here']:.2f}",
            f"{row['ratio']:.2f} ({row['ratio_quartiles'][0]:.2f} to "
            f"{row['ratio_quartiles'][1]:.2f})",
            f"{row['largest_difference']['shift_px']:.0e} px",
            f"{row['largest_difference']['f_raw']:.0e}",
            f"{row['largest_difference']['activity']:.0e}",
        ]
        for row in result("calcium_pair")
    ]
    head = ["px", "cells", "before, ms", "now, ms", "ratio (quartiles)"]
    return table([*head, "shift", "fluorescence", "activity"], rows)


def blocks_table() -> str:
    """Price and error of registration as a whole and in blocks."""
    rows = [
        [
            f"{row['size_px']} × {row['size_px']}",
            row["motion"],
            *(f"{row[name]['cpu_ms']:.1f}" for name in ("rigid", "blocks")),
            *(
                f"{row[name]['error_px']['p50']:.2f} / {row[name]['error_px']['p99']:.2f}"
                for name in ("rigid", "blocks")
            ),
        ]
        for row in result("calcium_blocks")
    ]
    head = ["px", "motion", "rigid, ms", "blocks, ms", "rigid, error px", "blocks, error px"]
    return table(head, rows)


def growth_table() -> str:
    """Time of the whole chain by number of cells."""
    rows = [
        [
            f"{row['cells']:,}",
            *(f"{row['cpu_ms'][part]:.2f}" for part in ("p50", "p99")),
            f"{row['cpu_scans_per_s']:.0f}",
            *(f"{row['ms'][part]:.2f}" for part in ("p50", "p99")),
        ]
        for row in result("calcium_speed")["growth"]["rows"]
    ]
    head = ["cells", "median ms", "99 % ms", "scans/s", "wall clock, median ms", "99 %"]
    return table(head, rows)


def stream_table() -> str:
    """A recorded movie through recorder, bridge and decoder."""
    rows = [
        [
            name,
            f"{run['scans_per_s']:.0f}",
            f"{run['scans_bit_for_bit']:,} of {run['scans']:,}",
            f"{run['fluorescence']:,}",
            str(run["lost_messages"]),
            f"{run['median_r']:.4f}",
        ]
        for name, run in result("calcium_stream").items()
    ]
    head = ["source", "scans/s", "in the log, bit for bit", "read", "lost", "median r with offline"]
    return table(head, rows)


def movie_table() -> str:
    """Registration and traces of a recorded movie against other implementations."""
    movie = result("calcium_movie")
    known, beside, traces = (movie[k] for k in ("known_shifts", "scikit_image_px", "extraction"))
    rows = [
        ["known shifts: error, median / largest px", known["chain_median_px"], "chain_largest_px"],
        ["the same of scikit-image", known["scikit_image_median_px"], "scikit_image_largest_px"],
    ]
    lines = [[name, f"{median:.3f} / {known[largest]:.3f}"] for name, median, largest in rows]
    lines += [
        [f"single scans: difference from scikit-image, {how}, median px", f"{beside[key]:.3f}"]
        for how, key in {
            "same window": "same_window_median",
            "no window": "no_window_median",
            "no window, whitened": "no_window_whitened_median",
        }.items()
    ]
    lines.append(
        [
            "scikit-image against itself, plain and whitened, median px",
            f"{beside['scikit_image_plain_to_whitened_median']:.3f}",
        ]
    )
    lines.append(
        [
            f"traces of {movie['cells']} cells: r with offline, median / lowest",
            f"{traces['median_r']:.4f} / {traces['lowest_r']:.4f}",
        ]
    )
    return table(["", "value"], lines)


def ways_table() -> str:
    """Each estimate of activity and offline OASIS, against recorded spikes."""
    rates = result("calcium_spikes")
    names = {
        "offline_oasis": "offline OASIS (oasis-deconv)",
        **{f"online_lag_{lag}": f"online, lag of {lag} scans" for lag in range(4)},
        "online_events": "online, thresholded events",
        "online_dff": "online, dF/F as it is",
    }
    rows = []
    for key, name in names.items():
        row = [name]
        for rate in rates.values():
            ratio = rate["mean"][key] / rate["mean"]["offline_oasis"]
            row += [f"{rate['mean'][key]:.3f}", f"{ratio:.2f}"]
        rows.append(row)
    return table(["", "30 Hz: mean r", "of offline", "8 Hz: mean r", "of offline"], rows)


def spikes_table() -> str:
    """The same for each recording."""
    fast, slow = (rate["cells"] for rate in result("calcium_spikes").values())
    rows = [
        [
            one["cell"].replace("_", " "),
            str(one["spikes"]),
            *(f"{row[key]:.2f}" for row in (one, other) for key in SPIKES),
        ]
        for one, other in zip(fast, slow, strict=True)
    ]
    head = [f"{rate} Hz {name}" for rate in (30, 8) for name in ("offline", "lag 1", "lag 3")]
    return table(["recording", "spikes", *head], rows)


RATES = {"30_hz": "30 Hz", "8_hz": "8 Hz"}
INDICATORS = {
    "DS09": "GCaMP6f (Chen et al. 2013)",
    "DS10": "GCaMP6f (Huang et al. 2021)",
    "DS13": "GCaMP6s (Huang et al. 2021)",
    "all": "all 29 recordings",
}


def held_out_table() -> str:
    """Ratio to offline OASIS of each data set that had no part in choosing the constants."""
    held_out = result("calcium_held_out")
    rows = []
    for key, name in INDICATORS.items():
        row = [name]
        for rate in RATES:
            found = held_out[rate]
            row += [f"{found['offline_r'][key]:.3f}"]
            row += [f"{ratio:.3f}" for ratio in found["held_out"][key]]
        rows.append(row)
    columns = ["offline r", "lag 0", "lag 1", "lag 2"]
    return table(
        ["data set left out", *(f"{rate} {name}" for rate in RATES.values() for name in columns)],
        rows,
    )


def held_out_summary() -> str:
    """The worst data set at each lag, and what a lag of 0 costs."""
    held_out = result("calcium_held_out")
    rows = []
    for rate, name in RATES.items():
        found = held_out[rate]["held_out"]
        worst = [
            min((found[key][lag], key) for key in INDICATORS if key != "all") for lag in (0, 1)
        ]
        rows.append(
            [
                name,
                *(f"{ratio:.3f}, {INDICATORS[key]}" for ratio, key in worst),
                f"{100 * (1 - found['all'][0] / found['all'][1]):+.1f} %",
                *(f"{held_out[rate][kind]['all'][1]:.3f}" for kind in ("default", "field")),
            ]
        )
    head = [
        "",
        "worst at lag 0",
        "worst at lag 1",
        "lag 0 costs, all",
        "lag 1, constants in use",
        "lag 1, set as one field",
    ]
    return table(head, rows)


def simulated_table() -> str:
    """Ratio to offline OASIS at a lag of one scan for simulated indicators."""
    found = result("calcium_simulated")
    noises = sorted({row["noise"] for row in found})
    head = [f"{row['rate_hz']:g} Hz, noise {row['noise']:g}" for row in found[: len(noises)]]
    slow = next(row for row in found if row["rate_hz"] != found[0]["rate_hz"])
    head += [f"{slow['rate_hz']:g} Hz, noise {noise:g}" for noise in noises]
    rows: dict[str, list[str]] = {}
    for row in found:
        name = f"{row['indicator']}: {row['rise_tau_s']:g} / {row['decay_tau_s']:g} s"
        rows.setdefault(name, []).append(f"{row['field'][1]:.2f}")
    return table(["rise / decay", *head], ([name, *row] for name, row in rows.items()))


TABLES = {
    "simulated": simulated_table,
    "held_out": held_out_table,
    "held_out_summary": held_out_summary,
    "steps": step_table,
    "growth": growth_table,
    "pair": pair_table,
    "blocks": blocks_table,
    "stream": stream_table,
    "movie": movie_table,
    "ways": ways_table,
    "spikes": spikes_table,
}
