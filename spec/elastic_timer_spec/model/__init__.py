"""The executable model of the specification: which state follows from a state and an event.

- `timers`: the server's table, as it is after requests, reaping and clearing.
- `promises`: who may be reaped and who must be, told from a worker's calls alone.
- `state`, `events`, `rules`: the model itself, workers, queue and server together.
- `invariants`: what safety and liveness mean.
- `sameness`: which states need not be told apart.
- `wrong`: models that are wrong, each in one way.

`elastic_timer_spec.exploration` goes through its runs. Everything is a value that never changes,
and nothing but the standard library is needed.
"""
