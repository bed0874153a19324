// The page as the program itself serves it, on a gateway that runs.
//
//     node gateway.mjs METERLOOM

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openBrowser } from './browser.mjs';

const browser = await openBrowser();
const program = process.argv[2];
const folder = mkdtempSync(join(tmpdir(), 'meterloom-web-'));

const graph = {
	meterloom: 1,
	name: 'Substation 7',
	nodes: [
		{
			id: 'each-minute',
			type: 'cron-trigger',
			params: { schedule: 'every-minute', at_start: true },
		},
		{ id: 'by-hand', type: 'manual-trigger' },
		{ id: 'unsent', type: 'store-query', params: { destination: 'head-end' } },
	],
	edges: [
		{ from: 'each-minute', to: 'unsent.in' },
		{ from: 'by-hand', to: 'unsent.in', capacity: 32 },
	],
};

let gateway;

/** Starts the gateway; answers the address of the page that it tells. */
async function start(listen) {
	const file = join(folder, 'graph.json');
	writeFileSync(file, JSON.stringify(graph));
	const options = ['run', file, '--data', join(folder, 'data'), '--listen', listen];
	gateway = spawn(program, options, {
		stdio: ['ignore', 'pipe', 'pipe'],
		env: { ...process.env, XDG_CONFIG_HOME: folder, HOME: folder },
	});
	let said = '';
	return new Promise((resolve, reject) => {
		const look = (data) => {
			said += data;
			const found = /The page: (http:\S+)/.exec(said);
			if (found) resolve(found[1]);
		};
		gateway.stdout.on('data', look);
		gateway.stderr.on('data', look);
		gateway.on('exit', (code) => reject(new Error(`it ended with ${code}: ${said}`)));
	});
}

async function stop() {
	if (!gateway || gateway.exitCode !== null) return;
	gateway.kill('SIGTERM');
	await once(gateway, 'exit');
}

const url = await start('127.0.0.1:0').catch(async (error) => {
	await browser.close();
	throw error;
});

after(async () => {
	await browser.close();
	await stop();
	rmSync(folder, { recursive: true, force: true });
});

async function send(method, path, body, headers = {}) {
	const response = await fetch(`${url}api/v1/${path}`, {
		method,
		headers: { 'Content-Type': 'application/json', ...headers },
		body: JSON.stringify(body),
	});
	const text = await response.text();
	assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
	return text ? JSON.parse(text) : null;
}

const shows = (locator, text) => locator.filter({ hasText: text }).first().waitFor();

test('the program serves the page, and the page shows what runs', async () => {
	const problems = [];
	const page = await browser.newPage({ viewport: { width: 1360, height: 860 }, locale: 'en-GB' });
	page.setDefaultTimeout(20_000);
	page.on('pageerror', (error) => problems.push(String(error)));
	page.on('console', (message) => {
		if (message.type() === 'error') problems.push(message.text());
	});
	await page.goto(url);
	await shows(page.getByRole('status'), 'live');
	await shows(page.locator('h1'), 'Substation 7');
	await shows(page.locator('header'), 'revision 1');
	assert.equal(await page.locator('.card').count(), 3);
	// Both wires are known by the names that the gateway measures them under.
	for (const from of ['each-minute', 'by-hand'])
		await shows(page.locator(`button[data-wire="${from}.out>unsent.in"]`), '0/');
	await shows(page.locator('button[data-wire="by-hand.out>unsent.in"]'), '0/32');
	await shows(page.locator('.card[data-node=each-minute]'), 'next run');
	await shows(page.getByRole('log'), 'revision 1 runs');

	// What happens is shown while one looks.
	await page.locator('.card[data-node=by-hand]').click();
	const details = page.getByRole('region', { name: 'Details' });
	await shows(details, 'manual-trigger');
	await send('POST', 'commands/node.action', { node: 'by-hand', action: 'run' });
	await page
		.locator('#details dt', { hasText: 'put out' })
		.locator('+ dd', { hasText: '1' })
		.waitFor();
	await page.keyboard.press('Escape');

	// So is another graph.
	const changed = {
		...graph,
		name: 'Substation 8',
		nodes: graph.nodes.slice(1),
		edges: graph.edges.slice(1),
	};
	await send('PUT', 'graph', changed, { 'If-Match': '"1"' });
	await shows(page.locator('h1'), 'Substation 8');
	await page.locator('.card[data-node=each-minute]').waitFor({ state: 'detached' });

	// And a start of the gateway anew, in the same place.
	if (process.env.SCREENSHOTS)
		await page.screenshot({ path: join(process.env.SCREENSHOTS, 'real.png') });
	assert.deepEqual(problems, []);
	await stop();
	await shows(page.getByRole('status'), 'no connection');
	await start(new URL(url).host);
	await shows(page.getByRole('status'), 'live');
	await page.close();
});

