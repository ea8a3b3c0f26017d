"""Figures of the resilience tools, each beside a peer or a reference measured in the same run."""
