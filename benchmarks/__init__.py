"""Orders settled per second, beside peers that do the same work on the same servers in the same run."""
