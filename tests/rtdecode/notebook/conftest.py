"""A twin that needs no training; see tests/fixtures/linear_twin.py."""

from linear_twin import linear_twin
from simple_mice import _one_thread
