"""What is installed, read from metadata: which distribution claims which plugin name.

Owns the finding of a plugin by name. Must not import one: it works with every plugin broken.
"""

from collections.abc import Iterable
from importlib.metadata import Distribution, EntryPoint, distributions

from msgspec import Struct

from polycore.errors import PluginError
from polycore.hooks.markers import PROJECT


class Claim(Struct, frozen=True):
    """One distribution's claim to one plugin name."""

    name: str
    distribution: str
    version: str
    module: str
    summary: str
    entry_point: EntryPoint


class InstalledPlugins:
    """Every claim to a name in the entry-point group ``polycore``.

    ``found`` are the distributions to look at; by default those on the import path. An empty list discovers nothing.
    """

    def __init__(self, found: Iterable[Distribution] | None = None) -> None:
        self._claims: dict[str, list[Claim]] = {}
        seen: set[str] = set()
        for distribution in distributions() if found is None else found:
            name = distribution.metadata["Name"]
            # The import path may list one distribution twice; what is imported is the first.
            if name is None or name.lower() in seen:
                continue
            seen.add(name.lower())
            for entry in distribution.entry_points:
                if entry.group == PROJECT:
                    self._claims.setdefault(entry.name, []).append(_claim(distribution, entry))

    @property
    def names(self) -> list[str]:
        """Names of installed plugins, sorted."""
        return sorted(self._claims)

    def claims(self) -> list[Claim]:
        """Every claim, by name and distribution: two of one name are a fault that :meth:`find` tells."""
        return sorted(
            (claim for claims in self._claims.values() for claim in claims),
            key=lambda claim: (claim.name, claim.distribution),
        )

    def find(self, name: str) -> Claim:
        """The one claim to a name. Raises ``PluginError`` when nobody or more than one distribution claims it."""
        claims = self._claims.get(name, [])
        if len(claims) == 1:
            return claims[0]
        if claims:
            rivals = " and ".join(sorted(f"{claim.distribution} {claim.version}" for claim in claims))
            raise PluginError(f"plugin {name} is claimed by {rivals}; uninstall all but the one you trust")
        raise PluginError(f"plugin {name} is not installed; installed: {', '.join(self.names) or 'none'}")

    def owner(self, strategy: str) -> str | None:
        """The installed plugin to which a strategy's name belongs: its own name, or the longest that begins it."""
        owners = [name for name in self._claims if strategy == name or strategy.startswith((f"{name}_", f"{name}-"))]
        return max(owners, key=len, default=None)


def _claim(distribution: Distribution, entry: EntryPoint) -> Claim:
    metadata = distribution.metadata
    return Claim(entry.name, metadata["Name"], distribution.version, entry.value, metadata["Summary"] or "", entry)
