"""What we believe: books, markets, our orders, our inventory.

Owns the one mutable picture of the world and its read-only views. One writer, the event loop; any number of readers, in
any thread. Must not do I/O, read a clock, or know a venue.
"""
