"""Real processes under control: hosts and servers, their workers, and what may be done to them.

A test's side (`processes`, `servers`, `hosts`) talks to host processes (`host`), in which servers
run and whose children are the workers. The rest is what tests do to these, or see of them.
"""
