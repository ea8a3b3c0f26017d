"""The lab's page: an experiment of `resilience.lab` with its settings as sliders, run on the server.

The danger: a page that computes for seconds takes the interpreter from orders. So a run has a process of
its own that gives way, one at a time per web process, and is cut off after its time (`apart`, `desk`).
"""
