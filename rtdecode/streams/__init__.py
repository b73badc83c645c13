"""Streams on the frame grid: gaps, behaviour joined to responses, paced output."""
