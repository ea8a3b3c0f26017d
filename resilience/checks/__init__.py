"""Django system checks: settings with which this platform would break its promises are refused.

Each has lost somebody a message, a connection or a payment (docs/operations.md). `manage.py check`
runs them; `manage.py check --database default --database replica` asks the servers as well.
"""

from resilience.checks import broker, caches, databases, flags, idempotency, production, retries

__all__ = ["broker", "caches", "databases", "flags", "idempotency", "production", "retries"]
