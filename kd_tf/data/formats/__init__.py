"""How the bytes of a file are read: text lines, delimited tables, Parquet, JSON lines."""
