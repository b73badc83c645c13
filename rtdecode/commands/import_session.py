"""`rtdecode import-session`: traces of suite2p and a stimulus log become a session."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, print_plain, progress_bar

app = typer.Typer()


@app.command(
    name="import-session",
    epilog="Example: rtdecode import-session suite2p/plane0 --stimulus stimulus.csv --clips movies"
    " --out imported",
)
def import_recorded(
    suite2p: Annotated[
        Path, typer.Argument(metavar="PLANE", help="plane folder of suite2p, with F.npy")
    ],
    *,
    stimulus: Annotated[
        Path, typer.Option(help="table of the displayed clips: columns t_s, clip, and maybe end_s")
    ],
    clips: Annotated[Path, typer.Option(help="folder of the videos that the table names")],
    out: Annotated[Path, typer.Option(help="session folder to write")],
    behaviour: Annotated[
        Path | None, typer.Option(help="table of running and pupil: t_s, running_cm_s, …")
    ] = None,
    scan_times: Annotated[
        Path | None,
        typer.Option(help="middle of each scan in s, on the clock of the stimulus: .csv or .npy"),
    ] = None,
    scan_rate_hz: Annotated[
        float | None,
        typer.Option(help="imaging rate, where the first scan began at 0 s", min=0.1),
    ] = None,
    calibration_s: Annotated[
        float, typer.Option(help="first seconds that calibrate baseline and kinetics", min=1)
    ] = 60.0,
) -> None:
    """Write traces of suite2p and a stimulus log as a session of rtdecode."""
    console = Console()
    with errors_reported():
        # numba takes a second to import, which `--help` does without
        from rtdecode.datasets.session_import import (
            FRAME_RATE_HZ,
            ImportedRecording,
            import_session,
            read_behaviour,
        )
        from rtdecode.datasets.stimulus_log import displayed_images, read_stimulus_log
        from rtdecode.datasets.suite2p_traces import read_suite2p_traces
        from rtdecode.schema.config.calcium import CalciumConfig

        traces = read_suite2p_traces(suite2p, scan_times=scan_times, scan_rate_hz=scan_rate_hz)
        shown = read_stimulus_log(stimulus, clips=clips)
        recording = ImportedRecording(
            traces,
            lambda: displayed_images(shown, clips=clips, rate_hz=FRAME_RATE_HZ),
            () if behaviour is None else read_behaviour(behaviour),
        )
        with progress_bar(console) as progress:
            task = progress.add_task("importing", total=1.0, status="")
            counts = import_session(
                recording,
                out,
                calcium=CalciumConfig(calibration_s=calibration_s),
                report=lambda done: progress.update(task, completed=done),
            )
        print_plain(
            console,
            f"{out}: {counts.neurons} neurons, {counts.scans:,} scans in {counts.seconds:.0f} s, "
            f"{len(shown)} presentations of clips ({counts.frames:,} frames)",
        )
