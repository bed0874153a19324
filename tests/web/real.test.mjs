/* The page as the program itself serves it, on a gateway that runs.
 * SPDX-License-Identifier: Apache-2.0
 *
 * METERLOOM: the program. MODULES: where playwright-core is installed. CHROMIUM: the browser.
 * SCREENSHOTS (may be unset): a folder for pictures to look at.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

const { METERLOOM, MODULES, CHROMIUM, SCREENSHOTS } = process.env;
const { chromium } = createRequire(join(MODULES, 'x.js'))('playwright-core');

const graph = {
	meterloom: 1,
	name: 'Substation 7',
	nodes: [
		{ id: 'each-minute', type: 'cron-trigger', params: { schedule: 'every-minute', at_start: true } },
		{ id: 'by-hand', type: 'manual-trigger' },
		{ id: 'unsent', type: 'store-query', params: { destination: 'head-end' } },
	],
	edges: [
		{ from: 'each-minute', to: 'unsent.in' },
		{ from: 'by-hand', to: 'unsent.in' },
	],
};

let folder;
let gateway;
let url;
let browser;
let said = '';

before(async () => {
	folder = mkdtempSync(join(tmpdir(), 'meterloom-test-'));
	const file = join(folder, 'graph.json');
	writeFileSync(file, JSON.stringify(graph));
	gateway = spawn(METERLOOM, ['run', file, '--data', join(folder, 'data'), '--listen', '127.0.0.1:0'],
		{ stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, XDG_CONFIG_HOME: folder, HOME: folder } });
	url = await new Promise((resolve, reject) => {
		const look = (data) => {
			said += data;
			const found = /The page: (http:\S+)/.exec(said);
			if (found) resolve(found[1]);
		};
		gateway.stdout.on('data', look);
		gateway.stderr.on('data', look);
		gateway.on('exit', (code) => reject(new Error(`it ended with ${code}: ${said}`)));
	});
	browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
});

after(async () => {
	await browser?.close();
	if (gateway && gateway.exitCode === null) {
		gateway.kill('SIGTERM');
		await once(gateway, 'exit');
	}
	rmSync(folder, { recursive: true, force: true });
});

async function call(command, params) {
	const response = await fetch(`${url}api/v1/commands/${command}`, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify(params),
	});
	const text = await response.text();
	assert.ok(response.ok, `${command}: ${response.status} ${text}`);
	return text ? JSON.parse(text) : null;
}

test('the program serves the page, and the page shows what runs', async () => {
	const problems = [];
	const page = await browser.newPage({ viewport: { width: 1360, height: 860 }, locale: 'en-GB' });
	page.setDefaultTimeout(15000);
	page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
	page.on('pageerror', (error) => problems.push(String(error)));
	await page.goto(url);
	const card = page.locator('.svelte-flow__node[data-id="each-minute"]');
	await card.getByText('Schedule').waitFor();
	await card.getByText('Running').waitFor();
	await card.getByText('next run').waitFor();
	await page.getByText('Live').waitFor();
	assert.equal(await page.locator('.svelte-flow__node').count(), 3);
	/* Both wires are known by the names that the gateway measures them under. */
	for (const from of ['each-minute', 'by-hand']) {
		await page.locator(`[data-wire="${from}.out>unsent.in"] .bar`).waitFor();
	}
	await page.getByRole('log').getByText('revision 1 runs').waitFor();
	/* What happens is shown while one looks. */
	await page.locator('.svelte-flow__node[data-id="by-hand"]').click();
	await call('node.action', { node: 'by-hand', action: 'run' });
	await page.locator('aside dt', { hasText: 'Sent on' }).locator('+ dd', { hasText: '1' }).waitFor();
	if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, 'real.png') });
	assert.deepEqual(problems, []);
	await page.close();
});

test('a schedule tells its next runs', async () => {
	const told = await call('node.action', {
		node: 'each-minute',
		action: 'preview',
		params: { count: 3, from: '2026-01-31T14:15:00Z' },
	});
	const result = told.result ?? told;
	assert.equal(result.schedule, 'every-minute');
	assert.equal(result.time_zone, 'UTC');
	assert.equal(result.period, 60);
	assert.deepEqual(result.runs.map((run) => run.slice(0, 16)),
		['2026-01-31T14:16', '2026-01-31T14:17', '2026-01-31T14:18']);
});
