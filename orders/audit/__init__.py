"""What orders promise, as checks: orders and their sagas (O), stock (I). Importing it registers them."""

from orders.audit import lives, sagas, stock

__all__ = ["lives", "sagas", "stock"]
