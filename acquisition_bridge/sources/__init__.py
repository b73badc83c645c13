"""Adapters to microscopes: one file each, one contract for all."""
