"""The shared words of polycore: identifiers, money, markets, events and intents.

Owns the values that travel between components. Imports nothing from polycore, does no I/O, reads no clock.
"""
