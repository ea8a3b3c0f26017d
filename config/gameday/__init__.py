"""Game days: a fault, while orders keep coming, and what came of it (`manage.py gameday`, docs/gamedays.md).

Faults come from outside only: signals, the proxy between parts, SQL, the sandbox's own controls, and the
supervisor's channel. The product's code knows nothing of them. A scenario is data (`scenarios/`).
"""
