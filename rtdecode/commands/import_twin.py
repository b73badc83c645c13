"""`rtdecode import-twin`: conversion of published weights into a twin folder."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, print_plain

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
) -> None:
    """Convert published weights of an encoding model into a twin."""
    console = Console()
    with errors_reported():
        from rtdecode.schema.errors import UnknownFormatError
        from rtdecode.twins.import_twin import Format, import_twin

        known = [name.value for name in Format]
        if layout not in known:
            raise UnknownFormatError(got=layout, known=known)
        twin = import_twin(weights, out, layout=Format(layout), mouse=mouse, neurons=neurons)
        spec = twin.spec
        causality = "not causal" if spec.future_frames else "causal"
        print_plain(
            console, f"{spec.architecture} twin of {spec.neurons} neurons ({causality}) in {out}"
        )
