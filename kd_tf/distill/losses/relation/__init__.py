"""Distillation losses on distances and similarities between examples or items."""
