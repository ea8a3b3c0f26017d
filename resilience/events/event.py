"""An event as its readers see it, and its CloudEvents envelope."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from resilience.events.payload import rfc3339

# CloudEvents orders `sequence` as text: ten digits are more events than one aggregate will ever have.
_SEQUENCE_DIGITS = 10


@dataclass(frozen=True)
class Event:
    """A published fact, read back. `data` is the payload as it was then, in plain JSON values.

    `client` is the API client whose aggregate it is, "" when it is nobody's. `replay`: it was handed over
    before, and is again because an operator said so.
    """

    id: UUID
    type: str
    version: int
    aggregate_type: str
    aggregate_id: UUID
    sequence: int
    data: Mapping[str, object]
    occurred_at: datetime
    recorded_at: datetime
    client: str = ""
    replay: bool = False

    def envelope(self) -> dict[str, object]:
        """Return the event in the JSON format of CloudEvents 1.0.

        `typeversion` is an extension of ours; `sequence` is CloudEvents' own, zero-padded.
        """
        return {
            "specversion": "1.0",
            "id": str(self.id),
            "source": f"/{self.aggregate_type}",
            "type": self.type,
            "typeversion": self.version,
            "subject": str(self.aggregate_id),
            "time": rfc3339(self.occurred_at),
            "sequence": f"{self.sequence:0{_SEQUENCE_DIGITS}d}",
            "datacontenttype": "application/json",
            "data": self.data,
        }
