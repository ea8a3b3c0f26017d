"""Reconciliation: a gateway's list of movements beside our books, line by line, and our books beside it.

`matching` judges, `looking` asks the gateway about what differs, `books` reads what is ours, `missing` is
the other way round, `tally` counts. Whoever wants a pass calls `payments.services.reconcile_gateway`.
"""
