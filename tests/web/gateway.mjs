/* A gateway for tests of the page: serves its files and answers as the real one does, with what the test
 * gives it.
 * SPDX-License-Identifier: Apache-2.0
 */
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';

const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

const port = (name, direction, type) => ({ name, direction, type, required: false, help: '' });

export const nodeTypes = [
	{ type: 'cron-trigger', title: 'Schedule', category: 'trigger', help: 'Triggers by a schedule.', ports: [port('out', 'out', 'trigger')] },
	{ type: 'mbus-source', title: 'Wired M-Bus', category: 'source', help: 'Reads meters.', ports: [port('trigger', 'in', 'trigger'), port('out', 'out', 'frame')] },
	{ type: 'decode', title: 'Decode telegrams', category: 'process', help: 'Turns telegrams into readings.', ports: [port('in', 'in', 'frame'), port('out', 'out', 'reading')] },
	{ type: 'store', title: 'Store', category: 'store', help: 'Keeps readings.', ports: [port('in', 'in', 'reading'), port('round-stored', 'out', 'trigger')] },
	{ type: 'store-query', title: 'Unsent readings', category: 'store', help: 'Finds what is unsent.', ports: [port('in', 'in', 'trigger'), port('out', 'out', 'batch')] },
	{ type: 'template-render', title: 'Render a report', category: 'report', help: 'Renders.', ports: [port('in', 'in', 'batch'), port('out', 'out', 'document')] },
	{ type: 'http-sink', title: 'Send by HTTP', category: 'sink', help: 'Delivers reports by HTTP POST.', ports: [port('in', 'in', 'document')] },
];

export const graph = {
	meterloom: 1,
	name: 'Substation 7',
	nodes: [
		{ id: 'every-minute', type: 'cron-trigger', params: { schedule: '* * * * *' } },
		{ id: 'bus', type: 'mbus-source', params: { interface: 'serial:/dev/ttyUSB0', baud: 2400 } },
		{ id: 'decode', type: 'decode' },
		{ id: 'store', type: 'store' },
		{ id: 'unsent', type: 'store-query', params: { destination: 'head-end' } },
		{ id: 'csv', type: 'template-render', params: { template: '3101' } },
		{ id: 'head-end', type: 'http-sink', params: { url: 'https://head-end.example/meters', user: 'gw7', password: { secret: 'head-end' } } },
	],
	edges: [
		{ from: 'every-minute', to: 'bus' },
		{ from: 'bus', to: 'decode' },
		{ from: 'decode', to: 'store' },
		{ from: 'store.round-stored', to: 'unsent' },
		{ from: 'unsent', to: 'csv' },
		{ from: 'csv', to: 'head-end' },
	],
};

const node = (over = {}) => ({ state: 'running', received: 0, emitted: 0, failed: 0, dropped: 0, ...over });
const edge = (over = {}) => ({ capacity: 256, depth: 0, high_water: 0, count: 0, rate: 0, age: 0, dropped: 0, ...over });

export function metrics() {
	return {
		time: new Date().toISOString(),
		nodes: {
			'every-minute': node({ text: 'next run 2026-01-31 14:16 UTC', own: { runs: 12 } }),
			bus: node({ received: 12, emitted: 240 }),
			decode: node({ received: 240, emitted: 239, failed: 1 }),
			store: node({ received: 239 }),
			unsent: node({ received: 3 }),
			csv: node({ received: 3, emitted: 3 }),
			'head-end': node({ state: 'fault', text: '0016_valuereport.csv was refused: HTTP 401: who are you?', received: 3, failed: 1 }),
		},
		edges: {
			'every-minute.out>bus.trigger': edge({ rate: 1 / 60, count: 12 }),
			'bus.out>decode.in': edge({ rate: 4.2, depth: 40, count: 240 }),
			'decode.out>store.in': edge({ rate: 4.2, depth: 230, dropped: 17, count: 239 }),
			'store.round-stored>unsent.in': edge({ count: 3 }),
			'unsent.out>csv.in': edge({ count: 3 }),
			'csv.out>head-end.in': edge({ count: 3 }),
		},
		lanes: {},
	};
}

let sequence = 0;
export const line = (level, origin, text) =>
	({ sequence: ++sequence, time: new Date().toISOString(), level, origin, text });

export class Gateway {
	graph = graph;
	metrics = metrics();
	log = [];
	asked = [];
	#streams = new Set();
	#server;

	constructor(dist) {
		this.#server = createServer((request, response) => this.#answer(dist, request, response));
	}

	async start(port = 0) {
		await new Promise((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
		this.port = this.#server.address().port;
		this.url = `http://127.0.0.1:${this.port}/`;
		return this;
	}

	stop() {
		this.#server.closeAllConnections();
		return new Promise((resolve) => this.#server.close(resolve));
	}

	get watchers() {
		return this.#streams.size;
	}

	push(topic, data) {
		for (const stream of this.#streams) stream.write(`event: ${topic}\ndata: ${JSON.stringify(data)}\n\n`);
	}

	cut() {
		for (const stream of this.#streams) stream.destroy();
	}

	#answer(dist, request, response) {
		const { pathname, searchParams } = new URL(request.url, 'http://x');
		const answers = {
			'/api/v1/graph': () => this.graph,
			'/api/v1/node-types': () => nodeTypes,
			'/api/v1/metrics': () => this.metrics,
			'/api/v1/log': () => this.log,
		};
		this.asked.push(`${request.method} ${pathname}`);
		if (pathname === '/api/v1/events') {
			response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
			response.write('retry: 100\n\n');
			this.topics = searchParams.get('topics');
			this.#streams.add(response);
			response.on('close', () => this.#streams.delete(response));
		} else if (answers[pathname]) {
			response.writeHead(200, { 'Content-Type': 'application/json' });
			response.end(JSON.stringify(answers[pathname]()));
		} else {
			const file = join(dist, pathname === '/' ? 'index.html' : pathname);
			const found = existsSync(file);
			response.writeHead(found ? 200 : 404, {
				'Content-Type': types[extname(file)] ?? 'text/plain',
				'Content-Security-Policy': "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
			});
			if (found) createReadStream(file).pipe(response);
			else response.end();
		}
	}
}
