"""The contract with plugins: hook specifications, registries, and the loading of plugins by name.

Owns what a plugin may implement and how it is verified. Must not deliver events or know a venue.
"""
