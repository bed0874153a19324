# The real program, killed at random moments while it reads and reports: what could be seen in the store
# stays, all of it reaches the head-end in order, and what comes again is the same.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import random
import signal
import threading
import time

import kit

METERS = 5
KILLS = 50 if os.environ.get('METERLOOM_SOAK') == '1' else 5


class Kill(kit.Case):
    def ask_in_vain(self, gateway, node, action):
        """Whether it is answered is not waited for."""
        def ask():
            try:
                gateway.act(node, action)
            except (OSError, AssertionError, kit.http.client.HTTPException):
                pass
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        return thread

    def one_life(self, graph, seen, arguments):
        gateway = self.gateway(graph, arguments=arguments)
        seen.update(r['trace'] for r in gateway.readings())
        threads = [self.ask_in_vain(gateway, 'bus', 'read-now'),
                   self.ask_in_vain(gateway, 'send', 'run')]
        # The moment is what is random here; nothing is waited for.
        time.sleep(random.random() * 0.4)
        threads.append(self.ask_in_vain(gateway, 'send', 'run'))
        time.sleep(random.random() * 0.2)
        status, _ = gateway.end(signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL)
        for thread in threads:
            thread.join(kit.PATIENCE)

    def test_killed_at_random_moments(self):
        random.seed(20)
        self.sim(METERS, arguments=['--fast'])
        head_end = self.sim(head_end=True)
        graph = kit.reporting_graph(head_end.url)
        seen = set()
        for i in range(KILLS):
            script = kit.script_of(self.folder, METERS) if i == 0 else ()
            self.one_life(graph, seen, script)
        gateway = self.gateway(graph)
        gateway.act('bus', 'read-now')
        stored = sorted(r['trace'] for r in gateway.readings())
        self.assertEqual(len(stored), len(set(stored)))
        self.assertLessEqual(seen, set(stored))
        gateway.act('send', 'run')
        gateway.until_node('unsent', lambda node: node['own']['outstanding'] == 0)
        gateway.until_node('head-end', lambda node: node['own']['delivered'] >= 1)
        stored = sorted(r['trace'] for r in gateway.readings())
        bodies = {}
        came = []
        for report in head_end.reports():
            body = head_end.body(report)
            if report['status'] != 200:
                continue
            if bodies.setdefault(report['key'], body) != body:
                self.fail(f'{report["key"]} came again with other bytes')
            if not report['repeated']:
                came += [json.loads(line)['trace'] for line in body.splitlines()]
        self.assertGreater(len(came), 2 * METERS)
        self.assertEqual(came, sorted(set(came)))
        self.assertEqual(came, stored)


if __name__ == '__main__':
    kit.main()
