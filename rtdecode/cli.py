"""The `rtdecode` command with all its verbs."""

import typer

from rtdecode.commands import arming, bench, fit, import_twin, live, reconstruct, sessions

app = typer.Typer(
    name="rtdecode",
    help="Live reconstruction of what a mouse sees from its visual cortex.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.registered_commands += live.app.registered_commands
app.registered_commands += arming.app.registered_commands
app.registered_commands += sessions.app.registered_commands
bench.app.registered_commands += reconstruct.bench_app.registered_commands
app.add_typer(bench.app, name="bench")
app.add_typer(fit.app, name="fit")
app.registered_commands += import_twin.app.registered_commands
app.registered_commands += reconstruct.app.registered_commands


def main() -> None:
    """Entry point of installations from before `rtdecode.__main__` was one."""
    app()
