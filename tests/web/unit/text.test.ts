import assert from 'node:assert/strict';
import { test } from 'node:test';
import { en } from '../../../web-editor/src/text/en';
import { fill } from '../../../web-editor/src/text/fill';
import { formatsFor, parameterText } from '../../../web-editor/src/text/format';
import { fr } from '../../../web-editor/src/text/fr';

const places = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

test('each text is there in both languages, with the same values and as many forms', () => {
	assert.deepEqual(Object.keys(fr).sort(), Object.keys(en).sort());
	for (const key of Object.keys(en) as (keyof typeof en)[]) {
		assert.deepEqual(places(fr[key]), places(en[key]), key);
		assert.equal(fr[key].split('|').length, en[key].split('|').length, key);
	}
});

test('plurals are those of the language', () => {
	const count = String;
	assert.equal(fill('{n} node|{n} nodes', 'en', { n: 0 }, count), '0 nodes');
	assert.equal(fill('{n} node|{n} nodes', 'en', { n: 1 }, count), '1 node');
	assert.equal(fill('{n} nœud|{n} nœuds', 'fr', { n: 0 }, count), '0 nœud');
	assert.equal(fill('{n} nœud|{n} nœuds', 'fr', { n: 2 }, count), '2 nœuds');
});

test('a value that is missing leaves its name to be seen', () => {
	assert.equal(fill('{id} is away', 'en', {}, String), '{id} is away');
});

test('rates are short', () => {
	const { rate } = formatsFor('en');
	assert.equal(rate(0), '0/s');
	assert.equal(rate(0.05), '3/min');
	assert.equal(rate(0.97), '1/s');
	assert.equal(rate(4.26), '4.3/s');
	assert.equal(rate(1240.4), '1,240/s');
	assert.equal(rate(2_345_678), '2.35M/s');
	assert.equal(formatsFor('fr').rate(4.26), '4,3/s');
});

test('durations take the unit that fits', () => {
	const { duration } = formatsFor('en');
	assert.equal(duration(0.25), '0.3s');
	assert.equal(duration(42), '42s');
	assert.equal(duration(150), '3m');
	assert.equal(duration(7200), '2h');
	assert.equal(duration(200_000), '2d');
});

test('a parameter that is a secret shows its name alone', () => {
	assert.equal(parameterText({ secret: 'head-end' }), '•••• (head-end)');
	assert.equal(parameterText('*/15 * * * *'), '*/15 * * * *');
	assert.equal(parameterText(2400), '2400');
	assert.equal(parameterText(['a', 1]), '["a",1]');
});
