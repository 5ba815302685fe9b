"""Examples of the ranking task: features of a user, an item and a context, and a label."""
