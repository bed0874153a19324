import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
	SILENCE,
	Stream,
	WAITS,
	type Source,
	type World,
} from '../../../web-editor/src/gateway/stream';

/** A world whose clock goes on by hand, and whose streams do what a test says. */
class Bench implements World {
	time = 0;
	sources: (Source & { closed: boolean; fire(type: string, data?: unknown): void })[] = [];
	#timers: { at: number; call: () => void }[] = [];

	open() {
		const listeners = new Map<string, ((event: { data?: string }) => void)[]>();
		const source = {
			closed: false,
			addEventListener(type: string, listener: (event: { data?: string }) => void) {
				listeners.set(type, [...(listeners.get(type) ?? []), listener]);
			},
			close() {
				source.closed = true;
			},
			fire(type: string, data?: unknown) {
				const event = data === undefined ? {} : { data: JSON.stringify(data) };
				for (const listener of listeners.get(type) ?? []) listener(event);
			},
		};
		this.sources.push(source);
		return source;
	}

	now() {
		return this.time;
	}

	after(milliseconds: number, call: () => void) {
		const timer = { at: this.time + milliseconds, call };
		this.#timers.push(timer);
		return () => {
			this.#timers = this.#timers.filter((other) => other !== timer);
		};
	}

	pass(milliseconds: number) {
		const end = this.time + milliseconds;
		for (;;) {
			const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
			if (!due) break;
			this.time = due.at;
			this.#timers = this.#timers.filter((other) => other !== due);
			due.call();
		}
		this.time = end;
	}
}

function setUp(opened: () => Promise<void> = async () => {}) {
	const bench = new Bench();
	const told: unknown[] = [];
	const states: string[] = [];
	const stream = new Stream('/events', ['metrics', 'log'], bench, {
		opened,
		told: (topic, data) => told.push([topic, data]),
		changed: (state, retryAt) =>
			states.push(retryAt === undefined ? state : `${state} ${retryAt}`),
	});
	stream.open();
	return { bench, told, states, stream, last: () => bench.sources.at(-1)! };
}

const settled = () => new Promise((done) => setImmediate(done));

test('it is live once all has been fetched, and tells what comes', async () => {
	const { told, states, last } = setUp();
	last().fire('open');
	assert.deepEqual(states, ['connecting']);
	await settled();
	assert.deepEqual(states, ['connecting', 'live']);
	last().fire('log', { text: 'x' });
	assert.deepEqual(told, [['log', { text: 'x' }]]);
});

test('each break makes the wait longer, up to a limit, and success makes it short again', async () => {
	const { bench, states, last } = setUp();
	for (const wait of [...WAITS, WAITS.at(-1)!]) {
		last().fire('error');
		assert.equal(states.at(-1), `away ${bench.time + wait}`);
		assert.ok(last().closed);
		const before = bench.sources.length;
		bench.pass(wait);
		assert.equal(bench.sources.length, before + 1);
	}
	last().fire('open');
	await settled();
	last().fire('error');
	assert.equal(states.at(-1), `away ${bench.time + WAITS[0]!}`);
});

test('silence counts as a break, figures now and then do not', async () => {
	const { bench, states, last } = setUp();
	last().fire('open');
	await settled();
	for (let i = 0; i < 20; i++) {
		bench.pass(1000);
		last().fire('metrics', {});
	}
	assert.equal(states.at(-1), 'live');
	bench.pass(SILENCE);
	assert.match(states.at(-1)!, /^away/);
});

test('a gateway that streams but does not answer is away', async () => {
	const { states, last } = setUp(() => Promise.reject(new Error('503')));
	last().fire('open');
	await settled();
	assert.match(states.at(-1)!, /^away/);
});

test('a stream that was given up says nothing more', async () => {
	const { bench, told, states, last, stream } = setUp();
	const first = last();
	first.fire('open');
	await settled();
	stream.open();
	first.fire('metrics', {});
	first.fire('error');
	assert.deepEqual(told, []);
	assert.equal(states.at(-1), 'away');
	stream.close();
	bench.pass(100_000);
	assert.equal(bench.sources.length, 2);
});
