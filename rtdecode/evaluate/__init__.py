"""Scores reconstructions against what was really shown."""
