"""Reports: questions about sales and payments, answered from the lake (docs/reports.md)."""
