"""Durable sagas: steps in order, compensation in reverse, leases with fences, one pivot."""
