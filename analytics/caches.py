"""What analytics keeps in the cache."""

from resilience.caching import Lifetime, Namespace, declare

REPORTS = declare(
    Namespace(
        name="report",
        owner="analytics",
        keyed_by=("client", "report", "what it is asked for"),
        voided_by=(),
        not_told="what is exported to the lake: a report is half a minute old",
        version=1,
    )
)
# As old as the lake's own batches and a little more; a report costs a tenth of a second and more.
FRESH = Lifetime(soft_s=30.0, grace_s=300.0, hard_s=3600.0)
