"""The demo mouse: its run and how its files are made."""
