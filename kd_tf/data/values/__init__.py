"""How single values are written in tables: ids, numbers, times and ISBNs."""
