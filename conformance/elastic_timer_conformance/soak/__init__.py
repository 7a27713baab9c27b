"""Soaking: the suite again and again on a busy machine, to find what does not come out the same.

A verdict is worth something only if it is the same in every run. `command` is the subcommand,
`load` keeps the cores busy, `runs` repeats the suite, and `tally` counts what failed and how often.
"""
