"""A WSGI server (PEP 3333) of the standard library's sockets and threads, for apps that do not bring one.

One process, a thread for each connection, HTTP/1.1 with keep-alive and chunked bodies both ways, a polite end on SIGTERM.
It talks to the platform's router alone, which has checked requests and bounds how many there are; it is no server for the
open Internet. Apps that want worker processes put gunicorn into their requirements.txt.
"""

import io
import os
import signal
import socket
import sys
import threading

HEAD_BYTES_MAX = 1 << 20
UNREAD_BYTES_MAX = 1 << 16  # of a request whose body the app did not read; beyond, its connection ends
BLOCK_BYTES = 1 << 16
SPARE_CONNECTIONS = 16  # that the router may hold open beside those in use
CONNECTIONS_MAX = 200  # a thread each, of the 256 that an instance may have
WITHOUT_BODY = ("204", "304")


class Ended(Exception):
    """The connection ends here."""


def serve(app, path, concurrency):
    """Listens on the unix socket `path` until SIGTERM; then answers what is under way, and returns."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(511)
    server = Server(app, min(concurrency + SPARE_CONNECTIONS, CONNECTIONS_MAX))
    signal.signal(signal.SIGTERM, interrupt)
    try:
        while True:
            server.room.acquire()
            connection, _ = listener.accept()
            threading.Thread(target=server.run, args=(connection,)).start()
    except Ended:
        listener.close()
        server.stop()


def interrupt(_signal, _frame):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Ended


class Server:
    def __init__(self, app, connections_max):
        self.app = app
        self.room = threading.BoundedSemaphore(connections_max)
        self.is_stopping = False
        self._idle = set()
        self._lock = threading.Lock()

    def run(self, connection):
        reader = connection.makefile("rb", BLOCK_BYTES)
        try:
            while self._wait(connection, reader):
                Exchange(self, connection, reader).run()
        except (Ended, OSError):
            pass
        finally:
            reader.close()
            connection.close()
            self.room.release()

    def stop(self):
        """Connections that wait for a request end at once, others after the answer they are at."""
        with self._lock:
            self.is_stopping = True
            for connection in self._idle:
                connection.shutdown(socket.SHUT_RD)

    def _wait(self, connection, reader):
        """Until a request begins; false when none will."""
        with self._lock:
            if self.is_stopping:
                return False
            self._idle.add(connection)
        begins = bool(reader.peek(1))
        with self._lock:
            self._idle.discard(connection)
        return begins


class Exchange:
    """One request and its answer."""

    def __init__(self, server, connection, reader):
        self._server = server
        self._connection = connection
        self._reader = reader
        self._status = None
        self._headers = []
        self._is_sent = False
        self._is_chunked = False
        self._left = None  # bytes of the announced length
        self._has_body = True
        self._keeps_alive = True
        self._body = None
        self._expects = False

    def run(self):
        environ = self._read_head()
        result = None
        try:
            result = self._server.app(environ, self.start_response)
            self._answer(result)
        except (Ended, BrokenPipeError, ConnectionResetError):
            raise Ended from None
        except Exception:
            self._fail()
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        self._finish()

    # The request

    def _read_head(self):
        lines = []
        size = 0
        while True:
            line = self._reader.readline(HEAD_BYTES_MAX)
            size += len(line)
            if not line.endswith(b"\n") or size > HEAD_BYTES_MAX:
                raise Ended
            line = line.rstrip(b"\r\n")
            if line:
                lines.append(line.decode("latin-1"))
            elif lines:
                break
        words = lines[0].split(" ")
        if len(words) != 3:
            raise Ended
        method, target, protocol = words
        path, _, query = target.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "RAW_URI": target,
            "REQUEST_URI": target,
            "SERVER_PROTOCOL": protocol,
            "SERVER_SOFTWARE": "appengine",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
        }
        for line in lines[1:]:
            name, _, value = line.partition(":")
            # A header that another one could be taken for.
            if "_" in name:
                continue
            key = name.upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = "HTTP_" + key
            value = value.strip(" \t")
            if key in environ:
                value = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
            environ[key] = value
        host = environ.get("HTTP_HOST", "localhost")
        scheme = environ["wsgi.url_scheme"] = environ.get("HTTP_X_FORWARDED_PROTO", "http")
        name, _, port = host.rpartition(":")
        is_named = name and not port.endswith("]")
        environ["SERVER_NAME"] = name if is_named else host
        environ["SERVER_PORT"] = port if is_named else "443" if scheme == "https" else "80"
        words = environ.get("HTTP_CONNECTION", "").lower()
        self._keeps_alive = "keep-alive" in words if protocol == "HTTP/1.0" else "close" not in words
        self._is_http_1_1 = protocol != "HTTP/1.0"
        self._has_body = method != "HEAD"
        self._expects = environ.get("HTTP_EXPECT", "").lower() == "100-continue"
        if environ.pop("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            self._body = ChunkedBody(self)
            environ.pop("CONTENT_LENGTH", None)
        else:
            self._body = LengthBody(self, int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BufferedReader(self._body, BLOCK_BYTES)
        return environ

    def reader(self):
        """For the body: a client that asked first is told to send it."""
        if self._expects:
            self._expects = False
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self._reader

    # The answer

    def start_response(self, status, headers, exc_info=None):
        if exc_info is not None:
            try:
                if self._is_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._status is not None:
            raise AssertionError("start_response was called twice")
        for text in [status, *(text for pair in headers for text in pair)]:
            if not isinstance(text, str) or "\r" in text or "\n" in text or "\0" in text:
                raise ValueError("a status or header is no text of one line: %r" % (text,))
        self._status = status
        self._headers = list(headers)
        return self._write

    def _answer(self, result):
        length = len(result) if isinstance(result, (list, tuple)) else None
        if length == 1 or length == 0:
            self._send(result[0] if length else b"", is_whole=True)
            return
        for chunk in result:
            # Nothing yet: the app may change its mind about the headers until it says something.
            if chunk:
                self._send(chunk)
        if not self._is_sent:
            self._send(b"", is_whole=True)

    def _write(self, chunk):
        self._send(chunk)

    def _send(self, chunk, is_whole=False):
        if not isinstance(chunk, bytes):
            raise TypeError("a WSGI app answers with bytes, not with %s" % type(chunk).__name__)
        head = b"" if self._is_sent else self._head(len(chunk) if is_whole else None)
        if not self._has_body:
            chunk = b""
        if self._left is not None:
            if len(chunk) > self._left:
                raise ValueError("the answer is longer than its Content-Length")
            self._left -= len(chunk)
        elif self._is_chunked and chunk:
            chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        if head or chunk:
            self._connection.sendall(head + chunk)

    def _head(self, whole_length):
        if self._status is None:
            raise AssertionError("the app answered without start_response")
        self._is_sent = True
        lines = ["HTTP/1.1 " + self._status]
        announced = None
        for name, value in self._headers:
            lower = name.lower()
            if lower == "content-length":
                announced = int(value)
            if lower not in ("connection", "transfer-encoding", "keep-alive"):
                lines.append(name + ": " + value)
        if self._status[:3] in WITHOUT_BODY:
            self._has_body = False
        elif announced is None and whole_length is not None and self._has_body:
            announced = whole_length
            lines.append("Content-Length: %d" % announced)
        if self._has_body:
            self._left = announced
            if announced is None and self._is_http_1_1:
                self._is_chunked = True
                lines.append("Transfer-Encoding: chunked")
            elif announced is None:
                self._keeps_alive = False
        if self._server.is_stopping:
            self._keeps_alive = False
        if not self._keeps_alive:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _fail(self):
        import traceback

        traceback.print_exc()
        if self._is_sent:
            raise Ended
        self._status = "500 Internal Server Error"
        self._headers = [("Content-Type", "text/plain")]
        self._send(b"Internal Server Error\n", is_whole=True)

    def _finish(self):
        if self._is_chunked:
            self._connection.sendall(b"0\r\n\r\n")
        elif self._left:
            raise Ended  # shorter than announced: whoever reads it must see that
        # A client that was never told to send its body does not, and might send the next request instead.
        if not self._keeps_alive or self._expects or not self._body.drain(UNREAD_BYTES_MAX):
            raise Ended


class Body(io.RawIOBase):
    def readable(self):
        return True

    def drain(self, bytes_max):
        """Reads what is left; false when that is more than `bytes_max`."""
        block = bytearray(BLOCK_BYTES)
        read = 0
        while read <= bytes_max:
            count = self.readinto(block)
            if not count:
                return True
            read += count
        return False


class LengthBody(Body):
    def __init__(self, exchange, length):
        self._exchange = exchange
        self._left = length

    def readinto(self, target):
        if self._left == 0 or len(target) == 0:
            return 0
        chunk = self._exchange.reader().read1(min(len(target), self._left))
        if not chunk:
            raise Ended
        target[: len(chunk)] = chunk
        self._left -= len(chunk)
        return len(chunk)


class ChunkedBody(Body):
    def __init__(self, exchange):
        self._exchange = exchange
        self._left = 0
        self._is_whole = False

    def readinto(self, target):
        if self._is_whole or len(target) == 0:
            return 0
        reader = self._exchange.reader()
        if self._left == 0:
            self._left = int(self._line(reader).split(b";")[0], 16)
            if self._left == 0:
                while self._line(reader):
                    pass
                self._is_whole = True
                return 0
        chunk = reader.read1(min(len(target), self._left))
        if not chunk:
            raise Ended
        target[: len(chunk)] = chunk
        self._left -= len(chunk)
        if self._left == 0:
            self._line(reader)
        return len(chunk)

    @staticmethod
    def _line(reader):
        line = reader.readline(HEAD_BYTES_MAX)
        if not line.endswith(b"\n"):
            raise Ended
        return line.rstrip(b"\r\n")


class FileWrapper:
    def __init__(self, file, block_size=BLOCK_BYTES):
        self._file = file
        self._block_size = block_size
        self.close = getattr(file, "close", lambda: None)

    def __iter__(self):
        return iter(lambda: self._file.read(self._block_size), b"")


def unquote(path):
    if "%" not in path:
        return path
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(path).decode("latin-1")
