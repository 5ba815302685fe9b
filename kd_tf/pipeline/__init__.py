"""Runs the stages that turn settings and interactions into an evaluated bundle."""
