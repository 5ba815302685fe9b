"""Rewrites of a converted flatbuffer, each without a change of its answers."""
