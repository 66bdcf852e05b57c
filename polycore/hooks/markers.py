"""The two pluggy markers: ``hookimpl`` for plugins, ``hookspec`` for the core."""

import pluggy

PROJECT = "polycore"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
