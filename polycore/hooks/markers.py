"""The two pluggy markers: ``hookimpl`` for plugins, ``hookspec`` for the core.

Owns the name of the project in pluggy and in the entry points. Must not import anything of the core.
"""

import pluggy

PROJECT = "polycore"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
