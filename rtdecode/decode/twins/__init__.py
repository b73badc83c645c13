"""Encoding models, one a file."""
