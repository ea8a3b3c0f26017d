"""The quarter of shared/data, replayed, and counted three ways that have to agree (docs/reports.md)."""
