import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeType } from '../../../web-editor/src/gateway/types';
import { buildModel, fillOf, walkOrder } from '../../../web-editor/src/graph/model';

const type = (name: string, ...ports: [string, 'in' | 'out', string][]): NodeType => ({
	type: name,
	title: name,
	help: '',
	category: 'process',
	metrics: [],
	ports: ports.map(([port, direction, message]) => ({
		name: port,
		direction,
		type: message,
		help: null,
	})),
});
const types = [
	type('source', ['trigger', 'in', 'trigger'], ['out', 'out', 'frame'], ['lost', 'out', 'event']),
	type('decode', ['in', 'in', 'frame'], ['out', 'out', 'reading'], ['failed', 'out', 'frame']),
	type('store', ['in', 'in', 'reading'], ['done', 'out', 'trigger']),
];
const nodes = [
	{ id: 'bus', type: 'source' },
	{ id: 'decode', type: 'decode' },
	{ id: 'again', type: 'decode' },
	{ id: 'store', type: 'store' },
];

test('a port that is left out is the one whose type fits', () => {
	const edges = [
		{ from: 'bus', to: 'decode' },
		{ from: 'decode.failed', to: 'again' },
		{ from: 'decode', to: 'store' },
	];
	const { wires } = buildModel({ meterloom: 1, nodes, edges }, types);
	assert.deepEqual(
		wires.map((wire) => wire.key),
		['bus.out>decode.in', 'decode.failed>again.in', 'decode.out>store.in'],
	);
	assert.deepEqual(
		wires.map((wire) => wire.messageType),
		['frame', 'frame', 'reading'],
	);
});

test('an edge tells what it does when it is full', () => {
	const edges = [
		{ from: 'bus', to: 'decode' },
		{ from: 'decode', to: 'store', when_full: 'drop-oldest' as const, optional: true },
	];
	const { wires } = buildModel({ meterloom: 1, nodes, edges }, types);
	assert.deepEqual([wires[0]!.whenFull, wires[0]!.optional], ['wait', false]);
	assert.deepEqual([wires[1]!.whenFull, wires[1]!.optional], ['drop-oldest', true]);
});

test('an empty graph has no nodes', () => {
	assert.deepEqual(buildModel({ meterloom: 1 }, types).nodes, []);
});

test('a wire is amber from 60 % and red from 85 % of its capacity', () => {
	assert.equal(fillOf(0, 0), 'low');
	assert.equal(fillOf(59, 100), 'low');
	assert.equal(fillOf(60, 100), 'high');
	assert.equal(fillOf(84, 100), 'high');
	assert.equal(fillOf(85, 100), 'full');
});

test('the walk goes along the wires, a node after all that feed it', () => {
	const edges = [
		{ from: 'decode', to: 'store' },
		{ from: 'bus', to: 'decode' },
		{ from: 'again', to: 'store' },
	];
	const order = walkOrder(buildModel({ meterloom: 1, nodes, edges }, types)).map(({ id }) => id);
	assert.deepEqual(order, ['bus', 'decode', 'again', 'store']);
});
