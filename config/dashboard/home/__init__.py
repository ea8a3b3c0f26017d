"""The home page: one honest sentence, what is reduced, and how orders fare over time.

What is true now comes from this process's memory (the pulse), so it is right while a database hangs; what
was comes from the roll-ups on the replica, read once for everybody who looks.
"""
