"""Many worker processes that call one dependency, each behind a guard of its own."""
