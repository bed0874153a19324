import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addEntries, atLeast, lastTroubles, LOG_KEPT } from '../../../web-editor/src/gateway/log';
import type { Level, LogEntry } from '../../../web-editor/src/gateway/types';

const entry = (sequence: number, level: Level = 'info', origin = 'bus'): LogEntry => ({
	sequence,
	level,
	origin,
	time: '2026-01-31T14:15:00.000Z',
	text: `${sequence}`,
});
const numbers = (entries: LogEntry[]) => entries.map(({ sequence }) => sequence);

test('entries that come by list and by stream are kept once, in order', () => {
	const byStream = addEntries([], [entry(4), entry(5)]);
	assert.deepEqual(numbers(addEntries(byStream, [entry(2), entry(3), entry(4)])), [2, 3, 4, 5]);
	assert.deepEqual(numbers(addEntries(byStream, [entry(5)])), [4, 5]);
	assert.deepEqual(numbers(addEntries(byStream, [entry(6)])), [4, 5, 6]);
});

test('only the newest are kept', () => {
	const many = Array.from({ length: LOG_KEPT + 10 }, (_, i) => entry(i + 1));
	const kept = addEntries([], many);
	assert.equal(kept.length, LOG_KEPT);
	assert.equal(kept[0]!.sequence, 11);
});

test('a severity shows itself and what is worse', () => {
	const all = [entry(1, 'debug'), entry(2, 'info'), entry(3, 'warning'), entry(4, 'error')];
	assert.deepEqual(numbers(atLeast(all, 'debug')), [1, 2, 3, 4]);
	assert.deepEqual(numbers(atLeast(all, 'warning')), [3, 4]);
	assert.deepEqual(numbers(atLeast(all, 'error')), [4]);
});

test('the last trouble of an origin is its newest warning or error', () => {
	const troubles = lastTroubles([
		entry(1, 'error', 'store'),
		entry(2, 'warning'),
		entry(3, 'error'),
		entry(4, 'info'),
	]);
	assert.equal(troubles.get('bus')!.sequence, 3);
	assert.equal(troubles.get('store')!.sequence, 1);
	assert.equal(troubles.get('http'), undefined);
});
