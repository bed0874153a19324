import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fr from '../../../web-editor/src/text/fr-words';

// The names as the gateway itself declares them.
const root = process.env['METERLOOM_ROOT']!;
const declared = (file: string, list: RegExp) => {
	const text = readFileSync(join(root, file), 'utf8');
	const part = list.exec(text);
	assert.ok(part, `${file} has no ${list}`);
	return [...part[0].matchAll(/"([a-z][a-z0-9-]*)"/g)].map((match) => match[1]!);
};

test('each medium, quantity, modifier and reason of the gateway has a French word', () => {
	const tables: [Record<string, string>, string, RegExp][] = [
		[fr.frMedia, 'nodes/meter/identity.c', /media\[256\] = \{[\s\S]*?\};/],
		[fr.frQuantities, 'nodes/meter/quantity.h', /METER_QUANTITY_LIST[\s\S]*?METER_Q_/],
		[fr.frModifiers, 'nodes/meter/quantity.h', /METER_MODIFIER_LIST[\s\S]*?METER_M_/],
		[fr.frReasons, 'nodes/meter/frame.h', /METER_FRAME_RESULT_LIST[\s\S]*?METER_FRAME_##/],
	];
	for (const [words, file, list] of tables) {
		const names = declared(file, list).filter((name) => name !== 'ok');
		assert.ok(names.length > 5);
		assert.deepEqual(
			names.filter((name) => !(name in words)),
			[],
		);
	}
});
