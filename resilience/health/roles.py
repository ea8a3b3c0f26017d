"""Whether somebody does the work of each role, told by the signs of life (resilience/signs.py)."""

from resilience.health.check import Check, Finding, Scope, Status, at_least, register
from resilience.signs import signs


def register_role(role: str, *, silence_s_max: float, meaning: str) -> None:
    """Check that somebody does the work of `role`, at least every `silence_s_max` seconds."""

    def look() -> Finding:
        if signs.all_signs() is None:
            return Finding(Status.WARN, output="Not known: Redis does not answer.")
        age_s = signs.age_s(role)
        if age_s is None:
            return Finding(Status.FAIL, output=f"No {role} has shown itself.")
        return at_least(
            age_s,
            warn=silence_s_max,
            fail=2 * silence_s_max,
            unit="s",
            output=f"No {role} did any work for {age_s:.0f} s.",
        )

    register(
        Check(
            name=f"{role}:last_work_s",
            component_type="system",
            scope=Scope.SHARED,
            is_hard=False,
            meaning=meaning,
            look=look,
        )
    )
