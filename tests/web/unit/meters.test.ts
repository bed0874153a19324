import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NodeFigures, NodeState } from '../../../web-editor/src/gateway/types';
import type { ModelNode } from '../../../web-editor/src/graph/model';
import { troubledOf } from '../../../web-editor/src/meters/buses';
import { grouped, measured, withExactValues } from '../../../web-editor/src/meters/exact';
import {
	addressOf,
	comparison,
	finder,
	numberOf,
	shownState,
	timeOf,
	window,
	type Column,
} from '../../../web-editor/src/meters/list';
import type { Meter } from '../../../web-editor/src/meters/types';
import { canEnter, entryOf, tally, type FoundRow } from '../../../web-editor/src/meters/results';
import { sorted, type Value } from '../../../web-editor/src/meters/values';

const meter = (order: number, more: Partial<Meter> = {}): Meter => ({
	point: order + 100,
	order,
	moid: `heat ${order}`,
	state: 'active',
	bus: '',
	mode: 'primary',
	primary: order,
	multi: 'bus',
	device: { id: '12345678', manufacturer: 'KAM', medium: 'heat', medium_code: 4, from: '' },
	earlier_devices: [],
	readout: { state: 'read', read: '2026-01-31T14:15:00.000Z' },
	...more,
});
const orders = (meters: Meter[], by: Column, down = false) =>
	[...meters].sort(comparison({ by, down }, 'en', (m) => m.device?.medium ?? '')).map((m) => m.order);

test('names sort as people count, and what has none comes last both ways', () => {
	const list = [
		meter(1, { moid: 'Flat 10' }),
		meter(2, { moid: '' }),
		meter(3, { moid: 'flat 9' }),
	];
	assert.deepEqual(orders(list, 'moid'), [3, 1, 2]);
	assert.deepEqual(orders(list, 'moid', true), [1, 3, 2]);
});

test('failed readouts come first where one sorts by them, then what was never read', () => {
	const list = [
		meter(1),
		meter(2, { readout: { state: 'never' } }),
		meter(3, { readout: { state: 'failed', reason: 'timeout' } }),
		meter(4, { state: 'passive' }),
	];
	assert.deepEqual(orders(list, 'state'), [3, 2, 1, 4]);
	assert.deepEqual(list.map(shownState), ['read', 'never', 'failed', 'passive']);
});

test('a meter is found by any of its words, whatever its accents and capitals', () => {
	const list = [
		meter(1, { moid: 'Côté Élysée' }),
		meter(2, { device: null, secondary: '87654321.EFE.00.07', mode: 'secondary' }),
	];
	const found = (text: string) =>
		list.filter(finder(text, () => ['chaleur'])).map((m) => m.order);
	assert.deepEqual(found('elysee'), [1]);
	assert.deepEqual(found('ELYS 123'), [1]);
	assert.deepEqual(found('8765 efe'), [2]);
	assert.deepEqual(found('#102'), [2]);
	assert.deepEqual(found('chaleur'), [1, 2]);
	assert.deepEqual(found(' '), [1, 2]);
	assert.deepEqual(found('elysee efe'), []);
});

test('before it has answered a meter is known by its address', () => {
	const unread = meter(1, { device: null, secondary: '87654321.EFE.00.07', mode: 'secondary' });
	assert.equal(numberOf(unread), '87654321');
	assert.equal(addressOf(unread), '87654321.EFE.00.07');
	assert.equal(addressOf(meter(5)), '5');
});

test('the time is that of the last try where it failed', () => {
	const failed = { state: 'failed', read: 'a', tried: 'b' } as const;
	assert.equal(timeOf(meter(1, { readout: failed })), 'b');
	assert.equal(timeOf(meter(1, { readout: { state: 'never' } })), '');
});

test('of a long list the rows in view are drawn, and the one that has the focus', () => {
	const at = (top: number, kept = -1) => window(4000, { top, height: 360, row: 36 }, kept);
	const start = at(0);
	assert.equal(start.drawn[0]!.at, 0);
	assert.ok(start.drawn.length >= 10 && start.drawn.length < 60);
	const middle = at(36_000, 3);
	assert.deepEqual(middle.drawn[0], { at: 3, gap: 3 });
	const total = middle.drawn.reduce((sum, { gap }) => sum + gap + 1, 0) + middle.after;
	assert.equal(total, 4000);
	assert.ok(middle.drawn.some((row) => row.at === 1000));
	assert.equal(at(1e9).after, 0);
	assert.deepEqual(window(0, { top: 0, height: 360, row: 36 }, -1), { drawn: [], after: 0 });
});

