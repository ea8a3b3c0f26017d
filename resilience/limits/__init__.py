"""Limits: how many at once, how much under overload, how often by whom.

The danger: without them a slow dependency, a crowd or one client takes what all others need (docs/limits.md).
"""

from resilience.limits.bulkhead import Bulkhead, BulkheadReading, bulkhead_readings
from resilience.limits.errors import BulkheadFull

__all__ = ["Bulkhead", "BulkheadFull", "BulkheadReading", "bulkhead_readings"]
