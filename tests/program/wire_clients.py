"""Clients of the three transports as bytes on sockets, for tests that leave in the middle: each begins one generation.

`model` may stay empty where the server has one only.
"""
import base64
import json
import os
import socket
import struct

PROMPT = "Tell me a long story about a fox."


def connect(address):
    return socket.create_connection(address, timeout=60)


def receive(connection):
    """What has come, or nothing when nothing more does."""
    connection.settimeout(1)
    try:
        return connection.recv(65536)
    except TimeoutError:
        return b""
    finally:
        connection.settimeout(60)


class Http:
    """One streamed or plain chat over HTTP; leaving is closing."""

    def __init__(self, address, stream, tokens, model=""):
        body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": tokens, "ignore_eos": True, "cache_prompt": False, "stream": stream}
        data = json.dumps(body).encode()
        self.socket = connect(address)
        self.socket.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(data) + data)

    def receive(self):
        return receive(self.socket)

    def leave(self, politely):
        self.socket.close()


class WebSocket:
    """One generation on a WebSocket; leaving is an event, or closing."""

    def __init__(self, address, tokens, model=""):
        self.socket = connect(address)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.socket.recv(65536)
            assert data, "no answer to the handshake"
            head += data
        assert b" 101 " in head.split(b"\r\n")[0], head
        self.id = key
        self.say(type="generate.create", id=self.id, model=model, messages=[{"role": "user", "content": PROMPT}], max_tokens=tokens, ignore_eos=True, cache_prompt=False)

    def say(self, **event):
        data, mask = json.dumps(event).encode(), os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.socket.sendall(b"\x81" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def receive(self):
        return receive(self.socket)

    def leave(self, politely):
        if politely:
            self.say(type="generate.cancel", id=self.id)
            seen = b""
            while b'"generation.done"' not in seen and b'"generation_not_found"' not in seen:  # the latter: it had ended
                data = self.socket.recv(65536)
                assert data, f"closed before the end: {seen[-300:]}"
                seen = seen[-200:] + data
        self.socket.close()


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


class Grpc:
    """One call of pensieve.v1.Inference/Chat in just enough HTTP/2; leaving is RST_STREAM, or closing."""

    def __init__(self, address, tokens, model=""):
        message = field(1, b"user") + field(2, PROMPT.encode())
        sampling = field(6, tokens) + field(11, 1)
        request = field(2, model.encode()) + field(3, message) + field(4, sampling) + field(15, b'{"cache_prompt":false}')
        headers = [(":method", "POST"), (":scheme", "http"), (":path", "/pensieve.v1.Inference/Chat"), (":authority", "localhost"), ("te", "trailers"), ("content-type", "application/grpc")]
        block = b"".join(b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in headers)
        self.socket = connect(address)
        self.socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + self.frame(4, 0, 0, b"")
            + self.frame(1, 4, 1, block)
            + self.frame(0, 1, 1, b"\0" + struct.pack(">I", len(request)) + request)
        )

    @staticmethod
    def frame(kind, flags, stream, payload):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def receive(self):
        return receive(self.socket)

    def leave(self, politely):
        if politely:
            self.socket.sendall(self.frame(3, 0, 1, struct.pack(">I", 8)))
        self.socket.close()
