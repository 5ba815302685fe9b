"""Distillation losses on hidden layers and embeddings."""
