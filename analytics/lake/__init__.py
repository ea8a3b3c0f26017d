"""The lake: every event once, in Parquet files by day and type, made visible by a manifest (docs/lake.md)."""
