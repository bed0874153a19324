# The faces of a running gateway: REST, JSON-RPC, the description of both, Prometheus; what they never
# tell; and clients that send too much, too slowly or from elsewhere.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import re
import resource
import socket

import kit

METERS = 3
SECRET = 'open-sesame-314159'

ROUTES = [  # of issue and documentation; * may be any word
    'GET /api/v1/commands', 'POST /api/v1/commands/*', 'GET /api/v1/current',
    'GET /api/v1/events', 'GET /api/v1/graph', 'PUT /api/v1/graph', 'POST /api/v1/graph/check',
    'GET /api/v1/jobs', 'GET /api/v1/jobs/*', 'DELETE /api/v1/jobs/*', 'GET /api/v1/log',
    'GET /api/v1/log.csv',
    'GET /api/v1/meters', 'GET /api/v1/meters/*/current', 'GET /api/v1/meters/*/readings',
    'GET /api/v1/meters/*/readout',
    'GET /api/v1/meters/*/series', 'GET /api/v1/series/*/values',
    'GET /api/v1/metrics', 'GET /api/v1/node-types', 'GET /api/v1/nodes',
    'GET /api/v1/openapi.json', 'GET /api/v1/revisions', 'GET /api/v1/revisions/*',
    'POST /api/v1/revisions/*/apply', 'GET /api/v1/settings', 'GET /api/v1/status',
    'GET /api/v1/documents/*', 'GET /api/v1/reports', 'GET /api/v1/reports/*/deliveries',
    'POST /api/v1/reports/*/discard', 'POST /api/v1/reports/*/download',
    'POST /api/v1/reports/*/rebuild', 'POST /api/v1/reports/*/resend',
    'POST /api/v1/reports/*/test',
    'GET /api/v1/trace/*', 'GET /metrics', 'POST /rpc',
]


