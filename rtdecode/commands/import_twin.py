"""`rtdecode import-twin`: published weights made into a twin."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rtdecode.commands.console import errors_told

app = typer.Typer()


@app.command(name="import-twin")
def import_published(
    weights: Annotated[Path, typer.Argument(help="PyTorch file that the authors published")],
    *,
    layout: Annotated[
        str, typer.Option("--format", help="sensorium2022 (images) or dwiseneuro (video)")
    ],
    out: Annotated[Path, typer.Option(help="twin folder to write")],
    mouse: Annotated[str | None, typer.Option(help="which one, where there are several")] = None,
    neurons: Annotated[
        int | None, typer.Option(help="of that mouse, where the file pads them", min=1)
    ] = None,
) -> None:
    """Make a twin of published weights."""
    console = Console()
    with errors_told():
        from rtdecode.schema.errors import UnknownFormatError
        from rtdecode.twins.import_twin import Format, import_twin

        known = [name.value for name in Format]
        if layout not in known:
            raise UnknownFormatError(got=layout, known=known)
        twin = import_twin(weights, out, layout=Format(layout), mouse=mouse, neurons=neurons)
        spec = twin.spec
        sight = "not causal" if spec.future_frames else "causal"
        console.print(f"{spec.architecture} twin of {spec.neurons} neurons ({sight}) in {out}")
