"""Built-in venues, each a plugin like any other.

They import only what ``polycore`` exports; the core must reach them by name alone.
"""
