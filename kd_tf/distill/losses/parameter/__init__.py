"""Distillation losses on weights."""
