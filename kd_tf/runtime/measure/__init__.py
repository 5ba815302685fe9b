"""Latency and memory of a model file, measured in processes of their own."""
