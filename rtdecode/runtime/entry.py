"""Entry of every process: command line and config in, exit code out."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rtdecode.runtime.clock import session_clock
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.control import TOKEN_VARIABLE
from rtdecode.runtime.extras import missing_extra_named
from rtdecode.runtime.keys import run_keys
from rtdecode.runtime.process import Process
from rtdecode.runtime.run_info import PAGE_VARIABLE, RunInfo, versions_here
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.stop import StoppedEarlyError, stop_on_signals, stop_with_parent
from rtdecode.schema.errors import DataLostError, RtdecodeError

log = logging.getLogger(__name__)


def run_process(name: str, main: Callable[[Process], int], argv: Sequence[str]) -> int:
    """Read the config, build the process `name`, run `main` with it; the exit code.

    An RtdecodeError is logged in one sentence and gives its own exit code. Any other exception is
    a bug and is raised with its trace.
    """
    args = _arguments(name, argv)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format=f"%(asctime)s {name} %(levelname)s %(message)s",
    )
    stop = stop_on_signals()
    alone = stop_with_parent(stop) if args.supervised else None
    try:
        config = read_config(args.config)
        run_info = RunInfo(
            args.session,
            args.revision,
            args.config.read_text(encoding="utf-8"),
            versions_here(),
            args.restarts,
            args.before_restart,
            # programs that this process starts need not know it
            os.environ.pop(TOKEN_VARIABLE, ""),
            os.environ.pop(PAGE_VARIABLE, ""),
        )
        with Messaging(run_keys(config)) as messaging:
            process = Process(
                name,
                config,
                run_info=run_info,
                messaging=messaging,
                stop=stop,
                clock=session_clock(config),
                alone=alone,
            )
            try:
                process.wait_for_clock()
                with process.failure_sent(), missing_extra_named():
                    code = main(process)
            finally:
                handed_over = process.hand_over()
                process.close()
            return code if handed_over else DataLostError.exit_code
    except StoppedEarlyError:
        log.info("stopped before the start")
        return 0
    except RtdecodeError as error:
        log.error("%s", error)
        return error.exit_code


def _arguments(name: str, argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("config", type=Path, help="YAML config of the run")
    parser.add_argument("--session", default="", help="name of the session")
    parser.add_argument("--revision", default="", help="git revision that is recorded")
    parser.add_argument("--supervised", action="store_true", help="end with the parent")
    parser.add_argument("--restarts", type=int, default=0, help="number of starts before this one")
    parser.add_argument("--before-restart", default="", help="last detail before a restart")
    return parser.parse_args(argv)
