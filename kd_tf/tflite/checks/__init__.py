"""What every exported file must pass before it is kept."""
