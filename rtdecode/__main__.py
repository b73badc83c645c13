"""`python -m rtdecode` is `rtdecode`."""

from rtdecode.cli import main

main()
