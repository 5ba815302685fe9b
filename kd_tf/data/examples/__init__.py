"""Training examples: a history and the items that followed it."""
