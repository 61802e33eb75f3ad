"""`python -m sandbox.load URL`: steady traffic with a line per second.

Owns the command line. Must not: hold behaviour of the generator.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from dataclasses import asdict

from sandbox.load.result import Second
from sandbox.load.running import run
from sandbox.load.view import second_line, summary
from sandbox.load.wire import Target, Unusable


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.load", description="Steady HTTP traffic that never retries.")
    parser.add_argument("url", help="http:// URL; with --proxy a name of the cluster, such as http://web.shop/")
    parser.add_argument("--host", default="", help="Host header to send")
    parser.add_argument("--proxy", default="", help="HTTP proxy, such as the gateway's that knows the names of the cluster")
    parser.add_argument("--header", action="append", default=[], help="NAME=VALUE; may be repeated")
    parser.add_argument("--rps", type=float, default=50, help="requests per second (default 50)")
    parser.add_argument("--seconds", type=float, help="how long; until interrupted when not given")
    parser.add_argument("--json", action="store_true", help="print each second, and at the end all, as JSON")
    return parser.parse_args()


async def _main(arguments: argparse.Namespace) -> int:
    headers = dict(text.split("=", 1) for text in arguments.header)
    target = Target(url=arguments.url, host=arguments.host, proxy=arguments.proxy, headers=headers)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def show(second: Second) -> None:
        print(json.dumps(asdict(second)) if arguments.json else second_line(second), flush=True)

    found = await run(target, rps=arguments.rps, stop=stop, on_second=show, seconds=arguments.seconds)
    content = {key: value for key, value in asdict(found).items() if key not in ("seconds", "by_version_status")}
    print(json.dumps(content) if arguments.json else summary(found))
    return 1 if found.lost else 0


def main() -> None:
    """Send until interrupted; exit code 1 when requests were lost."""
    try:
        sys.exit(asyncio.run(_main(_arguments())))
    except (Unusable, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
