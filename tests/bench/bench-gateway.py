#!/usr/bin/env python3
"""What the built program takes: its size, its start, and its memory as the gateway of the demonstration.

Usage: bench-gateway.py PROGRAM PROGRAM-WITHOUT-PAGE GRAPH

The graph is that of the demonstration. For the start the other end of its serial line is this script, which
takes the time from the start of the process to the first byte on the line. For the memory it is `meterloom sim`
with 20 meters, and its head-end takes the reports.
"""

import json
import os
import pathlib
import pty
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tty

METERS = 20
STARTS = 20
ROUNDS = 20
PATIENCE = 60  # seconds, for what takes one
KIB = 1024


def fail(text):
    sys.exit(f"bench-gateway: {text}")


def tell(what, value, rest):
    print(f"{what:<60} {value:>12}   {rest}", flush=True)


# ---- Size ----

def stripped_size(program):
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, "program")
        subprocess.run(["strip", "-o", copy, program], check=True)
        return copy.stat().st_size


def measure_size(program, bare):
    with_page, without = stripped_size(program), stripped_size(bare)
    page = "with the page in it" if with_page > without else "THIS BUILD HAS NO PAGE"
    tell("stripped program", f"{with_page / KIB:.0f} KiB", f"limit 3072 KiB; {page}")
    tell("stripped program without the page", f"{without / KIB:.0f} KiB", "no limit")


# ---- The gateway of the demonstration ----

class Gateway:
    def __init__(self, folder, program, graph, interface, reports):
        self.folder = pathlib.Path(folder)
        self.program = program
        self.graph = self.folder / "graph.json"
        self.script = self.folder / "start"
        text = json.loads(pathlib.Path(graph).read_text())
        for node in text["nodes"]:
            if node["type"] == "mbus-source":
                node["params"]["interface"] = interface
            if node["type"] == "http-sink":
                node["params"]["url"] = reports
        self.graph.write_text(json.dumps(text))
        command = [program, "sim", "--meters", str(METERS), "--baud", "38400", "--list", "-"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        self.script.write_text("meter.import " + json.dumps({"csv": listed}) + "\n")
        self.log = open(self.folder / "log", "wb")
        self.process = None
        self.url = None

    def start(self, data):
        command = [self.program, "run", self.graph, "--data", self.folder / data, "--script", self.script,
                   "--device-key", self.folder / "key", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=self.log)

    def wait_for_url(self):
        text = b""
        for line in self.process.stdout:
            text += line
            found = re.search(rb"http://\S+", text)
            if found:
                self.url = found.group().decode().rstrip("/")
                return
        fail(f"the gateway did not start: {(self.folder / 'log').read_text()}")

    def call(self, name, **params):
        command = [self.program, "call", "--url", self.url, "--json", name, json.dumps(params)]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.stdout.close()
            if self.process.wait(PATIENCE) != 0:
                fail(f"the gateway failed: {(self.folder / 'log').read_text()}")
        self.process = None


# ---- The start ----

def first_byte(gateway, line, data):
    """Milliseconds from before the process is made to the first byte that it sends."""
    while select.select([line], [], [], 0)[0]:
        os.read(line, 4096)
    begin = time.monotonic()
    gateway.start(data)
    if not select.select([line], [], [], PATIENCE)[0]:
        fail("the gateway sent nothing")
    took = (time.monotonic() - begin) * 1000
    gateway.wait_for_url()
    gateway.stop()
    return took


def measure_start(folder, program, graph):
    line, terminal = pty.openpty()
    tty.setraw(terminal)
    gateway = Gateway(folder, program, graph, "serial:" + os.ttyname(terminal), "http://127.0.0.1:9/")
    new = [first_byte(gateway, line, f"data-{i}") for i in range(STARTS)]
    again = [first_byte(gateway, line, "data-0") for _ in range(STARTS)]
    for what, times in (("with an empty data directory", new), ("again", again)):
        tell(f"start to the first request, {what}", f"{statistics.median(times):.0f} ms",
             f"limit 200 ms; {STARTS} starts: best {min(times):.0f}, worst {max(times):.0f}")
    os.close(line)
    os.close(terminal)


# ---- Memory ----

def memory(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    kib = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
    threads = len(os.listdir(f"/proc/{pid}/task"))
    clean = kib["Rss"] - kib["Private_Dirty"]
    return kib["Private_Dirty"], f"{clean} KiB of shared and clean pages on top; {threads} threads"


def tell_memory(what, pid):
    dirty, rest = memory(pid)
    tell(f"private dirty memory {what}", f"{dirty / KIB:.2f} MiB", f"limit 8 MiB; {rest}")


def next_report(simulator):
    """Waits until the head-end has taken one more report."""
    for line in simulator.stdout:
        if b"answered 200" in line:
            return
    fail("the head-end has ended")


def measure_memory(folder, program, graph):
    link = folder / "bus"
    command = [program, "sim", "--meters", str(METERS), "--baud", "38400", "--link", link,
               "--head-end", "127.0.0.1:0", "--head-end-directory", folder / "reports"]
    simulator = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE)
    gateway = None
    try:
        for line in simulator.stdout:
            found = re.search(rb"http://[^/]+/", line)
            if found:
                break
        else:
            fail("the simulator did not start")
        gateway = Gateway(folder, program, graph, f"serial:{link}", found.group().decode() + "reports")
        gateway.start("data-memory")
        gateway.wait_for_url()
        next_report(simulator)
        tell_memory("after the first round and report", gateway.process.pid)
        for _ in range(ROUNDS // 5):
            for _ in range(5):
                done = gateway.call("node.action", node="bus", action="read-now")
                if done["read"] != METERS:
                    fail(f"the meters were not read: {done}")
            gateway.call("node.action", node="every-5-min", action="run")
            next_report(simulator)
        tell_memory(f"after {ROUNDS} more rounds and {ROUNDS // 5} reports", gateway.process.pid)
    finally:
        if gateway:
            gateway.stop()
        simulator.terminate()
        simulator.stdout.close()
        simulator.wait(PATIENCE)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: bench-gateway.py PROGRAM PROGRAM-WITHOUT-PAGE GRAPH")
    program, bare, graph = (os.path.abspath(path) for path in sys.argv[1:])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-gateway-"))
    try:
        measure_size(program, bare)
        measure_start(folder, program, graph)
        measure_memory(folder, program, graph)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
