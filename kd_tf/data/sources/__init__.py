"""One data set or kind of table a file: everything that becomes a `Dataset`."""
