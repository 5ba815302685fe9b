"""The command line `kd-tf`; each command parses options and calls one function of kd_tf."""

from kd_tf.cli.app import app, main

__all__ = ["app", "main"]
