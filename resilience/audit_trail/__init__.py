"""Who did what, and why: what people (and guards) did, of all logs of it, in one order of time."""

from resilience.audit_trail.keeping import Deed, keep

__all__ = ["Deed", "keep"]
