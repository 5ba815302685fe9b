"""How the student loss and the distillation losses are combined: one weighting per file."""
