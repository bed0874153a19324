# The life of a gateway: its files are its owner's alone, and it ends soon with all it had read kept.
# SPDX-License-Identifier: Apache-2.0
import os
import signal
import stat

import kit

METERS = 6
SOON = 5  # seconds; a second or two where the machine has nothing else to do


class Life(kit.Case):
    def mode(self, *names):
        return stat.S_IMODE(os.stat(self.path(*names)).st_mode)

    def test_its_files_are_its_owners_alone(self):
        self.sim(METERS, arguments=['--fast'])
        gateway = self.gateway(kit.reading_graph(), arguments=kit.script_of(self.folder, METERS),
                               before=lambda: os.umask(0))
        gateway.call('secret.set', {'name': 'a', 'value': 'b'})
        self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
        gateway.until_node('store', lambda node: node['own']['stored'] >= METERS)
        self.assertEqual(self.mode('data'), 0o700)
        self.assertEqual(self.mode('key', 'device.key'), 0o600)
        names = [name for name in os.listdir(self.path('data'))
                 if not os.path.isdir(self.path('data', name))]
        self.assertTrue({'meterloom.db', 'readings.db', 'readings.db-wal'} <= set(names), names)
        for name in names:
            self.assertEqual(self.mode('data', name), 0o600, name)
        self.end_well(gateway)
        # After a clean end there is nothing to replay.
        self.assertFalse([n for n in os.listdir(self.path('data')) if n.endswith('-wal')])

    def test_what_was_read_is_kept_when_it_is_told_to_end(self):
        self.sim(METERS)  # at the pace of a line
        gateway = self.gateway(kit.reading_graph(), arguments=kit.script_of(self.folder, METERS))
        expected = []
        for number in [signal.SIGTERM, signal.SIGINT, signal.SIGTERM]:
            with gateway.events('tap:decode.out>store.in') as tap:
                gateway.act('now', 'run')
                for _ in range(2):
                    expected.append(tap.until(lambda *_: True)['message']['trace'])
            self.assertLess(self.end_well(gateway, number), SOON)
            gateway = self.gateway()
            traces = [r['trace'] for r in gateway.readings()]
            self.assertTrue(set(expected) <= set(traces), (expected, traces))
            self.assertEqual(len(traces), len(set(traces)))
        self.end_well(gateway)

    def test_a_head_end_that_does_not_answer_does_not_keep_it_from_ending(self):
        self.sim(METERS, arguments=['--fast'])
        head_end = self.sim(head_end=True, answers='delay 10min, 200')
        gateway = self.gateway(kit.reporting_graph(head_end.url),
                               arguments=kit.script_of(self.folder, METERS))
        self.assertEqual(gateway.act('bus', 'read-now')['read'], METERS)
        gateway.until_node('store', lambda node: node['own']['stored'] >= METERS)
        gateway.act('send', 'run')
        gateway.until_node('head-end', lambda node: 'sending' in node.get('text', ''))
        self.assertLess(self.end_well(gateway), SOON)
        # The report waits for the next start.
        gateway = self.gateway()
        node = gateway.until_node('unsent', lambda node: node['own']['outstanding'] > 0)
        self.assertEqual(node['state'], 'waiting')
        self.end_well(gateway)

    def test_a_missing_bus_and_many_watchers_do_not_keep_it_from_ending(self):
        gateway = self.gateway(kit.reading_graph(), arguments=kit.script_of(self.folder, METERS))
        watchers = [gateway.events('metrics,log') for _ in range(20)]
        gateway.act('now', 'run')
        self.assertLess(self.end_well(gateway), SOON)
        for watcher in watchers:
            watcher.connection.close()

    def test_a_database_that_is_none_is_told_at_the_start(self):
        os.mkdir(self.path('data'), 0o700)
        with open(self.path('data', 'meterloom.db'), 'wb') as file:
            file.write(b'this is no database' * 100)
        gateway = kit.Gateway(self.folder)
        self.programs.append(gateway)
        gateway.hear(r'meterloom\.db: .*not a database')
        self.assertEqual(gateway.process.wait(kit.PATIENCE), 1)


if __name__ == '__main__':
    kit.main()
