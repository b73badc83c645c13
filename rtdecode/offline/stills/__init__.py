"""Reconstruction of still images from single-trial activity."""
