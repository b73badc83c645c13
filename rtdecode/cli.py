"""The `rtdecode` command with all its verbs, each of which is imported when it is called.

A new verb is one line of `VERBS`: its name, its module in `rtdecode.commands`, and the first line
of its help text. The module has a `typer.Typer` named `app`, with a command of that name; a module
without such a command is a group of verbs, as `bench` is.
"""

import importlib
import re
import signal
import sys
from importlib.metadata import version
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


class Verb(NamedTuple):
    """One line of the help text."""

    name: str
    module: str
    """Its module in `rtdecode.commands`."""
    summary: str
    """The first line of its docstring, or the help text of its group."""


VERBS = (
    Verb("demo", "live", "Run the whole live loop on the embedded simulated rig and write a session."),
    Verb("run", "live", "Run a session with the settings of CONFIG, until Ctrl-C or the end of its source."),
    Verb("check", "check", "Say in sentences what a run of CONFIG would do, and record where; start nothing."),
    Verb("join", "join", "Run the processes that CONFIG gives this computer, in a run that another one starts."),
    Verb("start", "requests", "Start the session of a `rtdecode run --wait-for-start` in the folder SESSION."),
    Verb("stop", "requests", "End the run in the folder SESSION, as Ctrl-C in its terminal does."),
    Verb("arm", "arming", "Arm the controller of the running SESSION, or renew its dead-man time."),
    Verb("disarm", "arming", "Disarm the controller of the running SESSION: no further action is carried out."),
    Verb("note", "notes", "Add a note with its time to SESSION, which may be running or have ended."),
    Verb("report", "report", "Write the report of SESSION: one page that opens anywhere, and its figures beside it."),
    Verb("score", "sessions", "Recompute the summary of SESSION from its log and write its report."),
    Verb("replay", "replay", "Decode a recorded session, or the trials of a data set, again as if it were live."),
    Verb("export", "export", "Write SESSION as one file for other programs; the session is unchanged."),
    Verb("recover", "sessions", "Repair a log that is damaged or ends early, state what is missing; the old log is kept."),
    Verb("import-twin", "import_twin", "Convert published weights of an encoding model into a twin."),
    Verb("import-session", "import_session", "Write traces of suite2p and a stimulus log as a session of rtdecode."),
    Verb("reconstruct", "reconstruct", "Reconstruct and score the trials of a tier; write each video and summary.json."),
    Verb("bench", "bench", "Measure speed and quality."),
    Verb("keys", "keys", "Keys of this computer, and of those that may connect to its runs."),
    Verb("batch", "batch", "Run the commands in FILE, on several workers at once where --cluster is given."),
    Verb("fit", "fit", "Fit a twin, a decoder or a screen mask to a session."),
)  # fmt: skip
"""All verbs, in the order of the help text."""


class UnloadedVerb(TyperCommand):
    """Name and first line of a verb whose module is not imported yet."""

    def __init__(self, verb: Verb) -> None:
        super().__init__(verb.name, help=verb.summary)
        self._verb = verb

    def loaded(self) -> Any:
        """The command itself. Raises ExtraMissingError where it needs a package that is absent."""
        # imports pydantic and ZeroMQ, which `rtdecode --help` does without
        from rtdecode.runtime.extras import missing_extra_named

        with missing_extra_named():
            module = importlib.import_module(f"rtdecode.commands.{self._verb.module}")
        group = get_group(module.app)
        return group.commands.get(self._verb.name, group)


class Verbs(TyperGroup):
    """All verbs by name."""

    def __init__(self, **settings: Any) -> None:
        settings["commands"] = {verb.name: UnloadedVerb(verb) for verb in VERBS}
        super().__init__(**settings)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Name and command of the verb in `args`, which is imported now, and what follows it."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, _loaded(found) if isinstance(found, UnloadedVerb) else found, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; a value that an option does not have is an error with its remedy."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if error.param is None or (found := _NO_CHOICE.search(error.message)) is None:
                raise
            from rtdecode.commands.console import errors_reported
            from rtdecode.schema.errors import UnknownValueError

            known = re.findall(r"'([^']*)'", found["known"])
            option = max(error.param.opts, key=len)
            with errors_reported():
                raise UnknownValueError(name=option, got=found["got"], known=known) from None


_NO_CHOICE = re.compile(r"""(['"])(?P<got>.*)\1 is not one of (?P<known>'.*')""", re.DOTALL)
"""The message of an option with some values, of an enumeration, that is given another one."""


def _loaded(verb: UnloadedVerb) -> Any:
    from rtdecode.commands.console import errors_reported

    # the import may take a second; an interrupt meanwhile ends the process without a traceback
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    with errors_reported():
        found = verb.loaded()
    signal.signal(signal.SIGINT, before)
    return found


app = typer.Typer(
    cls=Verbs, name="rtdecode", no_args_is_help=True, pretty_exceptions_show_locals=False
)


def _print_version(wanted: bool) -> None:
    if wanted:
        python = ".".join(map(str, sys.version_info[:3]))
        typer.echo(f"rtdecode {version('rtdecode')}, Python {python}")
        raise typer.Exit


@app.callback()
def _rtdecode(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Live reconstruction of what a mouse sees from its visual cortex."""


def main() -> None:
    """Entry point of installations from before `rtdecode.__main__` was one."""
    app()
