"""The command `rtdecode`, also as `python -m rtdecode`."""

import signal


def main() -> None:
    """Run the verb that the arguments name.

    An interrupt during the imports ends the process without a traceback.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from rtdecode.cli import app

    signal.signal(signal.SIGINT, before)
    app()


if __name__ == "__main__":
    main()
