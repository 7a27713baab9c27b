"""How much of the reference implementation the conformance suite pins down.

Small errors are put into the reference implementation one by one, and the suite alone, without the
implementation's own tests, has to notice each of them. What it does not notice is a missing
requirement, a missing test, or code that could be written either way.

The errors are cosmic-ray's; they are made in copies of the project, never in the project itself.
"""
