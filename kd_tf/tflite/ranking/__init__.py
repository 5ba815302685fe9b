"""Export of models of the ranking task: one .tflite file, checked against its student."""
