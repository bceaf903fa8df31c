"""A receiver of callbacks, in the process of the tests."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Answers 200 to what goes to `/200`, and so on; keeps what came."""

    def __init__(self):
        self.received = received = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                received.append((self.headers, json.loads(body)))
                answer = b"thank you"
                self.send_response(int(self.path.removeprefix("/")))
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def url(self, status):
        return f"http://127.0.0.1:{self.server.server_port}/{status}"

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
