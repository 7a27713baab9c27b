"""Deliberately wrong backends: what the suite is judged by.

For every requirement that a backend MUST meet there is at least one here that breaks it, and
nothing else. The command `python -m elastic_timer_conformance wrong` lets the suite judge each,
and fails unless it finds just that.
"""
