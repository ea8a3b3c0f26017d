"""Whether somebody brings events into the lake."""

from resilience.health.roles import register_role

# Six batches of the default size in time (settings.LAKE_BATCH_S).
register_role(
    "exporter",
    silence_s_max=60.0,
    meaning="Reports and the warehouse show what was; orders do not notice, and nothing is lost.",
)
