# A serial device that is missing, not permitted, no terminal, or pulled and plugged again: the graph
# runs, the node says so, and goes on by itself when the device is there.
# SPDX-License-Identifier: Apache-2.0
import os

import kit

METERS = 3


class Serial(kit.Case):
    def until_state(self, gateway, state, text=''):
        return gateway.until_node('bus', lambda node: node['state'] == state and
                                  text in node.get('text', ''))

    def test_a_device_that_comes_later_is_taken_by_itself(self):
        gateway = self.gateway(kit.reading_graph(), arguments=kit.script_of(self.folder, METERS))
        self.until_state(gateway, 'waiting', 'is not there')
        self.assertEqual(gateway.call('engine.status')['revision'], 1)
        # A round without a bus: each meter is told to have failed, and the reason is kept.
        result = gateway.act('bus', 'read-now')
        self.assertEqual((result['read'], result['failed']), (0, METERS))
        gateway.until_node('store', lambda node: node['own']['stored'] == METERS)
        point = gateway.get('/api/v1/meters')['meters'][0]['point']
        readings = gateway.get(f'/api/v1/meters/%23{point}/readings')['readings']
        self.assertEqual(len(readings), 1)
        self.assertFalse(kit.was_read(readings[0]))
        self.assertIn('no-bus', readings[0]['error']['text'])
        self.sim(METERS, arguments=['--fast'])
        self.until_state(gateway, 'running')  # nobody asked it to
        self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)

    def test_a_device_that_is_pulled_and_plugged_is_found_again(self):
        sim = self.sim(METERS, arguments=['--fast'])
        gateway = self.gateway(kit.reading_graph(), arguments=kit.script_of(self.folder, METERS))
        for _ in range(2):
            self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
            with gateway.events('event') as events:
                self.end_well(sim)
                lost = events.until(lambda _, event: event['code'] == 'bus-lost')
                self.assertIn('./bus', lost['text'])
                self.until_state(gateway, 'waiting')
                sim = self.sim(METERS, arguments=['--fast'])
                events.until(lambda _, event: event['code'] == 'bus-back')
            self.until_state(gateway, 'running')
        self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)

    def test_a_device_that_is_pulled_within_a_round_fails_the_rest_of_it(self):
        sim = self.sim(METERS)  # at the pace of a line
        graph = kit.reading_graph()
        for node in graph['nodes']:
            if node['type'] == 'mbus-source':
                node['params']['lost_line_wait'] = 1
        gateway = self.gateway(graph, arguments=kit.script_of(self.folder, METERS))
        with gateway.events('tap:bus.out>decode.in') as tap, gateway.events('job') as jobs:
            gateway.ask('POST', '/api/v1/commands/node.action',
                        {'node': 'bus', 'action': 'read-now'}, {'Prefer': 'respond-async'})
            tap.until(lambda *_: True)  # one is read
            self.end_well(sim)
            ended = jobs.until(lambda _, job: job['state'] not in ('queued', 'running'))
        result = gateway.get(f'/api/v1/jobs/{ended["id"]}')['result']
        self.assertEqual(result['read'] + result['failed'], METERS)
        self.assertGreaterEqual(result['failed'], 1)

    def test_what_is_read_continuously_is_current_and_in_no_database(self):
        self.sim(METERS, arguments=['--fast'])
        graph = kit.add(kit.reading_graph(continuous=True),
                        [{'id': 'live', 'type': 'decode'},
                         {'id': 'now-known', 'type': 'current-values'}],
                        ['bus.continuous live', 'live now-known'])
        gateway = self.gateway(graph, arguments=kit.script_of(self.folder, METERS))
        gateway.until_node('bus', lambda node: node['own']['continuous_passes'] >= 3)
        meters = gateway.call('meter.current')['meters']
        self.assertEqual([meter['state'] for meter in meters], ['read'] * METERS)
        self.assertTrue(all(meter['values'] for meter in meters))
        point = gateway.get('/api/v1/meters')['meters'][0]['point']
        self.assertEqual(gateway.get(f'/api/v1/meters/%23{point}/readings')['readings'], [])
        # A round beside it is stored.
        self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
        gateway.until_node('store', lambda node: node['own']['stored'] == METERS)

    def test_a_device_that_may_not_be_opened_or_is_no_line_is_told_as_such(self):
        with open(self.path('file'), 'w', encoding='utf-8'):
            pass
        os.mkfifo(self.path('fifo'))
        # No user may open this for writing, not even root.
        forbidden = '/sys/devices/system/cpu/online'
        cases = [('./file', 'no serial device'), ('./fifo', 'no serial device'),
                 ('./key', 'cannot be opened')]
        if os.path.exists(forbidden):
            cases.append((forbidden, 'may not be used by this user'))
        graph = {'meterloom': 1, 'nodes': [
            {'id': f'bus-{n}', 'type': 'mbus-source',
             'params': {'interface': 'serial:' + path, 'bus': f'b{n}'}}
            for n, (path, _) in enumerate(cases)], 'edges': []}
        os.mkdir(self.path('key'), 0o700)
        gateway = self.gateway(graph)
        for n, (path, text) in enumerate(cases):
            node = gateway.until_node(f'bus-{n}', lambda node: node['state'] != 'running')
            self.assertIn(path, node['text'])
            self.assertIn(text, node['text'])
        # The rest goes on.
        self.assertEqual(gateway.call('engine.status')['revision'], 1)
        self.assertLess(self.end_well(gateway), 10)


if __name__ == '__main__':
    kit.main()
