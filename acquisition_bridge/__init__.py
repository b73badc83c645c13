"""The microscope's side: scans and behaviour in, messages out."""
