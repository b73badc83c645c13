"""Tables of docs/performance.md, and of the comparison of revisions in docs/benchmarks.md."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from interleaved import verdict
from results_as_tables import content, result, table

PARTS = {
    ("EstimatedFrames.extrapolated", ""): "momentum: where the gradient is taken",
    ("EstimatedFrames.responded", ""): "prior: video from innovations",
    ("FilterPass.forward", "(2)"): "temporal filters",
    ("FilterPass.forward", "(3)"): "row and column filters",
    ("CompactDrive.forward", "(4)"): "mixing to subunits",
    ("CompactDrive.forward", "(5), (6)"): "rectify and square, contrast",
    ("CompactDrive.forward", "(7)"): "local contrast",
    ("CompactDrive.forward", "(8), (9)"): "normalise and pool",
    ("CompactDrive.forward", "(10)"): "second layer",
    ("CompactDrive.forward", "(11)"): "bilinear readout",
    ("CompactDrive.forward", "(12)"): "visual drive",
    ("CompactPrediction.linearised", ""): "gain and response kernel",
    ("quasi_score_on_host", ""): "quasi-score",
    ("CompactPrediction._adjoint", ""): "gain and response kernel, back",
    ("CompactDrive.vjp", "(12')"): "visual drive, back",
    ("CompactDrive.vjp", "(11')"): "bilinear readout, back",
    ("CompactDrive.vjp", "(10')"): "second layer, back",
    ("CompactDrive.vjp", "(9'), (8')"): "normalise and pool, back",
    ("CompactDrive.vjp", "(7')"): "local contrast, back",
    ("CompactDrive.vjp", "(6'), (5')"): "rectify and square, back",
    ("CompactDrive.vjp", "(4')"): "mixing to subunits, back",
    ("FilterPass.vjp", ""): "transposition, back",
    ("FilterPass.vjp", "(3')"): "row and column filters, back",
    ("FilterPass.vjp", "(2')"): "temporal filters, back",
    ("EstimatedFrames.adjoint", ""): "prior: gradient by innovations",
    ("EstimatedFrames.moved", ""): "momentum: the move, prior's objective",
    ("Solver.improve", ""): "sum of the objective",
}
"""Parts of a step, by function and equations of the compact twin."""
CURVES = {
    "neurons": ("neurons", "ms a frame", 1000),
    "estimated_frames": ("estimated frames", "ms a frame", 1),
    "steps": ("steps a frame", "ms a frame", 1),
    "pixels": ("pixels of the screen", "ms a frame", 1000),
    "rois": ("ROIs, 512 × 512 px", "ms a scan", 1000),
    "viewers": ("viewers of the page", "ms a second", 1),
}
"""What varies, the unit of the processor time, and the number for which the slope is stated."""

_MISSING = "Not measured yet on an idle machine."


def if_measured(make: Callable[[], str]) -> Callable[[], str]:
    """`make`, or a sentence where its results do not exist."""

    @wraps(make)
    def made() -> str:
        try:
            return make()
        except FileNotFoundError:
            return _MISSING

    return made


def parts_table() -> str:
    """Operations, bytes, time and rate of each part of a step."""
    found = result("roofline")
    rows = [_part(row) for row in found["parts"] if row["us"] >= 1]
    rows.append(
        [
            "Python between the calls",
            "",
            "",
            "",
            "",
            f"{found['between_us']:.0f}",
            f"{100e-3 * found['between_us'] / found['step_ms']['median']:.1f} %",
            "",
            "",
        ]
    )
    rows.append(
        [
            "**a step**",
            "",
            f"{found['operations'] / 1e6:.1f}",
            f"{100 * found['in_products'] / found['operations']:.0f} %",
            f"{found['bytes'] / 1e6:.1f}",
            f"{1e3 * found['step_ms']['median']:.0f}",
            "100 %",
            f"{found['gflops']:.1f}",
            f"{100 * found['share_of_peak']:.0f} %",
        ]
    )
    head = ["part", "equations", "Mflop", "in products", "MB", "µs", "of the step"]
    return table([*head, "Gflop/s", "of the peak"], rows)


def _part(row: dict[str, Any]) -> list[str]:
    name = PARTS.get((row["place"], row["equations"]), row["place"])
    in_products = row["in_products"] / row["operations"] if row["operations"] else 0
    computed = row["operations"] >= 1e4  # noqa: PLR2004 - fewer are no rate
    return [
        name,
        row["equations"],
        f"{row['operations'] / 1e6:.2f}",
        f"{100 * in_products:.0f} %",
        f"{row['bytes'] / 1e6:.2f}",
        f"{row['us']:.0f}",
        f"{100 * row['share_of_step']:.1f} %",
        f"{row['gflops']:.1f}" if computed else "–",
        f"{100 * row['share_of_peak']:.0f} %" if computed else "–",
    ]


def peaks_table() -> str:
    """What the core reaches, and the step beside automatic differentiation."""
    found = result("roofline")
    copies = found["copy_gb_per_s"]
    largest = max(found["products"], key=lambda one: float(one["gflops"]))
    in_step = max(
        (one for one in found["products"] if not _is_square(one["sizes"])),
        key=lambda one: float(one["gflops"]),
    )
    rows = [
        ["peak: largest rate of a product", f"{largest['gflops']:.0f} Gflop/s ({_shape(largest)})"],
        [
            "largest of a product of the step",
            f"{in_step['gflops']:.0f} Gflop/s ({_shape(in_step)})",
        ],
        ["copy of 256 kB", f"{copies['in_cache']:.0f} GB/s"],
        ["copy of 256 MB", f"{copies['in_memory']:.0f} GB/s"],
        ["a step", _interval(found["step_ms"], "{:.2f}") + " ms"],
        [
            "by automatic differentiation over the window",
            _interval(found["autograd_ms"], "{:.1f}") + " ms",
        ],
        ["ratio of both in one turn", _interval(found["autograd_ratio"], "{:.1f}")],
        [
            "load of the machine before and after",
            f"{found['load_before']:.1f}, {found['load_after']:.1f}",
        ],
    ]
    return table(["", "measured"], rows)


def _is_square(sizes: list[int]) -> bool:
    return len(set(sizes[1:])) == 1


def _shape(product: dict[str, Any]) -> str:
    batches, rows, columns, inner = product["sizes"]
    stack = f"{batches} of " if batches > 1 else ""
    return f"{stack}{rows:,} × {inner:,} by {inner:,} × {columns:,}"


def _interval(found: dict[str, Any], form: str) -> str:
    low, high = found["ci95"]
    return f"{form} ({form} to {form})".format(found["median"], low, high)


def growth_table() -> str:
    """Exponent and straight line of each curve."""
    rows = []
    for name, curve in result("growth").items():
        quantity, unit, count = CURVES[name]
        sizes, times = curve["sizes"], curve["cpu_ms"]
        rows.append(
            [
                quantity,
                f"{min(sizes):,} to {max(sizes):,}",
                f"{times[0]:.1f} to {times[-1]:.1f} {unit}",
                f"{curve['exponent']:.2f}",
                f"{curve['last_exponent']:.2f}",
                f"{curve['offset']:.2g} + {count * curve['slope']:.2g} for each {count:,}",
                f"{100 * curve['off_line']:.0f} %",
            ]
        )
    head = ["", "from", "processor time", "exponent", "of the last two points"]
    return table([*head, "line, ms", "largest deviation from it"], rows)


def steps_table() -> str:
    """Quality and time by steps."""
    rows = []
    for row in result("default_steps")["rows"]:
        score, difference = row["video_r"], row["difference"]
        shown = "{:+.4f} ({:+.4f} to {:+.4f})".format(difference["mean"], *difference["ci95"])
        rows.append(
            [
                f"{row['neurons']:,}",
                row["settings"],
                str(row["steps"]),
                "{:.3f} ({:.2f} to {:.2f})".format(score["mean"], *score["ci95"]),
                shown if any(difference["ci95"]) else "–",
                f"{row['cpu_ms']:.1f}",
            ]
        )
    head = ["neurons", "settings", "steps", "video_r (95 %)", "to 3 steps, paired (95 %)"]
    return table([*head, "processor time, ms a frame"], rows)


def compare_table() -> str:
    """Ratios of two revisions."""
    return _comparison("compare")


def step_table() -> str:
    """Two revisions of the decoder alone."""
    return _comparison("compare_step")


def same_table() -> str:
    """The noise floor of the same."""
    return _comparison("compare_same")


def _comparison(name: str) -> str:
    found = content(name)
    same = found["config"]["same"]
    rows = [
        [
            row["workload"],
            row["figure"],
            *(f"{row[side]['median']:.4g}" for side in "ab"),
            "–" if row["ratio"] is None else _interval(row["ratio"], "{:.3f}"),
            verdict(row, same=same),
        ]
        for row in found["results"]["rows"]
        if "figure" in row
    ]
    rows += [
        [row["workload"], f"output `{name}`", "", "", f"largest difference {value:.0e}", ""]
        for row in found["results"]["rows"]
        for name, value in row.get("largest_difference", {}).items()
    ]
    sides = [f"{side.upper()} ({found['config'][side]})" for side in "ab"]
    return table(["workload", "figure", *sides, "B / A (95 %)", ""], rows)


def rates_table() -> str:
    """Duration of a solver step with a twin of either architecture."""
    names = {"dwiseneuro": "DwiseNeuro, published size", "compact": "compact"}
    rows = [
        [
            names[row["architecture"]],
            f"{row['neurons']:,}",
            "{step_s:.2g} ({least_s:.2g} to {largest_s:.2g})".format(**row),
        ]
        for row in result("dwiseneuro_rate")
    ]
    return table(["twin", "neurons", "a step, s: median (least to largest)"], rows)


TABLES = {
    "dwiseneuro_rate": if_measured(rates_table),
    "step_parts": if_measured(parts_table),
    "peaks": if_measured(peaks_table),
    "growth_curves": if_measured(growth_table),
    "default_steps": if_measured(steps_table),
}
COMPARISONS = {
    "compare": if_measured(compare_table),
    "compare_step": if_measured(step_table),
    "compare_same": if_measured(same_table),
}
