"""Features of items and users beside their interactions."""
