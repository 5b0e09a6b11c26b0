"""
Measures this service and Postfix as relays, side by side, in one run.

    python bench/relay.py [--quick] [--only postfix|smtpeter] [--json FILE]

Both servers take mail by STARTTLS and AUTH from one generator, at 20 sessions, and give it in
clear text to one sink. Each has one core, the same one; generator and sink share another. Postfix
runs from a private directory with Debian's default settings, which needs root. Exit status 1: a
message was refused, lost, or arrived twice, or a server did not start.
"""

import argparse
import contextlib
import json
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import command
from bench.certificate import write_certificate
from bench.daemon import Daemon
from bench.load import Reuse
from bench.machine import LOAD_CORE, filesystem_type
from bench.phase import Scenario, Stand
from bench.postfix import Postfix
from bench.report import Report
from bench.run import Plan, Run, Spoiled
from bench.server import Server
from bench.worker import GeneratorWorker, SinkWorker


def main() -> int:
    options = _parser().parse_args()
    return command.run("relay.py", [LOAD_CORE], lambda: _measure(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measures this service and Postfix as relays, side by side."
    )
    command.add_server_options(parser)
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round: under a minute, and rough")
    add("--sizes", default="4,40", metavar="KIB,...", help="of messages (default 4,40)")
    add("--reuse", choices=[reuse.value for reuse in Reuse], help="one kind of connection only")
    add("--messages", type=int, metavar="N", help="of a phase; default: what takes 5 seconds")
    add("--resume", action="store_true", help="the generator resumes TLS sessions")
    add("--keep", action="store_true", help="leave there what the servers wrote")
    add("--postfix-log", type=Path, metavar="FILE", help="of Postfix; costs it some speed")
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    reuses = [Reuse(options.reuse)] if options.reuse else list(Reuse)
    return Plan(
        scenarios=[
            Scenario(int(float(size) * 1024), reuse)
            for size in options.sizes.split(",")
            for reuse in reuses
        ],
        rounds=options.rounds or (1 if options.quick else 3),
        saturated_seconds=1.2 if options.quick else 5.0,
        fixed_rate_seconds=1.2 if options.quick else 3.5,
        messages=options.messages,
    )


def _servers(options: argparse.Namespace, base: Path, sink_port: int) -> list[Server]:
    certificate = write_certificate(base)
    servers: list[Server] = []
    if options.only != "postfix":
        servers.append(Daemon(base / "smtpeter", certificate, sink_port, options.profile))
    if options.only != "smtpeter":
        settings, log_file = options.postfix_set, options.postfix_log
        servers.append(Postfix(base / "postfix", certificate, sink_port, settings, log_file))
    return servers


def _measure(options: argparse.Namespace) -> int:
    plan = _plan(options)
    began_at = time.monotonic()
    with contextlib.ExitStack() as cleaning:
        base = Path(tempfile.mkdtemp(prefix="smtpeter-bench-", dir=options.dir))
        if options.keep:
            print(f"queues, databases and logs stay in {base}", file=sys.stderr)
        else:
            cleaning.callback(shutil.rmtree, base)
        base.chmod(0o755)  # Postfix's processes run as another user
        sink = cleaning.enter_context(SinkWorker())
        generator = cleaning.enter_context(GeneratorWorker())
        servers = _servers(options, base, sink.port)
        for server in servers:
            cleaning.callback(server.stop)
            server.start()
        stand = Stand(generator, sink, resume=options.resume)
        run = Run(plan, stand, servers)
        spoiled = ""
        try:
            run.run()
        except Spoiled as error:
            spoiled = "\n".join(
                [str(error), *(f"{server.name}: {server.last_words()}" for server in servers)]
            )
        for server in servers:
            server.stop()
        late = len(stand.late_arrivals().ids)
        report = Report(run, _surroundings(options, base, servers))
    faults = report.faults()
    if late:
        faults.append(f"FAULT: {late} messages arrived after the end, a second time or very late")
    if spoiled:
        faults.append(f"FAULT: the run was given up: {spoiled}")
    print(report.text())
    if options.json is not None:
        document = report.json() | {"faults": faults}
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(f"\n{time.monotonic() - began_at:.0f} s in all", file=sys.stderr)
    print("\n".join(faults) or "\nEvery accepted message arrived exactly once.")
    return 1 if faults else 0


def _surroundings(options: argparse.Namespace, base: Path, servers: list[Server]) -> dict[str, str]:
    return {
        "servers": ", ".join(server.version() for server in servers),
        "machine": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "file system": filesystem_type(base),
        "TLS": "sessions resumed" if options.resume else "a full handshake per connection",
        "Postfix settings": ", ".join(options.postfix_set) or "Debian's defaults",
        "when": time.strftime("%Y-%m-%d %H:%M %z"),
    }


if __name__ == "__main__":
    sys.exit(main())
