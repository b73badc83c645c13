"""rtdecode shows, live, what a mouse sees."""

__version__ = "0.1.0"
