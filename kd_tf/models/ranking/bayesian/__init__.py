"""Samples factorization machines from their posterior: for teachers, which need no file."""
