"""How the readers' own books and what the teacher knows are weighed: one way a file."""
