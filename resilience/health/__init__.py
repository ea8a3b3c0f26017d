"""Whether this process is alive, and whether it should be given traffic.

The danger: a probe that asks the database makes a slow database look like dead processes, and the
restarts finish it off. So no probe does I/O: both read memory, and answer whatever hangs.
"""