class Faces(kit.Case):
    def reading_gateway(self, **named):
        self.sim(METERS, arguments=['--fast'])
        gateway = self.gateway(kit.reading_graph(), arguments=kit.script_of(self.folder, METERS),
                               **named)
        self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
        gateway.until_node('store', lambda node: node['own']['stored'] >= METERS)
        return gateway

    def test_the_description_is_whole_and_true(self):
        gateway = self.reading_gateway()
        api = gateway.get('/api/v1/openapi.json')
        self.assertRegex(api['openapi'], r'^3\.1\.')
        self.assertTrue(api['info']['title'] and api['info']['version'])
        def look(value):  # every reference leads somewhere
            if isinstance(value, dict):
                target = value.get('$ref')
                if isinstance(target, str):
                    self.assertTrue(target.startswith('#/'), target)
                    at = api
                    for part in target[2:].split('/'):
                        at = at[part.replace('~1', '/').replace('~0', '~')]
                for part in value.values():
                    look(part)
            elif isinstance(value, list):
                for part in value:
                    look(part)
        look(api)
        told = set()
        for path, methods in api['paths'].items():
            for method, operation in methods.items():
                self.assertIn(method, ('get', 'put', 'post', 'delete'))
                self.assertTrue(operation['responses'])
                self.assertTrue(all(re.fullmatch(r'[1-5]\d\d|default', status)
                                    for status in operation['responses']))
                wanted = set(re.findall(r'{(\w+)}', path))
                given = {p['name'] for p in operation.get('parameters', []) if p['in'] == 'path'}
                self.assertEqual(wanted, given, path)
                told.add(f'{method.upper()} ' + re.sub(r'{\w+}', '*', path))
        for route in ROUTES:
            if route == 'POST /api/v1/commands/*':
                for command in gateway.get('/api/v1/commands'):
                    self.assertIn('POST /api/v1/commands/' + command['name'], told)
                continue
            self.assertIn(route, told)
        # What is told is there: each GET without arguments answers.
        for route in sorted(told):
            method, path = route.split()
            if method == 'GET' and '*' not in path and not path.endswith('/events'):
                self.assertEqual(gateway.ask('GET', path).status, 200, path)
        self.assertEqual({r for r in told if not r.startswith('POST /api/v1/commands/')},
                         {r for r in ROUTES if not r.startswith('POST /api/v1/commands/')})
        self.end_well(gateway)

    def test_a_series_leads_to_its_values(self):
        gateway = self.reading_gateway()
        point = gateway.get('/api/v1/meters')['meters'][0]['point']
        series = gateway.get('/api/v1/meters/%23{}/series'.format(point))['series']
        self.assertTrue(series)
        readings = gateway.get('/api/v1/meters/%23{}/readings'.format(point))['readings']
        for one in series:
            values = gateway.get('/api/v1/series/{}/values?points=10'.format(one['id']))
            self.assertEqual(values['series'], one)
            self.assertEqual([p['time'] for p in values['points']], [r['time'] for r in readings])
        self.assertEqual(gateway.ask('GET', '/api/v1/series/p9.00/values').status, 404)
        self.assertEqual(gateway.ask('GET', '/api/v1/series/no/values').status, 422)

    def test_current_values_are_those_that_were_read_last(self):
        gateway = self.reading_gateway()
        meters = gateway.get('/api/v1/current?state=read')['meters']
        self.assertTrue(meters)
        for meter in meters:
            one = gateway.get('/api/v1/meters/%23{}/current'.format(meter['point']))['meters'][0]
            last = gateway.get('/api/v1/meters/%23{}/readings?limit=1'.format(meter['point']))
            self.assertEqual({v['trace'] for v in one['values']}, {last['readings'][0]['trace']})
            self.assertEqual([v['value'] for v in one['values']],
                             [r['value'] for r in last['readings'][0]['records']])
        self.end_well(gateway)

    def test_json_rpc_drives_it(self):
        gateway = self.reading_gateway()
        answer = gateway.ask('POST', '/rpc', [
            {'jsonrpc': '2.0', 'id': 1, 'method': 'meter.list', 'params': {'limit': 2}},
            {'jsonrpc': '2.0', 'method': 'setting.set',
             'params': {'name': 'gateway.name', 'value': 'Sub 7'}},
            {'jsonrpc': '2.0', 'id': 'x', 'method': 'no.such'},
            {'jsonrpc': '2.0', 'id': 2, 'method': 'engine.status'}]).json
        self.assertEqual([a['id'] for a in answer], [1, 'x', 2])
        self.assertEqual(len(answer[0]['result']['meters']), 2)
        self.assertEqual(answer[1]['error']['code'], -32601)
        self.assertEqual(answer[2]['result']['name'], 'Sub 7')
        self.end_well(gateway)

    def test_prometheus_can_read_the_metrics(self):
        gateway = self.reading_gateway()
        answer = gateway.ask('GET', '/metrics')
        self.assertTrue(answer.headers['Content-Type'].startswith('text/plain; version=0.0.4'))
        kinds, values = {}, {}
        for line in answer.text.splitlines():
            if line.startswith('# TYPE '):
                _, _, name, kind = line.split(' ')
                self.assertNotIn(name, kinds)
                kinds[name] = kind
            elif line.startswith('# HELP ') or not line:
                continue
            else:
                match = re.fullmatch(r'([a-z_:][a-z0-9_:]*)(?:{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)+)})?'
                                     r' (-?[0-9.e+-]+|NaN|[+-]Inf)', line)
                self.assertTrue(match, line)
                self.assertIn(match[1], kinds, line)
                self.assertNotIn(match.group(1, 2), values)
                values[match.group(1, 2)] = float(match[3])
                self.assertEqual(kinds[match[1]] == 'counter', match[1].endswith('_total'), line)
        self.assertEqual(values['meterloom_node_received_total', 'node="store"'], METERS)
        self.assertTrue(any(name.startswith('meterloom_edge_') for name, _ in values))
        self.end_well(gateway)

    def test_a_secret_is_used_and_told_nowhere(self):
        self.sim(METERS, arguments=['--fast'])
        head_end = self.sim(head_end=True, arguments=['--head-end-user', 'gw7:' + SECRET])
        graph = kit.reporting_graph(head_end.url, sink={
            'auth': 'basic', 'user': 'gw7', 'password': {'secret': 'head-end'}})
        gateway = self.gateway(graph, arguments=[*kit.script_of(self.folder, METERS),
                                                 '--log', 'debug'])
        seen = []
        with gateway.events('graph,job,log,metrics,event') as events:
            self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
            gateway.until_node('store', lambda node: node['own']['stored'] >= METERS)
            gateway.act('send', 'run')  # the secret is missing
            node = gateway.until_node('head-end', lambda node: node['own']['given_up'] == 1)
            self.assertIn("'head-end'", node['text'])
            gateway.call('secret.set', {'name': 'head-end', 'value': SECRET})
            refused = gateway.ask('POST', '/api/v1/commands/secret.set',
                                  {'name': 'Wrong!', 'value': SECRET})
            self.assertEqual(refused.status, 422)
            seen.append(refused.text)
            gateway.act('send', 'run')
            for topic, value in events:
                seen.append(json.dumps(value))
                if topic == 'metrics' and value['nodes']['head-end']['own']['delivered'] == 1:
                    break
        for path in ['graph', 'jobs', 'log?limit=10000', 'metrics', 'nodes', 'settings', 'status',
                     'revisions', 'revisions/1', 'node-types', 'openapi.json', 'commands']:
            seen.append(gateway.ask('GET', '/api/v1/' + path).text)
        for job in gateway.get('/api/v1/jobs'):
            seen.append(gateway.ask('GET', f'/api/v1/jobs/{job["id"]}').text)
        seen.append(gateway.ask('GET', '/metrics').text)
        seen.append(json.dumps(gateway.call('event.list')))
        seen.append(json.dumps(gateway.call('secret.list')))
        self.assertIn('head-end', seen[-1])
        self.end_well(gateway)
        seen.append(gateway.text())
        for folder, _, names in os.walk(self.path('data')):
            for name in names:
                with open(os.path.join(folder, name), 'rb') as file:
                    seen.append(file.read().decode('latin-1'))
        encoded = 'Z3c3Om9wZW4t'  # gw7:open-, as Basic authentication writes it
        for text in seen:
            self.assertNotIn(SECRET, text)
            self.assertNotIn(encoded, text)

    def test_pages_from_elsewhere_do_not_drive_it(self):
        gateway = self.gateway()
        for headers in [{'Host': 'evil.example'}, {'Origin': 'http://evil.example'},
                        {'Origin': 'null'}, {'Sec-Fetch-Site': 'cross-site'}]:
            for method, path in [('GET', '/api/v1/graph'), ('POST', '/rpc'),
                                 ('POST', '/api/v1/commands/log.level'), ('GET', '/metrics')]:
                if method == 'GET' and 'Sec-Fetch-Site' in headers:
                    continue  # a link from elsewhere; its page cannot read the answer
                answer = gateway.ask(method, path, {} if method == 'POST' else None, headers)
                self.assertEqual(answer.status, 403, (headers, path))
                self.assertNotIn('Access-Control-Allow-Origin', answer.headers)
        answer = gateway.ask('POST', '/rpc', '{}', {'Content-Type': 'text/plain'})
        self.assertEqual(answer.status, 415)
        self.end_well(gateway)

    def memory(self, gateway):
        with open(f'/proc/{gateway.process.pid}/status', encoding='ascii') as file:
            return int(re.search(r'VmHWM:\s+(\d+)', file.read())[1]) * 1024

    def test_a_hundred_megabytes_are_refused_and_take_no_memory(self):
        gateway = self.reading_gateway()
        host, port = gateway.url.removeprefix('http://').split(':')
        before = self.memory(gateway)
        size = 100 << 20
        with socket.create_connection((host, int(port)), timeout=kit.PATIENCE) as client:
            client.sendall(f'PUT /api/v1/graph HTTP/1.1\r\nHost: {host}:{port}\r\nIf-Match: *\r\n'
                           f'Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n'
                           .encode())
            self.assertIn(b' 413 ', client.recv(4096))
            sent = 0
            try:  # as one does that does not listen
                while sent < size:
                    client.sendall(b' ' * 65536)
                    sent += 65536
            except OSError:
                pass
        self.assertLess(sent, size)
        self.assertLess(self.memory(gateway) - before, 16 << 20)
        self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
        self.end_well(gateway)

    def test_a_thousand_slow_clients_stop_neither_reading_nor_driving(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 1200:
            self.skipTest('too few open files are allowed')
        resource.setrlimit(resource.RLIMIT_NOFILE, (1200, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        # The gateway has no more files than a shell gives by default.
        gateway = self.reading_gateway(
            before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard)))
        host, port = gateway.url.removeprefix('http://').split(':')
        clients = []
        try:
            for number in range(1000):
                client = socket.create_connection((host, int(port)), timeout=kit.PATIENCE)
                clients.append(client)
                begin = [b'GET / HTTP/1.1\r\nX-Slow: ',
                         b'POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: '
                         b'application/json\r\nContent-Length: 100000\r\n\r\n[',
                         b'GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n', b'']
                try:
                    client.sendall(begin[number % 4])
                except OSError:
                    pass  # cut off already
                if number % 100 == 99:
                    self.assertEqual(gateway.get('/api/v1/status')['revision'], 1)
            self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
            with open(self.path('graph.json'), encoding='utf-8') as file:
                gateway.apply(kit.add(json.load(file), [{'id': 'x', 'type': 'manual-trigger'}]))
            self.assertLess(self.end_well(gateway), 10)
        finally:
            for client in clients:
                client.close()


if __name__ == '__main__':
    kit.main()
