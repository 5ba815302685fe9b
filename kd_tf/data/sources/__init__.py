"""Reads data sets: each module turns one published data set or kind of table into a `Dataset`."""
