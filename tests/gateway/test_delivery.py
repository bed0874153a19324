# What reaches the head-end: all of it, in order, and nothing twice under another name, whatever the
# head-end answers and however often the gateway ends or is killed.
# SPDX-License-Identifier: Apache-2.0
import json
import signal

import kit

METERS = 5


class Delivery(kit.Case):
    def telegrams(self, head_end):
        """The traces of all readings that were accepted, in the order in which they came."""
        return [json.loads(line)['trace'] for report in head_end.accepted()
                for line in head_end.body(report).splitlines()]

    def expect_all(self, gateway, head_end):
        """Each stored reading came once, in the order of the store."""
        came = self.telegrams(head_end)
        self.assertEqual(came, sorted(came))
        self.assertEqual(came, sorted(r['trace'] for r in gateway.readings()))

    def read_round(self, gateway):
        before = gateway.get('/api/v1/metrics')['nodes']['store']['own']['stored']
        result = gateway.act('bus', 'read-now')
        self.assertEqual((result['read'], result['failed']), (METERS, 0))
        gateway.until_node('store', lambda node: node['own']['stored'] >= before + METERS)

    def until_delivered(self, gateway, count):
        gateway.until_node('head-end', lambda node: node['own']['delivered'] >= count)
        gateway.until_node('unsent', lambda node: node['own']['outstanding'] == 0)

    def test_what_fails_is_tried_again_and_what_is_refused_waits(self):
        self.sim(METERS, arguments=['--fast'])
        head_end = self.sim(head_end=True, answers='503 x3, close, 400, 200')
        graph = kit.reporting_graph(head_end.url,
                                    sink={'retry': 'fixed', 'retry_count': 5, 'retry_wait': 0})
        gateway = self.gateway(graph, arguments=kit.script_of(self.folder, METERS))
        with gateway.events('event') as events:
            self.read_round(gateway)
            gateway.act('send', 'run')
            refused = events.until(lambda _, event: event['code'] == 'report-refused')
        self.assertIn('HTTP 400', json.dumps(refused))
        node = gateway.until_node('head-end', lambda node: node['state'] == 'fault')
        self.assertIn('was refused', node['text'])
        status = gateway.call('store.status')['destinations'][0]
        self.assertEqual(status['outstanding']['readings'], len(gateway.readings()))
        # Triggers do not send it again; asked by a person, it is taken: the same report, whole.
        self.read_round(gateway)
        gateway.act('send', 'run')
        entry = gateway.get('/api/v1/reports')['destinations'][0]
        self.assertEqual((entry['state'], entry['last']['result']), ('refused', 'refused'))
        self.assertIn('HTTP 400', entry['last']['reason'])
        self.assertEqual(len(head_end.reports()), 5)
        gateway.call('report.rebuild', {'destination': entry['destination']})
        self.until_delivered(gateway, 1)
        reports = head_end.reports()
        self.assertEqual([r['status'] for r in reports[:6]], [503, 503, 503, 0, 400, 200])
        self.assertEqual(len({(r['filename'], r['key']) for r in reports[:5]}), 1)
        # Built anew it is another to the receiver, who may remember keys that it refused.
        self.assertEqual(reports[5]['filename'], reports[0]['filename'])
        self.assertNotEqual(reports[5]['key'], reports[0]['key'])
        self.assertEqual(len({head_end.body(r) for r in reports[:6]}), 1)
        # What was read meanwhile goes with the next one.
        gateway.act('send', 'run')
        self.until_delivered(gateway, 2)
        self.expect_all(gateway, head_end)
        self.end_well(gateway)

    def test_a_report_is_downloaded_and_tested_before_it_goes(self):
        self.sim(METERS, arguments=['--fast'])
        head_end = self.sim(head_end=True)
        graph = kit.reporting_graph(head_end.url)
        gateway = self.gateway(graph, arguments=kit.script_of(self.folder, METERS))
        self.read_round(gateway)
        destination = gateway.get('/api/v1/reports')['destinations'][0]
        self.assertEqual((destination['state'], destination['behind']['readings']), ('idle', METERS))
        path = '/api/v1/reports/' + destination['destination']
        document = gateway.ask('POST', path + '/download').json['documents'][0]
        file = gateway.ask('GET', '/api/v1/documents/' + document['document'])
        self.assertEqual((file.status, len(file.text.splitlines())), (200, METERS))
        self.assertEqual(head_end.reports(), [])
        tested = gateway.ask('POST', path + '/test').json
        self.assertEqual(tested['readings'], METERS)
        self.assertEqual([r['filename'][:5] for r in head_end.reports()], ['test-'])
        self.assertEqual(gateway.get('/api/v1/reports')['destinations'][0]['sequence'], 0)
        gateway.act('send', 'run')
        self.until_delivered(gateway, 2)
        report = head_end.reports()[1]
        self.assertEqual(head_end.body(report), file.text)
        delivery = gateway.get(path + '/deliveries?limit=1')['deliveries'][0]
        self.assertEqual((delivery['result'], delivery['documents'][0]['name']),
                         ('delivered', report['filename']))
        self.end_well(gateway)

    def test_later_starts_go_on_where_the_first_stopped(self):
        self.sim(METERS, arguments=['--fast'])
        head_end = self.sim(head_end=True)
        graph = kit.reporting_graph(head_end.url)
        start = kit.script_of(self.folder, METERS)
        gateway = self.gateway(graph, arguments=start)
        self.assertEqual(gateway.call('engine.status')['epoch'], 1)
        self.read_round(gateway)
        gateway.act('send', 'run')
        self.until_delivered(gateway, 1)
        self.read_round(gateway)  # is not sent by this start
        self.end_well(gateway)
        # The same graph again is no new revision; the list again changes nothing.
        gateway = self.gateway(graph, arguments=start)
        status = gateway.call('engine.status')
        self.assertEqual((status['epoch'], status['revision']), (2, 1))
        self.assertEqual(len(gateway.get('/api/v1/meters')['meters']), METERS)
        self.read_round(gateway)
        gateway.act('send', 'run')
        self.until_delivered(gateway, 1)
        # A graph of one's own lasts over a start with the old file.
        gateway.apply(kit.add(graph, [{'id': 'more', 'type': 'manual-trigger'}]))
        self.end_well(gateway)
        gateway = self.gateway(graph)
        status = gateway.call('engine.status')
        self.assertEqual((status['epoch'], status['revision']), (3, 2))
        self.assertIn('more', [n['id'] for n in gateway.get('/api/v1/nodes')])
        self.read_round(gateway)
        gateway.act('send', 'run')
        self.until_delivered(gateway, 1)
        self.expect_all(gateway, head_end)
        self.assertEqual(len({r['filename'] for r in head_end.reports()}), 3)

    def test_a_report_under_way_when_it_is_killed_comes_again_as_it_was(self):
        self.sim(METERS, arguments=['--fast'])
        head_end = self.sim(head_end=True, answers='delay 90s, 200, delay 90s, 503')
        graph = kit.reporting_graph(head_end.url)
        gateway = self.gateway(graph, arguments=kit.script_of(self.folder, METERS))
        for _ in range(2):
            self.read_round(gateway)
            gateway.act('send', 'run')
            gateway.until_node('head-end', lambda node: 'sending' in node.get('text', ''))
            self.assertEqual(gateway.end(signal.SIGKILL)[0], -signal.SIGKILL)
            gateway = self.gateway()
        gateway.act('send', 'run')  # sends again what was under way
        self.until_delivered(gateway, 1)
        gateway.act('send', 'run')
        self.until_delivered(gateway, 2)
        self.expect_all(gateway, head_end)
        status = gateway.call('store.status')['destinations'][0]
        self.assertEqual(status['behind'], 0)


if __name__ == '__main__':
    kit.main()
