"""Whether this process is alive, should get traffic, and what of the platform is reduced (docs/health.md).

The danger: a probe that asks the database makes a slow database look like dead processes, and the
restarts finish it off. So no probe does I/O: a look is made in the background, and probes read it.
"""
