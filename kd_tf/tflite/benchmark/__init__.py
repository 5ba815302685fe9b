"""The exported file timed against its competitors."""
