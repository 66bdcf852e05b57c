"""Who hears what: events to the cache, then to each strategy through its own mailbox, and its intents onwards.

Owns routing, delivery order, the guard around every hook, and the booking of our orders and fills. Must not own a
socket, a venue or an order book, and never decides what may be sent.
"""
