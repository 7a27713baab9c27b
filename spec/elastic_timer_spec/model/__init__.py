"""The executable model of the specification: what there is to decide, and how it must be decided.

`timers` is the server's table. `promises` says from a worker's calls alone who may be reaped and
who must be. Needs nothing but the standard library; everything is a value that never changes.
"""
