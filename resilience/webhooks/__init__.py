"""Webhooks out: what happens to a client's orders and payments, posted to it (docs/webhooks.md)."""
