"""Past orders fed through the public API of a running stack (`manage.py replay`, docs/replay.md).

It knows the platform as any client does: over HTTP. Reading, mapping, sending, settling and reporting
are a module each; `run` puts them together.
"""
