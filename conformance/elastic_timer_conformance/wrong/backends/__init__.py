"""The wrong backends, one file an area of the specification."""
