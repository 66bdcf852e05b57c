"""The command ``polycore``: subcommands loaded when they are named, and every mistake told in one clear message.

Owns exit statuses: 0 done, 1 unexpected, 2 the user's to repair, 130 interrupted. ``--help`` imports no plugin and no
subcommand. The one ``except Exception`` of the command line is here.
"""

import difflib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import version

import click

from polycore.errors import PolycoreError, UsageError

UNEXPECTED, TO_REPAIR, INTERRUPTED = 1, 2, 130

_COMMANDS = {
    "run": "Trade: on the local exchange by default, with no keys and no internet.",
    "exchange": "Serve the local exchange for any client of the venue.",
    "markets": "List markets: of the bundled recordings, or of a running exchange.",
    "recordings": "List recordings and verify their books against the venue's hashes.",
    "plugins": "List installed plugins, or show one with its hooks and settings.",
    "settings": "Show or check the settings of a run.",
}


class _Commands(click.Group):
    """The built-in commands, each in a module of its name, and one group for each installed plugin that is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _COMMANDS:
            command: click.Command = getattr(import_module(f"polycore.cli.{cmd_name}"), cmd_name)
            return command
        return _plugin_group(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None and not name.startswith("-"):
            nearest = difflib.get_close_matches(name, _COMMANDS, n=1)
            hint = (
                f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(_COMMANDS)}, and installed plugins"
            )
            ctx.fail(f"no command {name}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))
        formatter.write_paragraph()
        formatter.write_text("polycore PLUGIN --help shows the commands of an installed plugin, if it has any.")


@click.group(
    cls=_Commands,
    name="polycore",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(version=version("polycore-trading"), prog_name="polycore", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and the log at debug level.")
def polycore(debug: bool) -> None:
    """Event-driven trading on prediction markets, with plugins.

    \b
    polycore run --plugins mm,arb                      trade a recording on the local exchange
    polycore run --plugins mm --settings my.toml       with settings of your own
    polycore plugins info mm                           what a plugin does and what can be set
    """
    if debug:
        logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("polycore").setLevel(logging.DEBUG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status. An error is one message on standard error, never a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = polycore.main(args=words, prog_name="polycore", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        click.echo("polycore: interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        return _tell_usage(error)
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does; say nothing more, not even when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNEXPECTED
    except Exception as error:
        return _tell(error, debug="--debug" in words)


def _tell_usage(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return TO_REPAIR
    path = context.command_path if context else "polycore"
    click.echo(f"{path}: {error.format_message()}", err=True)
    if context:
        click.echo(f"{path} --help shows what it takes", err=True)
    return TO_REPAIR


def _tell(error: Exception, debug: bool) -> int:
    """Say what happened: our own errors by their message, anything else as unexpected."""
    if debug:
        logging.getLogger("polycore.cli").debug("the command failed", exc_info=error)
    leaves = list(_leaves(error))
    if all(isinstance(leaf, PolycoreError) for leaf in leaves):
        for leaf in leaves:
            click.echo(f"polycore: {leaf}", err=True)
        return TO_REPAIR
    for leaf in leaves:
        cure = "" if debug else "; for the traceback put --debug before the command: polycore --debug …"
        click.echo(f"polycore: unexpected {type(leaf).__name__}: {leaf}{cure}", err=True)
    return UNEXPECTED


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group of them, as the end of several tasks brings, or the one that it is."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _plugin_group(name: str) -> click.Group | None:
    """The commands of an installed plugin: it is imported only because it was named. ``None`` when there is none."""
    from polycore.hooks.manager import PluginManager

    manager = PluginManager()
    if name not in manager.installed.names:
        return None
    group = click.Group(name, help=f"Commands of the plugin {name}.")
    manager.add_commands(name, group)
    if not group.commands:
        raise UsageError(f"plugin {name} has no commands; to trade with it: polycore run --plugins {name}")
    return group
