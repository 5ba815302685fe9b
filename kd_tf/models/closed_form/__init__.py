"""Item-item models with a closed-form fit: one calculation, no training steps."""
