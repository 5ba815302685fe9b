"""Losses of scores against the items that users chose."""
