"""Training loops: epochs, validation, early stopping, resume, checkpoints."""
