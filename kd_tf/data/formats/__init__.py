"""Reads file formats: text lines, delimited tables, Parquet and JSON lines."""
