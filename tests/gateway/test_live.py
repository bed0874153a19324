# Rewiring while the bus is read: what is not touched goes on, taps stay, settings hold at once.
# SPDX-License-Identifier: Apache-2.0
import copy
import json

import kit

METERS = 8
TELEGRAMS = 9  # of these meters in a round; one of them has two


class Live(kit.Case):
    def begin_round(self, gateway):
        answer = gateway.ask('POST', '/api/v1/commands/node.action',
                             {'node': 'bus', 'action': 'read-now'}, {'Prefer': 'respond-async'})
        self.assertEqual(answer.status, 202)
        return answer.json['job']

    def test_a_round_goes_on_while_the_graph_is_rewired_around_it(self):
        self.sim(METERS)  # at the pace of a line, so that a round takes a while
        graph = kit.add(kit.reading_graph(), [
            {'id': 'unsent', 'type': 'store-query',
             'params': {'destination': 'files', 'wait_for': ['bus']}},
            {'id': 'report', 'type': 'template-render',
             'params': {'template': 'json', 'options': {'lines': True}}},
            {'id': 'files', 'type': 'file-sink'},
        ], ['store.round-stored unsent.in', 'unsent report', 'report files'])
        filtered = copy.deepcopy(graph)
        filtered['nodes'] += [{'id': 'filter', 'type': 'lua-filter',
                               'params': {'script': 'function process(reading) end'}}]
        filtered['edges'] = [e for e in filtered['edges'] if e['from'] != 'decode']
        filtered = kit.add(filtered, [], ['decode filter', 'filter store'])
        gateway = self.gateway(graph, arguments=kit.script_of(self.folder, METERS))
        with gateway.events('tap:bus.out>decode.in,job') as events:
            job = self.begin_round(gateway)
            frames = 0
            for topic, value in events:
                if topic == 'job':
                    if value['id'] == job and value['state'] not in ('queued', 'running'):
                        break
                    continue
                frames += 1
                # With a filter between, without, with another node beside it.
                gateway.apply(kit.add([filtered, graph][frames % 2],
                                      [{'id': f'beside-{frames}', 'type': 'manual-trigger'}]))
        # The tap saw each telegram, over all those changes, and no other.
        self.assertEqual(frames, TELEGRAMS)
        result = gateway.get(f'/api/v1/jobs/{job}')['result']
        self.assertEqual((result['read'], result['failed']), (METERS, 0))
        node = gateway.until_node('store', lambda node: node['own']['stored'] == TELEGRAMS)
        self.assertEqual(node['failed'], 0)
        # The round's end came through whatever was between, and its report was made.
        gateway.until_node('files', lambda node: node['own']['delivered'] == 1)
        nodes = gateway.get('/api/v1/metrics')['nodes']
        self.assertEqual(nodes['bus']['own']['rounds'], 1)
        self.assertEqual(nodes['bus']['own']['undelivered'], 0)
        self.assertEqual(len({r['trace'] for r in gateway.readings()}), TELEGRAMS)
        self.assertEqual(gateway.call('engine.status')['revision'], 1 + TELEGRAMS)
        self.end_well(gateway)

    def test_a_bus_that_is_changed_within_a_round_reads_on(self):
        self.sim(METERS)
        gateway = self.gateway(kit.reading_graph(), arguments=kit.script_of(self.folder, METERS))
        with gateway.events('tap:bus.out>decode.in') as tap:
            gateway.act('now', 'run')
            tap.until(lambda *_: True)
            gateway.apply(kit.reading_graph(telegram_limit=9))
            self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
        self.end_well(gateway)

    def test_watchers_are_told_of_graphs_jobs_logs_and_metrics(self):
        gateway = self.gateway()
        with gateway.events('graph,job,log,metrics') as events:
            answer = gateway.ask('PUT', '/api/v1/graph?remark=more%20of%20it', {
                'meterloom': 1, 'nodes': [{'id': 'a', 'type': 'manual-trigger'}], 'edges': []},
                {'If-Match': '"0"'})
            self.assertEqual((answer.status, answer.headers['ETag']), (200, '"1"'))
            wanted = {
                'graph': lambda v: v['revision'] == 1 and v['remark'] == 'more of it',
                'job': lambda v: v['command'] == 'graph.apply' and v['state'] == 'succeeded',
                'log': lambda v: 'revision 1 runs' in v['text'],
                'metrics': lambda v: 'a' in v['nodes'],
            }
            for topic, value in events:
                if topic in wanted and wanted[topic](value):
                    del wanted[topic]
                if not wanted:
                    break
        self.assertEqual(gateway.ask('GET', '/api/v1/events?topics=tap:a').status, 422)
        self.end_well(gateway)

    def test_a_tap_waits_for_its_edge_and_tells_both_ends_apart(self):
        self.sim(2, arguments=['--fast'])
        gateway = self.gateway(arguments=kit.script_of(self.folder, 2))
        with gateway.events('tap:decode.out>store.in') as tap:
            gateway.apply(kit.reading_graph())
            self.assertEqual(gateway.act('bus', 'read-now')['read'], 2)
            first = tap.until(lambda *_: True)
            second = tap.until(lambda *_: True)
        self.assertNotEqual(json.dumps(first), json.dumps(second))
        self.assertIn('"records"', json.dumps(first))
        self.end_well(gateway)

    def test_a_schedule_follows_the_time_zone_of_the_gateway_at_once(self):
        graph = {'meterloom': 1, 'edges': [], 'nodes': [
            {'id': 'noon', 'type': 'cron-trigger', 'params': {'schedule': '0 12 1 7 *'}},
            {'id': 'own', 'type': 'cron-trigger',
             'params': {'schedule': '0 12 1 7 *', 'time_zone': 'Europe/Paris'}}]}
        gateway = self.gateway(graph)

        def run(node):
            return json.dumps(gateway.act(node, 'preview', {'count': 1}))
        self.assertIn('T12:00:00', run('noon'))
        self.assertNotIn('+09:00', run('noon'))
        paris = run('own')
        gateway.call('setting.set', {'name': 'gateway.time_zone', 'value': 'Asia/Tokyo'})
        self.assertIn('+09:00', run('noon'))
        self.assertEqual(run('own'), paris)
        self.assertEqual(gateway.call('engine.status')['revision'], 1)
        answer = gateway.ask('POST', '/api/v1/commands/setting.set',
                             {'name': 'gateway.time_zone', 'value': 'Mars/Olympus'})
        self.assertEqual(answer.status, 422)
        self.end_well(gateway)
        gateway = self.gateway()
        self.assertIn('+09:00', run('noon'))
        self.end_well(gateway)


if __name__ == '__main__':
    kit.main()
