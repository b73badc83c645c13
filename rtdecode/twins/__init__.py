"""Encoding models (twins): the protocol, the architectures, their folders, published weights."""