test('what is entered by hand has a rate of its own only where its bus has another', () => {
	const buses = [{ name: '', node: 'bus', interface: '', baud: 2400 }];
	const row: FoundRow = {
		bus: '',
		secondary: '12345678.KAM.1B.04',
		mode: 'secondary',
		primary: 5,
		baud: 2400,
		result: 'new',
		text: '',
	};
	assert.ok(canEnter(row));
	assert.deepEqual(entryOf(row, buses), [
		'meter.add',
		{ bus: '', primary: 5, mode: 'secondary', secondary: '12345678.KAM.1B.04' },
	]);
	const moved: FoundRow = { ...row, result: 'moved', point: 7, baud: 300 };
	assert.deepEqual(entryOf(moved, buses), [
		'meter.change',
		{ meter: '#7', bus: '', primary: 5, baud: 300 },
	]);
	assert.ok(!canEnter({ ...row, result: 'known', point: 7 }));
	assert.deepEqual(tally([row, moved, row]), [
		['moved', 1],
		['new', 2],
	]);
});

test('a bus that cannot be read is told, one that has no meters yet is not', () => {
	const node = (id: string): ModelNode => ({
		id,
		type: 'mbus-source',
		title: '',
		help: '',
		params: { bus: id },
		inputs: [],
		outputs: [],
		metrics: [],
	});
	const said = (state: NodeState, text: string): NodeFigures => ({
		state,
		text,
		since: '',
		lane: '',
		received: 0,
		emitted: 0,
		failed: 0,
		dropped: 0,
	});
	// As nodes/mbus/source_line.c says it.
	const source = readFileSync(join(process.env['METERLOOM_ROOT']!, 'nodes/mbus/source_line.c'));
	assert.ok(source.includes('"the meter list has no active meter on %s%s%s: add or import some"'));
	const told = troubledOf([node('a'), node('b'), node('c')], {
		a: said('waiting', 'the meter list has no active meter on the default bus: add some'),
		b: said('waiting', 'the serial device is not there'),
		c: said('running', '3 meters'),
	});
	assert.deepEqual(told, [{ node: 'b', text: 'the serial device is not there' }]);
});

test('values keep each digit that the gateway wrote', () => {
	const told = withExactValues(
		'{"value":0.000,"of":{"value": 12345678901234567890 },"text":"\\"value\\":1","value2":"value"}',
	) as Record<string, unknown>;
	assert.deepEqual(told['value'], { digits: '0.000' });
	assert.deepEqual(told['of'], { value: { digits: '12345678901234567890' } });
	assert.equal(told['text'], '"value":1');
});

test('energy is told in kWh, and durations in the largest unit that is whole', () => {
	assert.equal(measured('609710000', 'Wh', 'en'), '609,710 kWh');
	assert.equal(measured('609710500', 'Wh', 'en'), '609,710.5 kWh');
	assert.equal(measured('5', 'Wh', 'en'), '0.005 kWh');
	assert.equal(measured('-1200', 'Wh', 'en'), '-1.2 kWh');
	assert.equal(measured('1234567.50', 'm³', 'fr').replace(/\s/g, ' '), '1 234 567,50 m³');
	assert.equal(measured('28080000', 's', 'en'), '7,800 h');
	assert.equal(measured('90', 's', 'en'), '90 s');
	assert.equal(grouped('1e5', 'en'), '1e5');
});

test('what is measured now comes first, all else apart', () => {
	const value = (quantity: string, storage = 0): Value => ({
		series: quantity + storage,
		quantity,
		unit: '',
		value: null,
		function: 'instantaneous',
		storage,
		tariff: 0,
		subunit: 0,
	});
	const { main, more } = sorted([
		value('fabrication-number'),
		value('power'),
		value('energy', 1),
		value('energy'),
	]);
	const names = (values: Value[]) => values.map((each) => each.series);
	assert.deepEqual(names(main), ['energy0', 'power0']);
	assert.deepEqual(names(more), ['fabrication-number0', 'energy1']);
	assert.deepEqual(names(sorted([value('date')]).main), ['date0']);
});
