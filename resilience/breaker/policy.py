"""When a breaker opens, how long it stays so, and how it comes back."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BreakerPolicy:
    """The numbers of one breaker. Rates and shares are 0 to 1.

    `failing_share`: of the workers that report, as many (and never fewer than `failing_min`) must fail before
    the fleet opens, so that one broken worker stops only itself.
    """

    # Below this, a rate is an anecdote. Doubled, a quiet dependency is found dead by the streak only.
    calls_min: int = 10
    failure_rate: float = 0.5
    # A call that takes this long is slow; one that is still out by then counts at once.
    slow_call_s: float = 5.0
    slow_rate: float = 0.8
    # Failures in a row, whatever went well before; one that found nobody there counts twice. Without it, a
    # dependency that dies in full traffic is called until half a window has failed. At 2, one refused
    # connection in a restart opens.
    failures_in_row: int = 10
    failing_min: int = 2
    # With 100 workers that make 20 calls/s, 10 % are found within half a second; 20 % within one.
    failing_share: float = 0.1
    open_initial_s: float = 1.0
    # The other side is asked this rarely at the least; doubled, a recovery is noticed that much later.
    open_max_s: float = 10.0
    # No Retry-After holds longer: a mistake of the other side must not keep us away for a day.
    retry_after_max_s: float = 300.0
    probes_at_once: int = 2
    probes_needed: int = 3
    # For this long only reads probe, if there are any: a charge should not be the first to find out.
    reads_first_s: float = 1.0
    # A dead prober's lease is free again after this. Leases are renewed four times a second.
    lease_s: float = 2.0
    ramp_s: float = 10.0
    ramp_share_min: float = 0.1
    # 1: straight; above: steeper at the start (Envoy's slow start).
    ramp_aggression: float = 1.0