test('a schedule tells its next runs', async () => {
	const graphNow = await fetch(`${url}api/v1/graph`);
	await send('PUT', 'graph', graph, { 'If-Match': graphNow.headers.get('ETag') });
	const told = await send('POST', 'commands/node.action', {
		node: 'each-minute',
		action: 'preview',
		params: { count: 3, from: '2026-01-31T14:15:00Z' },
	});
	const result = told.result ?? told;
	assert.equal(result.schedule, 'every-minute');
	assert.equal(result.time_zone, 'UTC');
	assert.equal(result.period, 60);
	assert.deepEqual(
		result.runs.map((run) => run.slice(0, 16)),
		['2026-01-31T14:16', '2026-01-31T14:17', '2026-01-31T14:18'],
	);
});

test('one searches a bus, names what is found, reads it, and sees its values', async () => {
	const bus = {
		meterloom: 1,
		name: 'A bus to try',
		nodes: [
			{
				id: 'bus',
				type: 'mbus-source',
				params: { interface: 'sim:meters=3&seed=1&fast=1' },
			},
			{ id: 'decode', type: 'decode' },
			{ id: 'store', type: 'store' },
		],
		edges: [
			{ from: 'bus', to: 'decode' },
			{ from: 'decode', to: 'store' },
		],
	};
	await send('PUT', 'graph', bus, { 'If-Match': '*' });
	const problems = [];
	const page = await browser.newPage({ viewport: { width: 1360, height: 860 }, locale: 'en-GB' });
	page.setDefaultTimeout(30_000);
	page.on('pageerror', (error) => problems.push(String(error)));
	await page.goto(`${url}#/meters`);
	await shows(page.locator('.empty'), 'There are no meters yet.');
	await page.getByRole('button', { name: 'Search …' }).click();
	const dialog = page.getByRole('dialog');
	await dialog.getByRole('button', { name: 'Search', exact: true }).click();
	await shows(dialog, '3 meters found.');
	await shows(dialog.getByRole('status'), /3\s*new/);
	await shows(dialog.getByRole('row'), '79268937');
	const names = dialog.locator('input[data-name]');
	await names.first().fill('Attic');
	await page.keyboard.press('Enter');
	await page.keyboard.type('Boiler');
	await page.keyboard.press('Enter');
	await page.keyboard.type('Cellar');
	await page.keyboard.press('Enter');
	await dialog.getByRole('button', { name: 'Close' }).last().click();

	// All of them are read.
	await page.getByRole('button', { name: 'Read all' }).click();
	await shows(page.locator('.strip'), '3 of 3 meters read, 0 failed');
	await page.getByRole('radio', { name: /^read 3$/i }).waitFor();
	await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click();
	const listed = await page.locator('[data-name]').evaluateAll((all) => all.map((f) => f.value));
	assert.deepEqual(listed, ['Attic', 'Boiler', 'Cellar']);

	// And one, with its values; it is known to the gateway as it is named here.
	await page.getByRole('link', { name: 'Open meter 79268937' }).click();
	const meter = page.getByRole('region', { name: /^Meter / });
	await shows(meter, 'cold water');

	await shows(meter, /volume\s*[\d,]+\.\d{3} m³/);
	await meter.getByRole('button', { name: 'Read now' }).click();
	await shows(meter.getByRole('status'), 'It was read.');
	if (process.env.SCREENSHOTS)
		await page.screenshot({ path: join(process.env.SCREENSHOTS, 'real-meters.png') });
	const told = await send('POST', 'commands/meter.list', { meter: '79268937' });
	assert.ok(['Attic', 'Boiler', 'Cellar'].includes(told.meters[0].moid));
	assert.equal(told.meters[0].readout.state, 'read');

	// What is searched again is known.
	await page.getByRole('button', { name: 'Search …' }).click();
	await dialog.getByRole('button', { name: 'Search anew' }).click();
	await dialog.getByRole('button', { name: 'Search', exact: true }).click();
	await shows(dialog.getByRole('status'), /3\s*known/);
	assert.deepEqual(problems, []);
	await page.close();
});
