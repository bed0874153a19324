// Chromium for the tests of the page: METERLOOM_CHROMIUM, else the first that PATH has.

import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const SKIPPED = 77;

export function findChromium() {
	if (process.env.METERLOOM_CHROMIUM) return process.env.METERLOOM_CHROMIUM;
	for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
		for (const folder of (process.env.PATH ?? '').split(delimiter)) {
			const file = join(folder, name);
			try {
				accessSync(file, constants.X_OK);
				return file;
			} catch {
				// not here
			}
		}
	}
	return undefined;
}

/** Ends this process as a skipped test where there is no browser. */
export async function openBrowser() {
	const executablePath = findChromium();
	if (!executablePath) {
		console.log('skipped: there is no chromium; install one, or name it in METERLOOM_CHROMIUM');
		process.exit(SKIPPED);
	}
	const editor = fileURLToPath(new URL('../../web-editor/package.json', import.meta.url));
	const { chromium } = createRequire(editor)('playwright-core');
	return chromium.launch({
		executablePath,
		chromiumSandbox: process.getuid() !== 0, // Chromium has none for root
		args: ['--disable-gpu'],
	});
}
