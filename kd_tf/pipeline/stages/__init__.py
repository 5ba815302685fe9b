"""The stages of a run, one per file, and the cache that they share."""
