"""Adapters to microscopes, files and simulations, with one contract (`contract.ScanSource`)."""
