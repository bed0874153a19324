// A gateway for the tests of the page that does what a test tells it: faults, drops, full wires,
// silence. It writes what the real one writes; that it does so is what gateway.mjs proves.

import { createServer } from 'node:http';

const port = (name, direction, type) => ({ name, direction, type, required: false, help: null });
const nodeType = (type, title, category, ports, metrics = []) => ({
	type,
	title,
	category,
	ports,
	metrics,
	version: 1,
	help: `${title}: what it does, in a sentence or two of the declaration.`,
	lane: 'main',
	params: { type: 'object' },
	actions: [],
});

export const nodeTypes = [
	nodeType('cron-trigger', 'Schedule', 'trigger', [port('out', 'out', 'trigger')]),
	nodeType(
		'mbus-source',
		'Wired M-Bus',
		'source',
		[port('in', 'in', 'trigger'), port('out', 'out', 'frame')],
		[{ name: 'timeouts', kind: 'counter', help: 'Requests that no meter answered.' }],
	),
	nodeType('decode', 'Decode telegrams', 'process', [
		port('in', 'in', 'frame'),
		port('out', 'out', 'reading'),
		port('failed', 'out', 'frame'),
	]),
	nodeType('lua-filter', 'Lua filter', 'process', [
		port('in', 'in', 'reading'),
		port('out', 'out', 'reading'),
	]),
	nodeType('store', 'Keep readings', 'store', [
		port('in', 'in', 'reading'),
		port('stored', 'out', 'reading'),
		port('round-stored', 'out', 'trigger'),
	]),
	nodeType('store-query', 'Readings to send', 'store', [
		port('in', 'in', 'trigger'),
		port('out', 'out', 'batch'),
	]),
	nodeType('template-render', 'Render a report', 'report', [
		port('in', 'in', 'batch'),
		port('out', 'out', 'document'),
	]),
	nodeType('http-sink', 'Send by HTTP', 'sink', [port('in', 'in', 'document')]),
	nodeType('file-sink', 'Write files', 'sink', [port('in', 'in', 'document')]),
];

export const graph = {
	meterloom: 1,
	name: 'Substation 7',
	nodes: [
		{ id: 'every-minute', type: 'cron-trigger', params: { schedule: '*/1 * * * *' } },
		{
			id: 'bus',
			type: 'mbus-source',
			params: { interface: 'serial:/dev/ttyUSB0', baud: 2400 },
		},
		{ id: 'decode', type: 'decode' },
		{ id: 'no-zeroes', type: 'lua-filter', params: { script: 'no-zeroes.lua' } },
		{ id: 'store', type: 'store' },
		{ id: 'nightly', type: 'cron-trigger', params: { schedule: '?0-30 2 * * *' } },
		{ id: 'unsent', type: 'store-query', params: { destination: 'head-end', interval: 'all' } },
		{ id: 'csv', type: 'template-render', params: { template: '3101' } },
		{
			id: 'head-end',
			type: 'http-sink',
			params: {
				url: 'https://head-end.example/meters',
				user: 'gw7',
				password: { secret: 'head-end' },
			},
		},
		{ id: 'copies', type: 'file-sink', params: { folder: 'copies' } },
	],
	edges: [
		{ from: 'every-minute', to: 'bus' },
		{ from: 'bus', to: 'decode' },
		{ from: 'decode', to: 'no-zeroes' },
		{ from: 'no-zeroes', to: 'store', capacity: 1024, when_full: 'drop-oldest' },
		{ from: 'store.round-stored', to: 'unsent' },
		{ from: 'nightly', to: 'unsent' },
		{ from: 'unsent', to: 'csv' },
		{ from: 'csv', to: 'head-end' },
		{ from: 'csv', to: 'copies', optional: true },
	],
};

const wires = [
	'every-minute.out>bus.in',
	'bus.out>decode.in',
	'decode.out>no-zeroes.in',
	'no-zeroes.out>store.in',
	'store.round-stored>unsent.in',
	'nightly.out>unsent.in',
	'unsent.out>csv.in',
	'csv.out>head-end.in',
	'csv.out>copies.in',
];

