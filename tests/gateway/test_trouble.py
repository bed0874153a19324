# Scripts that loop or eat memory, and a full disk: the node concerned says so, the rest goes on.
# SPDX-License-Identifier: Apache-2.0
import ctypes
import os

import kit

METERS = 4
TELEGRAMS = 4  # of these meters in a round
LOOP = 'function process(reading) while true do end end'
GREED = 'local t = {} function process(reading) while true do t[#t + 1] = {} end end'
# A template that does so at its first render.
TEMPLATE = 'template = {{title = "Bad"}}\nfunction render(batch, out, options)\n{}\nend\n'


class Scripts(kit.Case):
    def test_a_filter_that_overruns_trips_and_the_rest_goes_on(self):
        self.sim(METERS, arguments=['--fast'])
        filters = {'loops': LOOP, 'greedy': GREED,
                   'caught': 'function process(r) while true do pcall(function() '
                             'while true do end end) end end'}
        graph = kit.add(kit.reading_graph(),
                        [{'id': name, 'type': 'lua-filter', 'params': {'script': script}}
                         for name, script in filters.items()],
                        [f'decode {name}' for name in filters])
        gateway = self.gateway(graph, arguments=kit.script_of(self.folder, METERS))
        with gateway.events('metrics') as events:
            for _ in range(2):
                self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
            nodes = events.until(lambda _, value: value['nodes']['store']['own']['stored'] ==
                                 2 * TELEGRAMS and
                                 all(value['nodes'][f]['received'] == 2 * TELEGRAMS
                                     for f in filters))['nodes']
        for name in filters:
            self.assertEqual(nodes[name]['state'], 'fault')
            self.assertIn('overruns in a row', nodes[name]['text'])
            self.assertEqual(nodes[name]['failed'], 2 * TELEGRAMS)
            self.assertEqual(nodes[name]['own']['overruns'], 3)
        self.assertEqual(len(gateway.readings()), 2 * TELEGRAMS)
        # A person may reset it, and it overruns again.
        gateway.act('loops', 'reset')
        self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
        gateway.until_node('loops', lambda node: node['own']['overruns'] == 6)
        self.end_well(gateway)

    def test_a_template_that_overruns_fails_its_report_and_no_other(self):
        self.sim(METERS, arguments=['--fast'])
        os.makedirs(self.path('data', 'templates'))
        bad = {'loops': 'while true do end',
               'greedy': 'local t = {} while true do t[#t + 1] = {} end',
               'writes': 'local d = out:document{name = "x.csv", type = "text/csv"} '
                         'while true do d:write(("x"):rep(10000)) end'}
        for name, body in bad.items():
            with open(self.path('data', 'templates', name + '.lua'), 'w',
                      encoding='utf-8') as file:
                file.write(TEMPLATE.format(body))
        graph = kit.add(kit.reading_graph(), [{'id': 'send', 'type': 'manual-trigger'}])
        for name in [*bad, 'json']:
            graph = kit.add(graph, [
                {'id': 'q-' + name, 'type': 'store-query', 'params': {'destination': name}},
                {'id': name, 'type': 'template-render', 'params': {'template': name}},
                {'id': 'f-' + name, 'type': 'file-sink', 'params': {'folder': 'to-' + name}},
            ], [f'send q-{name}.in', f'q-{name} {name}', f'{name} f-{name}'])
        gateway = self.gateway(graph, arguments=kit.script_of(self.folder, METERS))
        self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
        gateway.until_node('store', lambda node: node['own']['stored'] == TELEGRAMS)
        gateway.act('send', 'run')
        gateway.until_node('f-json', lambda node: node['own']['delivered'] == 1)
        for name in bad:
            node = gateway.until_node(name, lambda node: node['failed'] == 1)
            self.assertEqual(node['state'], 'fault', node)
            self.assertFalse(os.path.exists(self.path('data', 'files', 'to-' + name, 'x.csv')))
            # What it was to report is still to be reported.
            node = gateway.until_node('q-' + name, lambda node: node['state'] == 'waiting')
            self.assertEqual(node['own']['outstanding'], TELEGRAMS)
        self.assertEqual(os.listdir(self.path('data', 'documents')), [])
        # The others on its lane go on.
        self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
        gateway.until_node('store', lambda node: node['own']['stored'] == 2 * TELEGRAMS)
        gateway.act('send', 'run')
        gateway.until_node('f-json', lambda node: node['own']['delivered'] == 2)
        self.end_well(gateway)


# ---- A full disk: a small file system of the gateway's own, in a namespace of its own ----

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def small_disk(folder, size):
    """What the child does before it becomes the gateway; raises OSError where it may not."""
    libc = ctypes.CDLL(None, use_errno=True)
    data = os.path.join(folder, 'data').encode()

    def check(result):
        if result != 0:
            raise OSError(ctypes.get_errno(), 'a file system of its own')

    def before():
        check(libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if os.geteuid() else 0)))
        check(libc.mount(b'none', b'/', None, MS_REC | MS_PRIVATE, None))
        check(libc.mount(b'tmpfs', data, b'tmpfs', 0, f'size={size},mode=0700'.encode()))
    return before


class FullDisk(kit.Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path('data'))
        pid = os.fork()
        if pid == 0:
            try:
                small_disk(self.folder, 65536)()
            except OSError:
                os._exit(1)
            os._exit(0)
        if os.waitpid(pid, 0)[1] != 0:
            self.skipTest('this user may make no namespace')

    def test_readings_wait_for_room_and_nothing_acknowledged_is_lost(self):
        self.sim(METERS, arguments=['--fast'])
        gateway = self.gateway(kit.reading_graph(),
                               arguments=kit.script_of(self.folder, METERS),
                               before=small_disk(self.folder, 2 << 20))
        self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
        gateway.until_node('store', lambda node: node['own']['stored'] == TELEGRAMS)
        # As the gateway sees it.
        filler = f'/proc/{gateway.process.pid}/root{self.path("data", "filler")}'
        with open(filler, 'wb', buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        with gateway.events('event') as events:
            self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
            failed = events.until(lambda _, event: event['code'] == 'store-failed')
            self.assertIn('full', failed['text'])
            node = gateway.until_node('store', lambda node: node['state'] == 'fault')
            self.assertIn('full', node['text'])
            # The rest goes on: it is driven, and the bus is read.
            self.assertEqual(len(gateway.readings()), TELEGRAMS)
            self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
            answer = gateway.put(kit.add(kit.reading_graph(),
                                         [{'id': 'more', 'type': 'manual-trigger'}]))
            self.assertNotEqual(answer.status, 200)  # a revision that cannot be kept
            self.assertIn('full', answer.text)
            self.assertEqual(gateway.call('engine.status')['revision'], 1)
            os.unlink(filler)
            events.until(lambda _, event: event['code'] == 'store-recovered')
        gateway.until_node('store', lambda node: node['own']['stored'] == 3 * TELEGRAMS)
        traces = [r['trace'] for r in gateway.readings()]
        self.assertEqual(len(set(traces)), 3 * TELEGRAMS)
        self.assertEqual(len(traces), 3 * TELEGRAMS)
        gateway.until_node('store', lambda node: node['state'] == 'running')
        self.end_well(gateway)


if __name__ == '__main__':
    kit.main()
