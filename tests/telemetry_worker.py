"""What the Celery worker of a test counts; `celery -A config worker --include tests.telemetry_worker`."""

from celery import shared_task

from resilience.telemetry import counter, histogram

QUEUE = "telemetry-test"


@shared_task(name="tests.telemetry.accept")
def accept(orders: int) -> None:
    """Count as the API does when it accepts orders."""
    for _ in range(orders):
        counter("orders_accepted_total", currency="EUR").add(1)
        histogram("http_request_s", method="GET", route="/livez", status="2xx").observe(0.003)
