"""The warehouse: DuckDB over the lake, as a star of orders, lines, payments, refunds (docs/warehouse.md)."""

from analytics.warehouse.asking import Answer, QueryFailedError, ask, open_warehouse

__all__ = ["Answer", "QueryFailedError", "ask", "open_warehouse"]
