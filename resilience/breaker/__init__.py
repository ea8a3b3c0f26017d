"""Circuit breakers: a dependency that is down is not called, by any process, and comes back gently."""