function freshState() {
	const since = new Date(Date.now() - 4_000_000).toISOString();
	return {
		graph: structuredClone(graph),
		revision: 12,
		epoch: 3,
		nodes: Object.fromEntries(
			graph.nodes.map(({ id, type }) => [
				id,
				{
					type,
					lane: type === 'store' ? 'database' : 'main',
					state: 'running',
					since,
					received: 12_480,
					emitted: 12_480,
					failed: 0,
					dropped: 0,
					...(type === 'mbus-source' ? { own: { timeouts: 3 } } : {}),
				},
			]),
		),
		edges: Object.fromEntries(
			wires.map((key) => [
				key,
				{
					capacity: 256,
					depth: 0,
					high_water: 20,
					count: 12_480,
					rate: 0,
					age: 0,
					dropped: 0,
				},
			]),
		),
		log: [],
		jobs: [],
	};
}

export class Fixture {
	state = freshState();
	/** each route that was asked */
	asked = [];
	/** what it can be called to do: a function of the parameters by the name of the command. What
	 * it throws is the refusal: { status, errors } */
	commands = {};
	#assets;
	#server;
	#port = 0;
	#watchers = new Set();
	#ticks;

	constructor(assets) {
		this.#assets = assets;
	}

	get url() {
		return `http://127.0.0.1:${this.#port}`;
	}

	/** The second start takes the port of the first. */
	async start() {
		this.#server = createServer((request, response) => this.#answer(request, response));
		await new Promise((done) => this.#server.listen(this.#port, '127.0.0.1', done));
		this.#port = this.#server.address().port;
		this.#ticks = setInterval(() => this.tick(), 200);
	}

	async stop() {
		clearInterval(this.#ticks);
		const closed = new Promise((done) => this.#server.close(done));
		for (const watcher of this.#watchers) watcher.destroy();
		this.#watchers.clear();
		this.#server.closeAllConnections();
		await closed;
	}

	/** Stays connected and says nothing more. */
	fallSilent() {
		clearInterval(this.#ticks);
	}

	tell(topic, data) {
		for (const watcher of this.#watchers) {
			watcher.write(`event: ${topic}\ndata: ${JSON.stringify(data)}\n\n`);
		}
	}

	tick() {
		this.tell('metrics', this.#metrics());
	}

	log(level, origin, text) {
		const sequence = this.state.log.length + 1;
		const entry = { sequence, time: new Date().toISOString(), level, origin, text };
		this.state.log.push(entry);
		this.tell('log', entry);
	}

	#metrics() {
		const { nodes, edges } = this.state;
		return { time: new Date().toISOString(), nodes, edges, lanes: {} };
	}

	/** Runs a command; one that is only to be started answers the number of its job. */
	async #call(request, response, name) {
		let body = '';
		for await (const part of request) body += part;
		const json = (status, value) => {
			response.writeHead(status, { 'Content-Type': 'application/json' });
			response.end(typeof value === 'string' ? value : JSON.stringify(value ?? null));
		};
		try {
			const answer = await this.commands[name](JSON.parse(body));
			if (request.headers.prefer === 'respond-async') json(202, { job: answer });
			else json(200, answer);
		} catch ({ status = 500, errors, message }) {
			json(status, { title: 'Refused', status, detail: message, errors });
		}
	}

	#answer(request, response) {
		const { pathname } = new URL(request.url, this.url);
		this.asked.push(pathname);
		const json = (value, headers = {}) => {
			response.writeHead(200, { 'Content-Type': 'application/json', ...headers });
			response.end(JSON.stringify(value));
		};
		const called = pathname.split('/commands/')[1];
		if (called && request.method === 'POST' && this.commands[called])
			return void this.#call(request, response, called);
		switch (pathname) {
			case '/api/v1/commands':
				return json(
					Object.keys(this.commands).map((name) => ({ name, params: { properties: {} } })),
				);
			case '/api/v1/graph':
				return json(this.state.graph, { ETag: `"${this.state.revision}"` });
			case '/api/v1/node-types':
				return json(nodeTypes);
			case '/api/v1/metrics':
				return json(this.#metrics());
			case '/api/v1/log':
				return json(this.state.log);
			case '/api/v1/jobs':
				return json(this.state.jobs);
			case '/api/v1/status':
				return json({ version: '0.1.0', name: '', epoch: this.state.epoch });
			case '/api/v1/events':
				response.writeHead(200, { 'Content-Type': 'text/event-stream' });
				response.write('retry: 2000\n\n');
				this.#watchers.add(response);
				response.on('close', () => this.#watchers.delete(response));
				return undefined;
		}
		const asset = this.#assets.get(pathname === '/' ? '/index.html' : pathname);
		if (!asset) {
			response.writeHead(404);
			return response.end();
		}
		response.writeHead(200, {
			'Content-Type': asset.type,
			'Content-Encoding': 'gzip',
			'Content-Security-Policy': "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
		});
		return response.end(asset.bytes);
	}
}
