"""What is tried out in how the API answers (docs/flags.md)."""

from datetime import date

from resilience.flags import Flag, Guard

EARLY_ANSWERS = Flag(
    name="early-answers",
    owner="resilience",
    purpose="Answer a GET from the cache before the REST framework; off, its view does it.",
    safe=True,
    default=True,
    remove_by=date(2027, 3, 31),
    # Such an answer takes milliseconds; what takes this long has waited for something.
    guard=Guard(slow_after_s=0.25),
)
