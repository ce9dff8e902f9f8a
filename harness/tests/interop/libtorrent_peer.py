"""A libtorrent peer that a test drives: it seeds or downloads one torrent.

It prints one JSON object a line: {"listening": PORT} first, then a line for
every change of progress, and {"done": true} once it has everything that was
asked for. It ends when its standard input is closed, or by itself at the
share of the pieces given with --stop-at.
"""

import argparse
import json
import select
import sys
import time

import libtorrent as lt


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("source", help="a .torrent file or a magnet link")
    parser.add_argument("dir")
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--seed-mode", action="store_true", help="take the files to be right")
    parser.add_argument("--forced-encryption", action="store_true")
    parser.add_argument("--no-trackers", action="store_true")
    parser.add_argument("--no-pex", action="store_true")
    parser.add_argument("--stop-at", type=float, help="end at this share of the pieces, resume data written")
    parser.add_argument("--download-limit", type=int, default=0, help="bytes per second")
    parser.add_argument("--upload-limit", type=int, default=0, help="bytes per second")
    return parser.parse_args()


def settings(args):
    chosen = {
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "allow_multiple_connections_per_ip": True,
        "alert_mask": lt.alert.category_t.error_notification,
        "download_rate_limit": args.download_limit,
        "upload_rate_limit": args.upload_limit,
        # TCP alone: the test is about the protocol above it.
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "min_reconnect_time": 1,
        "peer_connect_timeout": 5,
    }
    if args.forced_encryption:
        chosen["out_enc_policy"] = int(lt.enc_policy.forced)
        chosen["in_enc_policy"] = int(lt.enc_policy.forced)
        chosen["allowed_enc_level"] = int(lt.enc_level.rc4)
    return chosen


def limit_local_peers(session):
    """Peers of this machine are exempt from limits unless they are put into the class of all others."""
    everyone = lt.ip_filter()
    everyone.add_rule("0.0.0.0", "255.255.255.255", 1 << lt.session.global_peer_class_id)
    session.set_peer_class_filter(everyone)


def say(**what):
    print(json.dumps(what), flush=True)


def add(session, args):
    if args.source.startswith("magnet:"):
        params = lt.parse_magnet_uri(args.source)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(args.source)
    params.save_path = args.dir
    params.flags &= ~lt.torrent_flags.auto_managed
    params.flags &= ~lt.torrent_flags.paused
    if args.seed_mode:
        params.flags |= lt.torrent_flags.seed_mode
    if args.no_pex:
        params.flags |= lt.torrent_flags.disable_pex
    handle = session.add_torrent(params)
    if args.no_trackers:
        handle.replace_trackers([])
    for peer in args.peer:
        host, port = peer.rsplit(":", 1)
        handle.connect_peer((host, int(port)))
    return handle


def main():
    args = options()
    session = lt.session(settings(args))
    limit_local_peers(session)
    while session.listen_port() == 0:
        time.sleep(0.01)
    handle = add(session, args)
    say(listening=session.listen_port())
    told, done = None, False
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], 0.05)
        if ready and not sys.stdin.readline():
            return
        for alert in session.pop_alerts():
            print(alert, file=sys.stderr)
        status = handle.status()
        now = {
            "state": str(status.state),
            "progress": round(status.progress, 4),
            "pieces": status.num_pieces,
            "peers": status.num_peers,
            "downloaded": status.total_payload_download,
            "uploaded": status.total_payload_upload,
            "encrypted": sum(1 for peer in handle.get_peer_info() if peer.flags & lt.peer_info.rc4_encrypted),
        }
        if now != told:
            say(**now)
            told = now
        if args.stop_at is not None and status.progress >= args.stop_at:
            handle.pause()
            handle.flush_cache()
            time.sleep(0.5)
            say(stopped=True)
            return
        if status.is_seeding and not done:
            done = True
            handle.flush_cache()
            say(done=True)


main()
