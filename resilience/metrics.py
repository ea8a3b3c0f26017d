"""What the tools of `resilience/` measure."""

from resilience.telemetry import Kind, Metric, declare

declare(
    Metric(
        "saga_steps_total",
        Kind.COUNTER,
        unit="steps",
        help="Steps of sagas that were taken, by what came of them.",
        labels=("definition", "step", "direction", "outcome"),
        series_max=400,
    ),
    Metric(
        "telemetry_slots_merged_total",
        Kind.COUNTER,
        unit="slots",
        help="Times that a process, cut off from the database, put two slots of ten seconds together.",
    ),
)
