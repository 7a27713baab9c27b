"""Machines that drive a backend and the model through the same steps, to see where they differ.

What they share is here; what each is made of has a folder of its own.
"""
