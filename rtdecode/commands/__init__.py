"""Verbs of the command line, one file for each group; `rtdecode.cli` joins them."""
