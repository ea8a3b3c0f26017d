"""A TCP proxy between the parts of the stack, so that faults come from outside of them (docs/gamedays.md).

A process of its own (`python -m config.stack.proxy`) that knows nothing of what it carries: routes from a
port to a port, each with a behaviour that a control port on the loopback address changes while it runs.
"""
