// Installs what the page is built with, unless node_modules is what package-lock.json asks for
// already. Run while the build is configured; says why where it cannot.
//
//     node install.mjs

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const stamp = join(here, 'node_modules', '.meterloom-stamp');
// Some packages are of one machine and version of Node.js: another one installs anew.
const wanted = createHash('sha256')
	.update(readFileSync(join(here, 'package-lock.json')))
	.update(`${process.platform} ${process.arch} ${process.versions.modules}`)
	.digest('hex');

function installed() {
	try {
		return readFileSync(stamp, 'utf8') === wanted;
	} catch {
		return false;
	}
}

if (Number(process.versions.node.split('.')[0]) < 18) {
	console.error(`Node.js is ${process.versions.node}, which is older than 18`);
	process.exit(1);
}
if (!installed()) {
	rmSync(stamp, { force: true });
	const npm = spawnSync(
		'npm',
		['ci', '--ignore-scripts', '--prefer-offline', '--loglevel=error'],
		{
			cwd: here,
			encoding: 'utf8',
			stdio: ['ignore', 'ignore', 'pipe'],
		},
	);
	if (npm.status !== 0) {
		const reason = npm.error?.message ?? npm.stderr.trim().split('\n').slice(0, 8).join('\n');
		console.error(`npm ci failed: ${reason}`);
		process.exit(1);
	}
	writeFileSync(stamp, wanted);
}
