"""What a run has found, for people: tables, plots, and the project's targets."""
