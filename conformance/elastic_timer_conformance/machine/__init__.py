"""Machines that drive a backend and the model through the same steps, to see where they differ."""
