"""The exception tree, by what the reader must do.

::

    PolycoreError
    ├── SettingsError        fix the settings and start again
    ├── PluginError          fix or install the plugin and start again
    ├── RecordingError       the recording is not usable
    ├── UsageError           our caller broke a rule of the interface
    ├── LinkError            a connection failed; it is retried without you
    ├── VenueRefusal         the venue said no, with its status and its words
    ├── OutcomeUnknown       a request was sent and its answer is missing: it may have taken effect
    ├── ProtocolViolation    the venue sent what its protocol does not allow
    └── HookError            a plugin's hook raised; names the plugin

A message names the thing, what was found and what was expected, and the cure where there is one. Never a secret.
"""


class PolycoreError(Exception):
    """Root of the tree. ``str(error)`` is one message for a person."""


class SettingsError(PolycoreError):
    """A setting is unknown, of the wrong type or out of its range. Lists every fault found, not the first."""


class PluginError(PolycoreError):
    """A plugin is missing, fails to import or breaks the contract of the hooks."""


class RecordingError(PolycoreError):
    """A recording is missing, truncated or not of a known form."""


class UsageError(PolycoreError):
    """The interface was used against its contract, or a command line cannot be carried out."""


class LinkError(PolycoreError):
    """A connection could not be made or was lost."""


class VenueRefusal(PolycoreError):
    """The venue refused a request and proved it. ``status`` is the HTTP status, ``reason`` the venue's own words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the venue refused ({status}): {reason}")
        self.status = status
        self.reason = reason


class OutcomeUnknown(PolycoreError):
    """A request left and no readable answer came back. It must be looked up, never sent anew under a new name."""


class ProtocolViolation(PolycoreError):
    """The venue sent something its protocol does not allow."""


class HookError(PolycoreError):
    """A hook of a plugin raised. ``plugin`` is the instance's name, ``hook`` the hook's; the cause is chained."""

    def __init__(self, plugin: str, hook: str, cause: BaseException) -> None:
        super().__init__(f"{plugin}: {hook} raised {type(cause).__name__}: {cause}")
        self.plugin = plugin
        self.hook = hook
        self.__cause__ = cause
