"""From settings to a measured bundle, stage by stage."""
