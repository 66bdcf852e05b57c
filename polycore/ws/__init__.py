"""Bytes in, bytes out: the sockets, kept alive and subscribed to what is wanted.

Owns connections, heartbeats, retries and subscriptions. Must not read frames (a venue's ``Channel`` does), apply
events, or know a venue.
"""
