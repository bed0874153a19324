// The pure parts of the page, without a browser: bundles the tests of unit/ and runs them.
//
//     node unit.mjs

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const editor = join(here, '..', '..', 'web-editor', 'package.json');
const vite = createRequire(editor).resolve('vite/package.json');
const { build } = createRequire(vite)('esbuild');

const tests = readdirSync(join(here, 'unit')).filter((name) => name.endsWith('.test.ts'));
const folder = mkdtempSync(join(tmpdir(), 'meterloom-unit-'));
try {
	await build({
		entryPoints: tests.map((name) => join(here, 'unit', name)),
		outdir: folder,
		outExtension: { '.js': '.mjs' },
		bundle: true,
		platform: 'node',
		format: 'esm',
		target: 'node18',
		sourcemap: 'inline',
		logLevel: 'warning',
		tsconfigRaw: {}, // what the editor checks is no matter here
	});
	const files = tests.map((name) => join(folder, name.replace(/\.ts$/, '.mjs')));
	const run = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...files], {
		stdio: 'inherit',
		env: { ...process.env, METERLOOM_ROOT: join(here, '..', '..') },
	});
	process.exitCode = run.status ?? 1;
} finally {
	rmSync(folder, { recursive: true, force: true });
}
