"""A seed that lies: it answers every request, and every tenth block wrongly.

Usage: liar.py INFO_HASH FILE PIECE_LEN. It prints {"listening": PORT} and
serves one connection after another, each in a thread of its own.
"""

import json
import os
import socket
import struct
import sys
import threading


def exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def serve(connection, info_hash, path, piece_len, served):
    size = os.path.getsize(path)
    pieces = -(-size // piece_len)
    exactly(connection, 68)
    reserved = bytes(8)
    connection.sendall(b"\x13BitTorrent protocol" + reserved + info_hash + b"-LI0001-" + os.urandom(12))
    bits = bytearray(-(-pieces // 8))
    for piece in range(pieces):
        bits[piece // 8] |= 0x80 >> (piece % 8)
    connection.sendall(struct.pack(">IB", 1 + len(bits), 5) + bytes(bits))
    connection.sendall(struct.pack(">IB", 1, 1))
    with open(path, "rb") as file:
        while True:
            (length,) = struct.unpack(">I", exactly(connection, 4))
            body = exactly(connection, length)
            if not body or body[0] != 6:
                continue
            piece, begin, count = struct.unpack(">III", body[1:13])
            file.seek(piece * piece_len + begin)
            block = bytearray(file.read(count))
            served.append(1)
            if len(served) % 10 == 0:
                block[0] ^= 0xFF
            connection.sendall(struct.pack(">IBII", 9 + len(block), 7, piece, begin) + bytes(block))


def guarded(*arguments):
    try:
        serve(*arguments)
    except (EOFError, OSError):
        pass


def main():
    info_hash, path, piece_len = bytes.fromhex(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"listening": listener.getsockname()[1]}), flush=True)
    served = []
    while True:
        connection, _ = listener.accept()
        print(json.dumps({"connected": True}), flush=True)
        arguments = (connection, info_hash, path, piece_len, served)
        threading.Thread(target=guarded, args=arguments, daemon=True).start()


main()
