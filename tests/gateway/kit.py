# A gateway, its simulated bus and head-end as programs of their own, driven over real pseudo-terminals
# and real HTTP. Waits are for what they say, never for a time; PATIENCE only ends a test that hangs.
# SPDX-License-Identifier: Apache-2.0
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PATIENCE = 90
PROGRAM = None


class Program:
    """A process whose output is read line by line."""

    def __init__(self, arguments, folder, before=None):
        self.lines = []
        self.heard = 0  # lines that hear() has gone past
        self.change = threading.Condition()
        self.ended = False
        self.process = subprocess.Popen([PROGRAM, *arguments], cwd=folder, preexec_fn=before,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors='replace')
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.change:
                self.lines.append(line.rstrip('\n'))
                self.change.notify_all()
        with self.change:
            self.ended = True
            self.change.notify_all()

    def hear(self, pattern):
        """The match in the next line that has it."""
        end = time.monotonic() + PATIENCE
        with self.change:
            while True:
                while self.heard < len(self.lines):
                    self.heard += 1
                    match = re.search(pattern, self.lines[self.heard - 1])
                    if match:
                        return match
                if self.ended or not self.change.wait(end - time.monotonic()):
                    raise AssertionError(f'{pattern!r} was not said, but:\n{self.text()}')

    def text(self):
        return '\n'.join(self.lines)

    def end(self, number=signal.SIGTERM):
        """Its exit status, and the seconds until it had ended."""
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        took = time.monotonic() - begin
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        return status, took


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


