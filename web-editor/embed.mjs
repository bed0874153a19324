// Builds the page and writes it as a table in C, per engine/http/assets.h.
//
//     node embed.mjs OUTPUT.c OUTPUT.c.d
//
// The second file tells ninja which files the first was made from.

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const here = dirname(fileURLToPath(import.meta.url));
const [output, depfile] = process.argv.slice(2);
if (!depfile) {
	console.error('Usage: node embed.mjs OUTPUT.c OUTPUT.c.d');
	process.exit(2);
}

const types = {
	css: 'text/css; charset=utf-8',
	html: 'text/html; charset=utf-8',
	js: 'text/javascript; charset=utf-8',
	svg: 'image/svg+xml',
	txt: 'text/plain; charset=utf-8',
	woff2: 'font/woff2',
};

/** The folder of the package that a module comes from; undefined for our own. */
function packageOf(module) {
	const parts = relative(here, module).split(sep);
	if (parts[0] !== 'node_modules') return undefined;
	return join(here, ...parts.slice(0, parts[1].startsWith('@') ? 3 : 2));
}

/** What the licences of others ask for: that their text goes along. */
function licences(packages) {
	const texts = [...packages].sort().map((folder) => {
		const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json')));
		const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
		const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `License: ${license}`;
		return `${name} ${version}\n\n${text}\n`;
	});
	return `The page of Meterloom contains these works of others.\n\n${texts.join('\n----\n\n')}`;
}

function bytesOf(content) {
	const lines = [];
	for (let at = 0; at < content.length; at += 24) {
		lines.push(`\t${[...content.subarray(at, at + 24)].join(',')},`);
	}
	return lines.join('\n');
}

const sources = new Set();
const { output: built } = await build({
	root: here,
	configFile: join(here, 'vite.config.js'),
	mode: 'production',
	logLevel: 'warn',
	build: { write: false },
	plugins: [
		{
			name: 'sources',
			buildEnd() {
				for (const id of this.getModuleIds()) {
					if (!id.startsWith('\0')) sources.add(id.split('?')[0]);
				}
				for (const file of this.getWatchFiles()) sources.add(file);
			},
		},
	],
});

const files = new Map();
for (const file of built) {
	files.set(`/${file.fileName}`, Buffer.from(file.type === 'chunk' ? file.code : file.source));
}
// A font comes by way of the styles alone, where it is no module.
const packages = [...sources].map(packageOf).filter(Boolean);
packages.push(join(here, 'node_modules', '@fontsource-variable', 'inter'));
files.set('/licences.txt', Buffer.from(licences(new Set(packages))));

const blocks = [];
const rows = [];
for (const [path, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
	const type = types[path.slice(path.lastIndexOf('.') + 1)];
	if (!type) throw new Error(`${path}: embed.mjs does not know the type of such a file`);
	const packed = gzipSync(content, { level: 9 });
	const etag = createHash('sha256').update(content).digest('hex').slice(0, 16);
	const name = `asset_${rows.length}`;
	blocks.push(
		`/* ${path}: ${content.length} bytes */\n` +
			`static const unsigned char ${name}[] = {\n${bytesOf(packed)}\n};\n`,
	);
	rows.push(
		`\t{"${path}", "${type}", "\\"${etag}\\"", ${path.startsWith('/assets/')}, ` +
			`${name}, sizeof ${name}},`,
	);
}

writeFileSync(
	output,
	`/* The page; made by web-editor/embed.mjs. */
#include "http/assets.h"

${blocks.join('\n')}
const struct ml_asset ml_web_assets[] = {
${rows.join('\n')}
	{0},
};
`,
);

// What was installed changes with the lock alone, which has the build configured anew.
const own = [...sources].filter((file) => file.startsWith(here) && !packageOf(file));
const more = [
	'package-lock.json',
	'vite.config.js',
	'svelte.config.js',
	'tsconfig.json',
	'embed.mjs',
];
const inputs = new Set([...own, ...more.map((file) => join(here, file))]);
const escaped = [...inputs].sort().map((file) => file.replace(/[ #]/g, '\\$&'));
writeFileSync(depfile, `${output}: \\\n  ${escaped.join(' \\\n  ')}\n`);
