"""Evaluates models on held-out items and compares them."""
