"""The command line: each command is one call of the package and a way of showing what it gave."""

import gc
import signal
import sys
from typing import NoReturn

import typer

from sim.cli import books, compared, judged, reports, runs, stored, sweeps, understood

__all__ = ["main"]

app = typer.Typer(
    help="AI-compute hardware forecast forward, with honest uncertainty.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for commands in (runs, understood, compared, reports, sweeps, stored, judged, books):
    app.add_typer(commands.app)

INTERRUPTED = 130
GARBAGE = (100_000, 20, 100)
"""Thresholds of Python's garbage collector: at its own, it looks a thousand times in vain while a run starts."""


def main() -> NoReturn:
    """Run the command line; an error of ours is one message and its exit code, without a traceback."""
    from sim.errors import ChipcastError

    gc.set_threshold(*GARBAGE)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments, prog_name="chipcast")
    except ChipcastError as error:
        if debug:
            raise
        print(f"chipcast: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
        raise SystemExit(1) from None
    except OSError as error:
        if debug:
            raise
        print(f"chipcast: {error}; choose another path", file=sys.stderr)
        raise SystemExit(2) from None
    except Exception as error:
        if debug:
            raise
        kind = type(error).__name__
        print(f"chipcast: internal error, please report it: {kind}: {error}; --debug shows where", file=sys.stderr)
        raise SystemExit(1) from None
    except SystemExit as end:  # typer's way to end, also after Ctrl-C
        if end.code == INTERRUPTED:
            print(f"chipcast: interrupted; {next(iter(notes(end)), 'run the same command again')}", file=sys.stderr)
        raise
    raise SystemExit(0)


def notes(error: BaseException | None) -> list[str]:
    """What was noted on an error, or on one that it came from."""
    found: list[str] = []
    while error is not None:
        found += getattr(error, "__notes__", [])
        error = error.__cause__ or error.__context__
    return found
