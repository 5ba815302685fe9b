"""Metrics of ranked lists and scores, one file per family."""
