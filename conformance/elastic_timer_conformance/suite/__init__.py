"""The tests: one file, or a few, an area of the specification.

Conventions, for whoever adds a test:

- Every test names what it verifies, with the digest of the statement that it was held against:
  `@requirement("AREA-NAME@0123abcd")`. `python -m elastic_timer_spec reviewed AREA-NAME test_x`
  writes the digest. One id is best. A failing test of several is held against all of them, except
  that a known deviation takes the blame alone.
- Everything judged comes from the backend: `backend`, `api`, `expires`, `configured`. Nothing here
  imports an implementation.
- The interface layer asks `watched` (a server on a clock that stands still), `request_queue` and
  `client` (which records its calls). Nothing sleeps there. What a backend does not offer makes the
  test not applicable by itself; `not_applicable(reason)` is for the test's own reasons. A skip is
  a failure.
- The process layer borrows a `host`, starts a server and workers in it, and reads what they did in
  the `journal`. What a worker does is a module-level function that takes a
  `workers.WorkerContext`; `workers.follow` takes steps as data. What is to be done in the
  server's process is a module-level function that takes a `host.Agent`, run by `Host.call`.
  A host that a test has stopped, killed or disturbed is replaced afterwards without asking.
- What must come is waited for with `allowance.signal` beyond what the specification grants.
  What must not come is shown by a witness (`Server.pass_by`) rather than by waiting.
- Where a worker has to act before a timer expires, `patience.with_time_enough` tries again with
  more time when the machine was too slow. A test never passes or fails by the machine's speed.
- `measured(name, seconds)` puts a time into the report.
"""
