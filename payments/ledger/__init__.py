"""The double-entry ledger: facts become bookings, bookings are posted, and what is posted is sealed.

`facts` says what each money fact books, `posting` writes it, `sealing` chains it, `verify` doubts all of it.
"""
