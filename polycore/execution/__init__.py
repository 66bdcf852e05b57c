"""What leaves: checks, the difference between wanted and live quotes, the rate budget, sending, and what became of it.

Owns every decision to send and the record of what is in flight. Must not know a venue, own a socket or book a fill.
"""
