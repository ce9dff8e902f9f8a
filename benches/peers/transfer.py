#!/usr/bin/env python3
"""Moves one file between BitTorrent clients over loopback, ours among them.

Each pair of seed and leecher is run several times, in turns, on the same
machine, and the medians are printed side by side: payload rate, start to exit
of the leecher's command, start to first payload, CPU seconds of both, and the
leecher's peak of anonymous memory. A seed's CPU seconds are taken apart: what
it spent until it served (it starts, and hashes its file, which all do alike),
and what it spent from then on. "CPU s per GiB" is the seed from then on and the
leecher from its start to its end; "with the check" adds what came before. Rates are taken from the file itself, the
same for every client: from the first block on disk until the last one.

    cargo build --release
    benches/peers/transfer.py --dir /dev/shm

Needs aria2, rtorrent, opentracker and mktorrent (Debian packages) and
libtorrent's Python bindings (`pip install libtorrent`).
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIBTORRENT = ROOT / "harness/tests/interop/libtorrent_peer.py"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(holds, what, seconds=120):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.01)


class Client:
    """A running client: watched for memory, its CPU time read at its end."""

    def __init__(self, command, keep_stdin=False, env=None):
        self.began = time.monotonic()
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE if keep_stdin else subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        self.anonymous_kib = 0
        self.seconds = None
        self.cpu = None
        self.cpu_before = 0.0
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        path = f"/proc/{self.process.pid}/status"
        while self.cpu is None:
            try:
                for line in open(path):
                    if line.startswith("RssAnon:"):
                        self.anonymous_kib = max(self.anonymous_kib, int(line.split()[1]))
            except OSError:
                return
            time.sleep(0.02)

    def is_ready(self):
        """From now on it serves: what it took before was not the transfer."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        self.cpu_before = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def reap(self):
        """Waits for the end, and reads what the run took."""
        _, _, usage = os.wait4(self.process.pid, 0)
        self.seconds = time.monotonic() - self.began
        self.cpu = usage.ru_utime + usage.ru_stime
        self.process.returncode = 0
        return self

    def end(self):
        """Asks it to end."""
        if self.cpu is None:
            if self.process.stdin:
                self.process.stdin.close()
            else:
                self.process.send_signal(signal.SIGINT)
            self.reap()
        return self

    def printed(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")


class Stage:
    """The torrent, its files and the tracker, for all runs."""

    def __init__(self, args, work):
        self.work = work
        self.overlab = args.overlab
        self.size = args.mib * 2**20
        self.source = work / "source"
        self.source.mkdir()
        with open(self.source / "payload.bin", "wb") as file:
            for _ in range(args.mib):
                file.write(os.urandom(2**20))
        self.tracker_port = free_port()
        self.torrent = work / "payload.torrent"
        announce = f"http://127.0.0.1:{self.tracker_port}/announce"
        log2 = (args.piece_kib * 1024).bit_length() - 1
        command = ["mktorrent", "-a", announce, "-l", str(log2), "-o", self.torrent, "payload.bin"]
        subprocess.run(command, cwd=self.source, check=True, stdout=subprocess.DEVNULL)
        self.tracker = self.start_tracker()

    def start_tracker(self):
        import libtorrent

        root = self.work / "tracker"
        root.mkdir()
        hash_ = str(libtorrent.torrent_info(str(self.torrent)).info_hash())
        (root / "white-list").write_text(hash_ + "\n")
        port = str(self.tracker_port)
        white_list = "/white-list" if os.getuid() == 0 else root / "white-list"
        return Client(["opentracker", "-i", "127.0.0.1", "-p", port, "-P", port, "-d", root, "-w", white_list])

    def seed(self, kind):
        """A running, checked seed and its address."""
        port = free_port()
        if kind == "ours":
            # All hash their files, so that ours does so each time, too.
            for claim in self.source.glob(".*.resume"):
                claim.unlink()
            address = f"127.0.0.1:{port}"
            command = [self.overlab, "seed", self.torrent, "--dir", self.source, "--listen", address, "--json", "-"]
            client = Client(command)
            wait_for(lambda: '"listening"' in client.printed(), "our seed")
        elif kind == "libtorrent":
            client = Client([sys.executable, LIBTORRENT, self.torrent, self.source], keep_stdin=True)
            wait_for(lambda: '"done"' in client.printed(), "libtorrent's seed")
            port = json.loads(client.printed().splitlines()[0])["listening"]
        elif kind == "aria2":
            client = Client(self.aria2(self.source, port, ["--seed-ratio=0.0", "--check-integrity=true"]))
            wait_for(lambda: self.is_open(port), "aria2's seed")
            time.sleep(3)
        elif kind == "rtorrent":
            client = Client(self.rtorrent(self.source, port), env={"TERM": "dumb"})
            wait_for(lambda: self.is_open(port), "rTorrent's seed")
            time.sleep(5)
        client.is_ready()
        return client, f"127.0.0.1:{port}"

    def leech(self, kind, target, peer):
        """A leecher that ends, or is ended, once it has everything."""
        port = free_port()
        if kind == "ours":
            command = [self.overlab, "get", self.torrent, "--dir", target, "--listen", f"127.0.0.1:{port}"]
            return Client([*command, "--peer", peer, "--exit-when-done", "--quiet"])
        if kind == "libtorrent":
            command = [sys.executable, LIBTORRENT, self.torrent, target, "--peer", peer, "--no-trackers"]
            return Client(command, keep_stdin=True)
        if kind == "aria2":
            return Client(self.aria2(target, port, ["--seed-time=0"]))
        return Client(self.rtorrent(target, port), env={"TERM": "dumb"})

    def aria2(self, directory, port, options):
        return [
            *["aria2c", "--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"],
            *["--file-allocation=none", "--allow-overwrite=true", "--summary-interval=0", "--bt-max-peers=0"],
            *["--console-log-level=warn", f"--listen-port={port}", f"--dir={directory}", *options, self.torrent],
        ]

    def rtorrent(self, directory, port):
        session = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        options = {
            "system.daemon.set": "true",
            "network.port_range.set": f"{port}-{port}",
            "network.bind_address.set": "127.0.0.1",
            "directory.default.set": directory,
            "session.path.set": session,
            "dht.mode.set": "disable",
            "pieces.hash.on_completion.set": "no",
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        return ["rtorrent", "-n", *words, "-o", f"load.start={self.torrent}"]

    @staticmethod
    def is_open(port):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return True
        except OSError:
            return False


def stored(path):
    """Bytes of the file that are on disk: sparse files grow as they are written."""
    try:
        return os.stat(path).st_blocks * 512
    except OSError:
        return 0


def run(stage, seed_kind, leech_kind, leechers=1):
    """One transfer: a row of figures."""
    seed, peer = stage.seed(seed_kind)
    targets = [pathlib.Path(tempfile.mkdtemp(dir=stage.work)) for _ in range(leechers)]
    began = time.monotonic()
    clients = [stage.leech(leech_kind, target, peer) for target in targets]
    files = [target / "payload.bin" for target in targets]
    first = None
    while not all(stored(file) >= stage.size for file in files):
        if first is None and any(stored(file) > 0 for file in files):
            first = time.monotonic()
        if time.monotonic() - began > 180:
            raise SystemExit(f"{seed_kind} to {leech_kind} does not end:\n{clients[0].printed()[-2000:]}")
        time.sleep(0.002)
    last = time.monotonic()
    for client in clients:
        if leech_kind == "libtorrent":
            wait_for(lambda client=client: '"done"' in client.printed(), "libtorrent's end")
            client.end()
        elif leech_kind == "rtorrent":
            client.end()
        else:
            client.reap()
    seed.end()
    source = stage.source / "payload.bin"
    for file in files:
        subprocess.run(["cmp", source, file], check=True)
    for target in targets:
        shutil.rmtree(target)
    first = first or began
    return {
        "rate": leechers * stage.size / (last - first) / 1e6,
        "whole": max(client.seconds for client in clients),
        "first": first - began,
        "check_cpu": seed.cpu_before,
        "seed_cpu": seed.cpu - seed.cpu_before,
        "leech_cpu": sum(client.cpu for client in clients) / leechers,
        "anonymous": max(client.anonymous_kib for client in clients) / 1024,
    }


PAIRS = [
    ("ours", "ours"),
    ("rtorrent", "libtorrent"),
    ("aria2", "libtorrent"),
    ("libtorrent", "libtorrent"),
    ("ours", "libtorrent"),
    ("libtorrent", "ours"),
    ("aria2", "ours"),
    ("rtorrent", "ours"),
    ("aria2", "aria2"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default="/dev/shm", help="where the files lie: a file system in memory")
    parser.add_argument("--overlab", default=ROOT / "target/release/overlab", type=pathlib.Path)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--piece-kib", type=int, default=256)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--pair", action="append", help="SEED:LEECHER, repeatable (all)")
    parser.add_argument("--four", action="store_true", help="one seed to four leechers of the same kind")
    args = parser.parse_args()
    pairs = [tuple(pair.split(":")) for pair in args.pair or []] or PAIRS
    leechers = 1
    if args.four:
        leechers = 4
        pairs = [tuple(pair.split(":")) for pair in args.pair or []] or [("ours", "ours"), ("aria2", "aria2")]
    work = pathlib.Path(tempfile.mkdtemp(prefix="overlab-peers-", dir=args.dir))
    work.chmod(0o755)
    try:
        stage = Stage(args, work)
        rows = {pair: [] for pair in pairs}
        for _ in range(args.runs):
            for pair in pairs:
                rows[pair].append(run(stage, *pair, leechers=leechers))
        stage.tracker.end()
    finally:
        shutil.rmtree(work)
    print(f"{args.mib} MiB in pieces of {args.piece_kib} KiB, medians of {args.runs}, {leechers} leecher(s)\n")
    print("| seed to leecher | MB/s | start to exit s | start to first payload s | CPU s check + seed / leecher | CPU s per GiB | with the check | anonymous MiB |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for (seed, leech), figures in rows.items():
        for row in figures:
            copies = leechers * args.mib / 1024
            row["per_gib"] = (row["seed_cpu"] + leechers * row["leech_cpu"]) / copies
            row["all_per_gib"] = row["per_gib"] + row["check_cpu"] / copies
        middle = {key: statistics.median(row[key] for row in figures) for key in figures[0]}
        print(
            f"| {seed} to {leech} | {middle['rate']:.0f} | {middle['whole']:.2f} | {middle['first']:.3f} "
            f"| {middle['check_cpu']:.2f} + {middle['seed_cpu']:.2f} / {middle['leech_cpu']:.2f} "
            f"| {middle['per_gib']:.2f} | {middle['all_per_gib']:.2f} | {middle['anonymous']:.0f} |"
        )


main()
