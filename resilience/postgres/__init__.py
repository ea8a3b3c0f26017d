"""Django's PostgreSQL backend, made to follow a promotion (settings.DATABASES, ENGINE).

The danger: after a promotion a process goes on with connections to the old primary. A frozen one holds
its callers for ever, a demoted one answers every write with a bug's face, and one that came back unfenced
takes writes that nobody will ever see again (docs/operations.md).
"""
