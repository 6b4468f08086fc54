"""What a person types. Commands parse, call, print and set the exit code; they decide nothing.

Only click is imported here: everything else is imported inside the command that needs it, so that --help is quick.
"""

import signal
import sys
from types import FrameType

import click

from newsletter import __version__
from newsletter.cli.bench import bench
from newsletter.cli.bounces import bounces
from newsletter.cli.doctor import doctor
from newsletter.cli.init import init
from newsletter.cli.issue import issue
from newsletter.cli.issues import build, send, status
from newsletter.cli.lint import lint
from newsletter.cli.papers import papers
from newsletter.cli.preview import preview
from newsletter.cli.run import run
from newsletter.cli.serve import serve
from newsletter.cli.subscribers import subscribers
from newsletter.cli.upgrade import upgrade
from newsletter.cli.worker import worker
from newsletter.errors import NewsletterError

INTERRUPTED = 130
CONFIG = click.Path(dir_okay=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", type=CONFIG, help="The settings file; newsletter.toml in this folder if there is one.")
@click.option("--debug", is_flag=True, help="Show the whole story of an unexpected fault.")
@click.version_option(__version__)
def cli(config: str | None, debug: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Send trending research papers to your readers, each issue once.

    With no settings it sends a sample issue into var/outbox:

      newsletter send
    """
    del config, debug  # read through the context by whoever needs them
    _show_warnings()


COMMANDS = (init, doctor, lint, preview, build, issue, send, status, run, serve, worker, upgrade)
for command in (*COMMANDS, papers, subscribers, bounces, bench):
    cli.add_command(command)


def main() -> None:
    """Run the command line and exit with one of the codes of errors.py."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(_run())


def _run() -> int:
    try:
        return int(cli.main(standalone_mode=False) or 0)
    except click.ClickException as fault:
        fault.show()
        return fault.exit_code
    except NewsletterError as fault:
        for line in str(fault).splitlines():
            _say(line)
        return fault.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted; nothing is lost, run the same command again")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; that is no fault
        return 0
    except Exception as fault:
        if "--debug" in sys.argv:
            raise
        return _unexpected(fault)


def _unexpected(fault: Exception) -> int:
    if isinstance(fault, OSError) and fault.strerror:
        _say(f"{fault.filename or 'system'}: {fault.strerror}; mend that and run again")
        return 5
    _say(f"unexpected fault, please report it: {type(fault).__name__}: {fault}; --debug shows where")
    return 5


def _say(line: str) -> None:
    click.echo(f"newsletter: {line}", err=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _show_warnings() -> None:
    import logging

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("newsletter: warning: %(message)s"))
    logging.getLogger("newsletter").addHandler(handler)
