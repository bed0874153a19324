/* Builds the page and writes it as a table in C.
 * SPDX-License-Identifier: Apache-2.0
 *
 * node build.mjs SOURCE WORK OUT.c MODE: copies the sources to WORK, installs what package-lock.json
 * names and builds there, so that the source tree stays as it is. MODE "auto": where that fails (no
 * network, say) the program is built without the page, and this says so; "enabled": it is an error.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const [source, work, out, mode] = process.argv.slice(2);

const types = {
	'.html': 'text/html; charset=utf-8',
	'.js': 'text/javascript; charset=utf-8',
	'.css': 'text/css; charset=utf-8',
	'.svg': 'image/svg+xml',
};

const copied = ['.npmrc', 'package.json', 'package-lock.json', 'index.html', 'vite.config.ts',
	'svelte.config.js', 'tsconfig.json', 'src', 'public'];

function run(command, ...args) {
	const result = spawnSync(command, args, { cwd: work, encoding: 'utf8' });
	if (result.status !== 0) {
		throw new Error(`${command} ${args.join(' ')}: ${result.error ?? result.stdout + result.stderr}`);
	}
}

function build() {
	mkdirSync(work, { recursive: true });
	rmSync(join(work, 'src'), { recursive: true, force: true });
	for (const name of copied) cpSync(join(source, name), join(work, name), { recursive: true });
	/* What was installed for this very list of packages is still there. */
	const lock = createHash('sha256').update(readFileSync(join(source, 'package-lock.json')));
	const digest = lock.digest('hex');
	const stamp = join(work, 'installed');
	if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== digest) {
		run('npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund');
		writeFileSync(stamp, digest);
	}
	run('node', 'node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn', '--emptyOutDir');
}

function filesBelow(folder, prefix = '') {
	return readdirSync(join(folder, prefix), { withFileTypes: true })
		.sort((a, b) => (a.name < b.name ? -1 : 1))
		.flatMap((entry) =>
			entry.isDirectory()
				? filesBelow(folder, `${prefix}/${entry.name}`)
				: [`${prefix}/${entry.name}`],
		);
}

function table(paths) {
	let arrays = '';
	let rows = '';
	paths.forEach((path, i) => {
		const type = types[extname(path)];
		if (!type) throw new Error(`${path}: no content type is known for this ending`);
		const bytes = gzipSync(readFileSync(join(work, 'dist', path)), { level: 9 });
		const tag = createHash('sha256').update(bytes).digest('hex').slice(0, 20);
		const immutable = path.startsWith('/assets/');
		let text = '';
		for (let at = 0; at < bytes.length; at += 24) text += `\t${bytes.subarray(at, at + 24).join(',')},\n`;
		arrays += `static const unsigned char file_${i}[] = {\n${text}};\n\n`;
		rows += `\t{"${path}", "${type}", "\\"${tag}\\"", ${immutable}, file_${i}, sizeof file_${i}},\n`;
	});
	return `/* Made by web-editor/build.mjs. */\n#include "http/assets.h"\n\n${arrays}` +
		`const struct ml_asset ml_web_assets[] = {\n${rows}\t{0},\n};\n`;
}

try {
	build();
	writeFileSync(out, table(filesBelow(join(work, 'dist'))));
} catch (error) {
	if (mode !== 'auto') throw error;
	process.stderr.write(`The page could not be built: ${error.message}\n` +
		'The program is built without it. -Dweb=enabled makes this an error.\n');
	writeFileSync(out, table([]));
}
