"""The synthetic bookshop: items, users and what they read, from a seed."""
