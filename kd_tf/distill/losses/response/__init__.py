"""Distillation losses on the scores that the teacher gives to items."""
