"""Measures latency and memory of model files, each in its own process."""
