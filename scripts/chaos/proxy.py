"""A TCP proxy on loopback that freezes and cuts its connections: proxy.py TARGET-PORT.

Prints its port, then takes a word a line: `cut` resets every connection on both sides, `freeze` passes no more bytes and
accepts nobody, `thaw` passes them again. Each is answered with the time at which it was done.
"""

import selectors
import socket
import struct
import sys
import time


class Proxy:
    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.others = {}  # each end's other one
        self.waiting = {}  # bytes that an end was not able to take yet
        self.frozen = False

    def run(self):
        print(self.listener.getsockname()[1], flush=True)
        while True:
            for key, events in self.selector.select():
                if key.fileobj is sys.stdin:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    self.obey(line.strip())
                    break  # what else is ready may be gone
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.others:
                    self.pass_on(key.fileobj, events)

    def obey(self, word):
        now = time.time()
        if word == "cut":
            for end in list(self.others):
                self.drop(end)
        elif word == "freeze" and not self.frozen:
            self.frozen = True
            for end in [self.listener, *self.others]:
                if end in self.selector.get_map():
                    self.selector.unregister(end)
        if word in ("cut", "thaw") and self.frozen:
            self.frozen = False
            self.selector.register(self.listener, selectors.EVENT_READ)
            for end in self.others:
                self.watch(end)
        print(now, flush=True)

    def accept(self):
        client, _ = self.listener.accept()
        broker = socket.socket()
        try:
            broker.connect(("127.0.0.1", self.target))
        except OSError:
            broker.close()
            self.reset(client)
            return
        for end, other in ((client, broker), (broker, client)):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.others[end] = other
            self.waiting[end] = b""
            self.selector.register(end, selectors.EVENT_READ)

    def pass_on(self, end, events):
        try:
            if events & selectors.EVENT_WRITE:
                self.send(end, b"")
            if events & selectors.EVENT_READ and not self.waiting[self.others[end]]:
                data = end.recv(65536)
                if not data:
                    raise ConnectionResetError
                self.send(self.others[end], data)
        except BlockingIOError:
            pass
        except OSError:
            self.drop(end)

    def send(self, end, data):
        data = self.waiting[end] + data
        try:
            data = data[end.send(data):]
        except BlockingIOError:
            pass
        changed = bool(data) != bool(self.waiting[end])
        self.waiting[end] = data
        if changed:
            self.watch(end)
            self.watch(self.others[end])

    def watch(self, end):
        """An end is read while the other one has nothing waiting, and written while it has something waiting itself."""
        wanted = selectors.EVENT_WRITE if self.waiting[end] else 0
        wanted |= 0 if self.waiting[self.others[end]] else selectors.EVENT_READ
        watched = end in self.selector.get_map()
        if wanted and watched:
            self.selector.modify(end, wanted)
        elif wanted:
            self.selector.register(end, wanted)
        elif watched:
            self.selector.unregister(end)

    def drop(self, end):
        other = self.others.pop(end, None)
        if other is None:
            return
        self.others.pop(other, None)
        for each in (end, other):
            self.waiting.pop(each, None)
            if each in self.selector.get_map():
                self.selector.unregister(each)
            self.reset(each)

    @staticmethod
    def reset(end):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()


if __name__ == "__main__":
    Proxy(int(sys.argv[1])).run()
