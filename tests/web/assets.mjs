// Reads the files of the page out of the table in C that the program is built with.

import { readFileSync } from 'node:fs';

/** A map from path to { type, etag, immutable, bytes }, the bytes packed by gzip. */
export function readAssets(file) {
	const source = readFileSync(file, 'utf8');
	const arrays = new Map();
	for (const [, name, body] of source.matchAll(/unsigned char (\w+)\[\] = \{([\d,\s]*)\}/g)) {
		arrays.set(name, Buffer.from(body.match(/\d+/g).map(Number)));
	}
	const assets = new Map();
	const row = /\{"([^"]+)", "([^"]+)", "\\"(\w+)\\"", (true|false), (\w+), sizeof \5\}/g;
	for (const [, path, type, etag, immutable, name] of source.matchAll(row)) {
		assets.set(path, { type, etag, immutable: immutable === 'true', bytes: arrays.get(name) });
	}
	if (!assets.has('/index.html')) throw new Error(`${file} has no page in it`);
	return assets;
}
