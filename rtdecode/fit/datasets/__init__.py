"""Readers of recorded sessions."""
