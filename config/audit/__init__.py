"""The auditor, put together: gateways' books, all contexts' checks, one snapshot (docs/audit.md)."""
