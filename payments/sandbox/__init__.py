"""A payment gateway to test against: Stripe's HTTP API, a durable book of its own, and faults on request.

It runs as its own process and imports nothing of the platform, so that its book can bear witness
against the platform. Guide: docs/sandbox.md.
"""
