"""What items are about, for models of who read what: rows for items that nobody has read yet."""
