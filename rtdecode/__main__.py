"""The command `rtdecode`, also as `python -m rtdecode`."""

import signal


def main() -> None:
    """Import all verbs and run the one that the arguments name.

    The imports take about a second; an interrupt meanwhile ends the process without a traceback.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from rtdecode.cli import app

    signal.signal(signal.SIGINT, before)
    app()


if __name__ == "__main__":
    main()
