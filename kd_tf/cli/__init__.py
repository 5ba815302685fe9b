"""`kd-tf`: every command is one call into a room."""

from kd_tf.cli.app import app, main

__all__ = ["app", "main"]
