"""
A private Postfix: its own configuration, queue and data directories; /etc/postfix is only read.

Durability and performance settings are Postfix's and Debian's defaults. What differs from them:

- nothing is chrooted, since the jail would have to be furnished first;
- limits per client address are off, since all sessions come from one;
- it takes mail from whoever logs in, over TLS only, and gives it in clear text to one smart host.

Its log goes to syslog as everywhere; whoever writes that down is not counted.
"""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from bench.certificate import Certificate
from bench.load import Target
from bench.machine import APART, free_port, pinned, tree_pids
from bench.server import ServerFailed, await_greeting

_USERNAME = "bench"
_REALM = "bench.example.org"
_PASSWORD = "seven green bottles"  # noqa: S105 (of a server that lives for minutes on loopback)
_START_SECONDS = 20.0
_STOP_SECONDS = 30.0

_MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
myhostname = postfix.bench.example.org
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
biff = no
append_dot_mydomain = no
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
recipient_delimiter = +
syslog_name = postfix-bench
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {base}/key.pem
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = {realm}
cyrus_sasl_config_path = {base}/etc/sasl
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_client_recipient_rate_limit = 0
smtpd_client_auth_rate_limit = 0
smtp_tls_security_level = none
relayhost = [127.0.0.1]:{sink_port}
"""

_MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""

_SASL_CONF = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN
sasldb_path: {base}/sasldb2
"""


class Postfix:
    """
    Implements server.Server.

    Args:
        base: an empty directory for all it needs, in one that everybody may enter.
        certificate: what it presents; the key is copied.
        sink_port: where the smart host listens on 127.0.0.1.
        settings: more lines of main.cf.
        log_file: let Postfix itself write its log here; for finding faults, since it costs.
        cores: where it runs.
    """

    name = "postfix"

    def __init__(
        self,
        base: Path,
        certificate: Certificate,
        sink_port: int,
        settings: Sequence[str] = (),
        log_file: Path | None = None,
        cores: Collection[int] = APART.servers,
    ) -> None:
        self._cores = cores
        self.target = Target(free_port(), _USERNAME, _PASSWORD)
        self._base = base
        self._configuration = base / "etc"
        extra = list(settings)
        if log_file is not None:
            directory = log_file.resolve().parent
            extra += [
                f"maillog_file = {log_file.resolve()}",
                f"maillog_file_prefixes = {directory}",
            ]
        self._furnish(certificate, sink_port, extra)

    def version(self) -> str:
        found = subprocess.run(
            ["postconf", "-d", "-h", "mail_version"], capture_output=True, text=True, check=True
        )
        return f"Postfix {found.stdout.strip()}"

    def start(self) -> None:
        with pinned(*self._cores):
            started = self._postfix("start")
        if started.returncode != 0 or not await_greeting(self.target.port, _START_SECONDS):
            raise ServerFailed(f"postfix: {started.stderr.strip() or 'no greeting'}")

    def stop(self) -> None:
        try:
            root = self.root_pid()
        except (FileNotFoundError, ValueError):
            return
        pids = tree_pids(root)
        if not pids:
            return
        self._postfix("stop")
        deadline = time.monotonic() + _STOP_SECONDS
        while tree_pids(root) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in tree_pids(root):
            os.kill(pid, signal.SIGKILL)

    def root_pid(self) -> int:
        return int((self._base / "queue" / "pid" / "master.pid").read_text("ascii"))

    def last_words(self) -> str:
        return "(it logs to syslog; --postfix-log makes a file of it)"

    def turns(self) -> None:
        return None

    def _postfix(self, command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["postfix", "-c", self._configuration, command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_STOP_SECONDS,
            check=False,
        )

    def _furnish(self, certificate: Certificate, sink_port: int, settings: Sequence[str]) -> None:
        """Write everything that it reads."""
        base = self._base
        owner = pwd.getpwnam("postfix")
        for name in ("etc", "etc/sasl", "queue", "data"):
            (base / name).mkdir(mode=0o755, parents=True)
        os.chown(base / "data", owner.pw_uid, owner.pw_gid)
        (base / "data").chmod(0o700)
        shutil.copy(certificate.key_file, base / "key.pem")
        main_cf = _MAIN_CF.format(
            base=base, certificate=certificate.certificate_file, realm=_REALM, sink_port=sink_port
        )
        (self._configuration / "main.cf").write_text("\n".join([main_cf, *settings, ""]), "utf-8")
        (self._configuration / "master.cf").write_text(
            _MASTER_CF.format(port=self.target.port), "utf-8"
        )
        # Debian's Postfix looks for it here, whatever cyrus_sasl_config_path says
        (base / "etc" / "sasl" / "smtpd.conf").write_text(_SASL_CONF.format(base=base), "utf-8")
        database = base / "sasldb2"
        subprocess.run(
            ["saslpasswd2", "-p", "-c", "-f", database, "-u", _REALM, _USERNAME],
            input=_PASSWORD.encode(),
            check=True,
        )
        os.chown(database, owner.pw_uid, owner.pw_gid)
