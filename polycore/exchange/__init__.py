"""The local exchange: the venue's own interfaces on loopback, with real matching and real accounting.

Owns a second reading of the venue's protocol. It must share no code with ``polycore.venues``: each tests the other.
"""
