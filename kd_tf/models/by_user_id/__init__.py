"""Models that know users by number: for comparing methods, not for an app."""
