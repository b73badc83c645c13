"""The acquisition bridge: reads a microscope and publishes its scans and behaviour as messages."""
