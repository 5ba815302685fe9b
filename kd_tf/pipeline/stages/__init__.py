"""The stages of a run, one a file."""
