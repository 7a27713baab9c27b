"""The conformance suite: does a timer backend do what the specification demands?

Run it with `python -m elastic_timer_conformance --backend NAME`. To judge a backend of your own,
write a subclass of `elastic_timer_conformance.backend.Backend` and name it as `module:Class`.
"""