def ask(url, method, path, body=None, headers=None):
    host = url.removeprefix('http://')
    connection = http.client.HTTPConnection(host, timeout=PATIENCE)
    headers = dict(headers or {})
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    if body is not None:
        headers.setdefault('Content-Type', 'application/json')
        body = body.encode() if isinstance(body, str) else body
    try:
        connection.request(method, path, body, headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


class Events:
    """A stream of server-sent events: pairs of topic and value."""

    def __init__(self, url, topics):
        self.connection = http.client.HTTPConnection(url.removeprefix('http://'),
                                                     timeout=PATIENCE)
        self.connection.request('GET', '/api/v1/events?topics=' + topics.replace('>', '%3E'))
        self.response = self.connection.getresponse()
        if self.response.status != 200:
            raise AssertionError(self.response.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def __iter__(self):
        topic, last = '', None
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            line = self.response.readline().decode().rstrip('\n')
            if line.startswith('event: '):
                topic = line[7:]
            elif line.startswith('data: '):
                last = json.loads(line[6:])
                yield topic, last
            elif not line and self.response.closed:
                break
        raise AssertionError(f'it did not come; the last was {json.dumps(last)[:3000]}')

    def until(self, fits):
        """The first value that fits; fits(topic, value)."""
        for topic, value in self:
            if fits(topic, value):
                return value
        return None


def was_read(reading):
    """Not a readout that failed: that has an error at no byte."""
    return 'error' not in reading or reading['error']['at'] is not None


class Gateway(Program):
    def __init__(self, folder, graph=None, arguments=(), before=None):
        options = ['run', '--data', 'data', '--device-key', 'key/device.key',
                   '--listen', '127.0.0.1:0', *arguments]
        if graph is not None:
            with open(os.path.join(folder, 'graph.json'), 'w', encoding='utf-8') as file:
                json.dump(graph, file)
            options.append('graph.json')
        super().__init__(options, folder, before)
        self.url = None

    def begin(self):
        self.url = self.hear(r'The page: (http://[^/]+)/').group(1)

    def ask(self, *arguments, **named):
        return ask(self.url, *arguments, **named)

    def get(self, path):
        answer = self.ask('GET', path)
        if answer.status != 200:
            raise AssertionError(f'GET {path}: {answer.status} {answer.text}')
        return answer.json

    def call(self, command, params=None):
        answer = self.ask('POST', '/api/v1/commands/' + command, params or {})
        if answer.status != 200:
            raise AssertionError(f'{command}: {answer.status} {answer.text}')
        return answer.json

    def act(self, node, action, params=None):
        what = {'node': node, 'action': action}
        if params:
            what['params'] = params
        return self.call('node.action', what)

    def put(self, graph, tag='*'):
        return self.ask('PUT', '/api/v1/graph', graph, {'If-Match': tag})

    def apply(self, graph):
        answer = self.put(graph)
        if answer.status != 200:
            raise AssertionError(f'PUT graph: {answer.status} {answer.text}')

    def events(self, topics):
        return Events(self.url, topics)

    def until_node(self, node, fits):
        """Waits for metrics in which the node fits; they come once a second. Returns them."""
        with self.events('metrics') as events:
            metrics = events.until(lambda _, value: node in value['nodes'] and
                                   fits(value['nodes'][node]))
        return metrics['nodes'][node]

    def readings(self):
        """All stored readings that were read well."""
        found = []
        for meter in self.get('/api/v1/meters')['meters']:
            path = f'/api/v1/meters/%23{meter["point"]}/readings?limit=1000'
            page = self.get(path)
            while True:
                found += filter(was_read, page['readings'])
                if 'earlier' not in page:
                    break
                page = self.get(path + '&cursor=' + page['earlier'])
        return found


class Sim(Program):
    """Virtual meters on a pseudo-terminal with a name that stays, a head-end, or both."""

    def __init__(self, folder, meters=0, link='bus', head_end=False, answers=None, arguments=()):
        options = ['sim', *arguments]
        if meters:
            options += ['--meters', str(meters), '--link', link]
        if head_end:
            options += ['--head-end', '127.0.0.1:0', '--head-end-directory', 'received']
        if answers:
            options += ['--head-end-answers', answers]
        super().__init__(options, folder)
        self.meters = meters
        self.head_end = head_end
        self.url = None

    def begin(self):
        if self.meters:
            self.hear(r'meters at serial:')
        if self.head_end:
            self.url = self.hear(r'head-end at (http://[^/]+)/').group(1)

    def reports(self):
        """What came, the oldest first."""
        return list(reversed(ask(self.url, 'GET', '/reports').json['reports']))

    def body(self, report):
        return ask(self.url, 'GET', f'/reports/{report["number"]}').text

    def accepted(self):
        """The reports that were taken for the first time."""
        return [r for r in self.reports() if r['status'] == 200 and not r['repeated']]


def meter_list(folder, count, arguments=()):
    return subprocess.run([PROGRAM, 'sim', '--meters', str(count), *arguments, '--list', '-'],
                          cwd=folder, check=True, capture_output=True, text=True).stdout


def script_of(folder, count):
    """A file of commands that imports the meter list of a simulated bus."""
    path = os.path.join(folder, 'start')
    with open(path, 'w', encoding='utf-8') as file:
        file.write('meter.import ' + json.dumps({'csv': meter_list(folder, count)}) + '\n')
    return ['--script', path]


def reading_graph(interface='serial:./bus', **params):
    """now -> bus -> decode -> store"""
    return {
        'meterloom': 1,
        'nodes': [
            {'id': 'now', 'type': 'manual-trigger'},
            {'id': 'bus', 'type': 'mbus-source',
             'params': {'interface': interface, 'baud': 38400, **params}},
            {'id': 'decode', 'type': 'decode'},
            {'id': 'store', 'type': 'store'},
        ],
        'edges': [
            {'from': 'now', 'to': 'bus'},
            {'from': 'bus', 'to': 'decode'},
            {'from': 'decode', 'to': 'store'},
        ],
    }


def add(graph, nodes=(), edges=()):
    """Another graph, with more in it. Edges are 'FROM TO'."""
    more = json.loads(json.dumps(graph))
    more['nodes'] += nodes
    for edge in edges:
        begin, end = edge.split()
        more['edges'].append({'from': begin, 'to': end})
    return more


def reporting_graph(url, sink=None, query=None, template=None):
    """Reads, and reports what is new when `send` is asked for, after a round that runs."""
    return add(reading_graph(), [
        {'id': 'send', 'type': 'manual-trigger'},
        {'id': 'unsent', 'type': 'store-query',
         'params': {'destination': 'head-end', **(query or {})}},
        {'id': 'report', 'type': 'template-render',
         'params': template or {'template': 'json', 'options': {'lines': True}}},
        {'id': 'head-end', 'type': 'http-sink',
         'params': {'url': url + '/reports', 'retry': 'none', **(sink or {})}},
    ], ['send unsent.in', 'store.round-stored unsent.after', 'unsent report', 'report head-end'])


class Case(unittest.TestCase):
    """Each test has a folder of its own, and ends what it has started."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='meterloom-gateway-')
        self.programs = []

    def tearDown(self):
        for program in reversed(self.programs):
            if program.process.poll() is None:
                program.process.kill()
                program.process.wait()
            program.reader.join(PATIENCE)
            program.process.stdout.close()
            said = [line for line in program.lines
                    if re.search(r'Sanitizer|runtime error', line)]
            self.assertEqual(said, [], program.text())
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def start(self, program):
        self.programs.append(program)
        program.begin()
        return program

    def sim(self, *arguments, **named):
        return self.start(Sim(self.folder, *arguments, **named))

    def gateway(self, *arguments, **named):
        return self.start(Gateway(self.folder, *arguments, **named))

    def end_well(self, program, number=signal.SIGTERM):
        status, took = program.end(number)
        self.assertEqual(status, 0, program.text())
        return took


def main():
    global PROGRAM
    if len(sys.argv) < 2:
        sys.exit(f'usage: {sys.argv[0]} PROGRAM [TEST...]')
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(module='__main__', verbosity=2)
