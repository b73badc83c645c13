"""`rtdecode import-twin`: conversion of published weights into a twin folder."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import WorkLine, errors_reported, print_plain, progress_bar

app = typer.Typer()


@app.command(
    name="import-twin",
    epilog="Example: rtdecode import-twin encoder.pth --format sensorium2022 --out twin",
)
def import_published(
    weights: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="published PyTorch file")],
    *,
    layout: Annotated[
        str, typer.Option("--format", help="sensorium2022 (images) or dwiseneuro (video)")
    ],
    out: Annotated[Path, typer.Option(help="twin folder to write")],
    mouse: Annotated[
        str | None, typer.Option(help="name of the mouse, where the file has several")
    ] = None,
    neurons: Annotated[
        int | None,
        typer.Option(help="number of neurons of that mouse, where the file pads them", min=1),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="session of the same neurons, on which prior and noise model are measured: "
            "decoding of videos needs them (docs/data.md)"
        ),
    ] = None,
) -> None:
    """Convert published weights of an encoding model into a twin."""
    console = Console()
    with errors_reported():
        from rtdecode.schema.errors import UnknownFormatError
        from rtdecode.twins.import_twin import Format, import_twin
        from rtdecode.twins.staged_folder import require_same_twin, staged

        known = [name.value for name in Format]
        if layout not in known:
            raise UnknownFormatError(got=layout, known=known)
        with staged(out) as folder:
            spec = import_twin(
                weights, folder, layout=Format(layout), mouse=mouse, neurons=neurons
            ).spec
            require_same_twin(folder, out)
            if data is not None:
                from rtdecode.datasets.opening import open_video_session
                from rtdecode.train.imported_twin import measure_imported

                with progress_bar(console) as progress:
                    session, line = open_video_session(data), WorkLine(progress, console)
                    measure_imported(folder, session, named=out, work=line.work())
        causality = "not causal" if spec.future_frames else "causal"
        print_plain(
            console, f"{spec.architecture} twin of {spec.neurons} neurons ({causality}) in {out}"
        )
