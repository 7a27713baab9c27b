"""What the timers cost, beside PyTorch's and beside what else one would use.

``python -m benchmarks`` measures (``--help`` says how), and ``nox -s bench`` does so with all that
it needs. Four rooms, one idea each:

- ``contenders``: who is measured, one adapter a file;
- ``measurements``: what is measured, one question a file;
- ``harness``: processes, rounds, statistics, progress, results;
- ``report``: tables, plots, and the project's targets.
"""
