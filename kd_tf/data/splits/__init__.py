"""Split protocols: training, validation and test parts of a data set."""
