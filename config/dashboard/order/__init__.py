"""The page of one order: its money at a glance, its sagas drawn, and all that happened in order of time."""
