/* What a person sees on the page, in Chromium.
 * SPDX-License-Identifier: Apache-2.0
 *
 * DIST: the built page. MODULES: where playwright-core is installed. CHROMIUM: the browser.
 * SCREENSHOTS (may be unset): a folder for pictures to look at.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { Gateway, graph, line, metrics } from './gateway.mjs';

const { DIST, MODULES, CHROMIUM, SCREENSHOTS } = process.env;
const { chromium } = createRequire(join(MODULES, 'x.js'))('playwright-core');

let browser;
let gateway;
let problems;
let context;

before(async () => {
	browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
});

after(() => browser.close());

beforeEach(async () => {
	problems = [];
	gateway = await new Gateway(DIST).start();
});

afterEach(async () => {
	await context.close();
	await gateway.stop();
});

async function open(options = {}) {
	context = await browser.newContext({ viewport: { width: 1360, height: 860 }, locale: 'en-GB', ...options });
	const page = await context.newPage();
	page.setDefaultTimeout(10000);
	page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
	page.on('pageerror', (error) => problems.push(String(error)));
	await page.goto(gateway.url);
	return page;
}

async function picture(page, name) {
	/* What moves in has arrived. */
	if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}

const card = (page, id) => page.locator(`.svelte-flow__node[data-id="${id}"]`);
const wire = (page, key) => page.locator(`[data-wire="${key}"]`);
const text = (locator) => locator.innerText();

/* Waits until the text of something contains what is expected. */
async function shows(locator, expected) {
	const page = locator.page();
	await locator.first().waitFor();
	for (let i = 0; ; i++) {
		const now = (await text(locator.first())).replaceAll(/\s+/g, ' ');
		if (now.includes(expected)) return;
		if (i === 100) assert.fail(`'${now}' does not show '${expected}'`);
		await page.waitForFunction(() => new Promise((r) => requestAnimationFrame(() => setTimeout(() => r(true), 30))));
	}
}

test('nodes show title, id, state and what is wrong', async () => {
	const page = await open();
	await shows(card(page, 'bus'), 'Wired M-Bus');
	await shows(card(page, 'bus'), 'Running');
	await shows(card(page, 'head-end'), 'Send by HTTP head-end Fault');
	await shows(card(page, 'head-end'), 'HTTP 401: who are you?');
	assert.equal(await page.locator('.svelte-flow__node').count(), graph.nodes.length);
	assert.equal(await page.locator('.svelte-flow__edge').count(), graph.edges.length);
	assert.match(await page.title(), /Substation 7/);
	assert.equal(gateway.topics, 'metrics,log,graph,job');
	await picture(page, 'light');
	assert.deepEqual(problems, []);
});

test('wires show rate, depth and losses, and follow the figures', async () => {
	const page = await open();
	await shows(wire(page, 'bus.out>decode.in'), '4.2/s 40 of 256');
	await shows(wire(page, 'every-minute.out>bus.trigger'), '1/min');
	await shows(wire(page, 'decode.out>store.in'), '230 of 256 17 lost');
	assert.match(await wire(page, 'decode.out>store.in').getAttribute('class'), /\bbad\b/);
	assert.match(await wire(page, 'bus.out>decode.in').getAttribute('class'), /\bgood\b/);
	const next = metrics();
	next.edges['bus.out>decode.in'].rate = 1250;
	next.edges['bus.out>decode.in'].depth = 160;
	next.nodes.bus = { ...next.nodes.bus, state: 'waiting', text: '/dev/ttyUSB0 is not there' };
	gateway.push('metrics', next);
	await shows(wire(page, 'bus.out>decode.in'), '1,250/s 160 of 256');
	assert.match(await wire(page, 'bus.out>decode.in').getAttribute('class'), /\bwarn\b/);
	await shows(card(page, 'bus'), 'Waiting /dev/ttyUSB0 is not there');
	assert.deepEqual(problems, []);
});

test('nodes without a layout do not lie on each other, and flow to the right', async () => {
	const page = await open();
	await card(page, 'head-end').waitFor();
	const boxes = await Promise.all(graph.nodes.map(({ id }) => card(page, id).boundingBox()));
	for (const [i, a] of boxes.entries()) {
		for (const b of boxes.slice(i + 1)) {
			const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
			assert.ok(apart, `${JSON.stringify(a)} and ${JSON.stringify(b)}`);
		}
	}
	for (const { from, to } of graph.edges) {
		const a = await card(page, from.split('.')[0]).boundingBox();
		const b = await card(page, to.split('.')[0]).boundingBox();
		assert.ok(a.x + a.width <= b.x, `${from} stands before ${to}`);
	}
});

test('a layout is followed', async () => {
	gateway.graph = { ...graph, layout: Object.fromEntries(graph.nodes.map(({ id }, i) => [id, [0, i * 160]])) };
	const page = await open();
	await card(page, 'head-end').waitFor();
	const a = await card(page, 'every-minute').boundingBox();
	const b = await card(page, 'head-end').boundingBox();
	assert.ok(Math.abs(a.x - b.x) < 2 && b.y > a.y);
});

test('a node opens with its parameters, wires and last error; secrets only by name', async () => {
	gateway.log = [line('error', 'head-end', 'the certificate has expired')];
	const page = await open();
	await card(page, 'head-end').click();
	const panel = page.locator('aside');
	await shows(panel, 'https://head-end.example/meters');
	await shows(panel, '{"secret":"head-end"}');
	await shows(panel, 'from csv');
	await shows(panel, 'Last error');
	await shows(panel, 'the certificate has expired');
	/* The graph makes room: what was opened is still to be seen. */
	const left = (await panel.boundingBox()).x;
	await page.waitForFunction(
		(x) => document.querySelector('[data-id="head-end"]').getBoundingClientRect().right < x, left);
	await picture(page, 'details');
	await page.keyboard.press('Escape');
	await panel.waitFor({ state: 'detached' });
	assert.deepEqual(problems, []);
});

test('all of it works by keyboard', async () => {
	const page = await open();
	await card(page, 'bus').waitFor();
	await card(page, 'bus').focus();
	await page.keyboard.press('ArrowRight');
	const focused = () => page.evaluate(() => document.activeElement?.closest('.svelte-flow__node')?.getAttribute('data-id'));
	assert.equal(await focused(), 'decode');
	await page.keyboard.press('ArrowLeft');
	await page.keyboard.press('ArrowLeft');
	assert.equal(await focused(), 'every-minute');
	await page.keyboard.press('Enter');
	await shows(page.locator('aside h2'), 'Schedule every-minute');
	await page.keyboard.press('Escape');
	await page.locator('aside').waitFor({ state: 'detached' });
	assert.equal(await card(page, 'bus').getAttribute('aria-label'), 'Wired M-Bus, bus, Running');
});

test('the log shows what was and what comes, by severity', async () => {
	gateway.log = [line('info', 'engine', 'revision 3 runs'), line('warning', 'bus', 'meter 5 did not answer')];
	const page = await open();
	const log = page.getByRole('log');
	await shows(log, 'revision 3 runs');
	gateway.push('log', line('error', 'store', 'the disk is full'));
	gateway.push('log', line('debug', 'bus', '> 10 5B 05 60 16'));
	await shows(log, 'the disk is full');
	assert.ok(!(await text(log)).includes('10 5B'));
	await page.getByText('Debug', { exact: true }).click();
	await shows(log, '10 5B');
	await page.getByRole('radio', { name: 'Error' }).check({ force: true });
	await shows(log, 'the disk is full');
	assert.ok(!(await text(log)).includes('did not answer'));
	await shows(card(page, 'bus'), 'Last error: meter 5 did not answer');
});

test('a log of many lines stays bounded and at its end', async () => {
	const page = await open();
	await page.getByText('Live').waitFor();
	for (let i = 0; i < 700; i++) gateway.push('log', line('info', 'bus', `line ${i}.`));
	const log = page.getByRole('log');
	await shows(log, 'line 699.');
	assert.equal(await log.locator('li').count(), 500);
	assert.ok(await log.evaluate((list) => list.scrollTop + list.clientHeight > list.scrollHeight - 40));
});

test('it speaks French, and keeps to it', async () => {
	const page = await open({ locale: 'fr-FR' });
	await shows(card(page, 'head-end'), 'Défaut');
	await shows(wire(page, 'decode.out>store.in'), '4,2/s 230 sur 256 17 perdus');
	assert.equal(await page.locator('html').getAttribute('lang'), 'fr');
	await page.getByLabel('Langue').selectOption('en');
	await shows(card(page, 'head-end'), 'Fault');
	await page.reload();
	await shows(card(page, 'head-end'), 'Fault');
	assert.deepEqual(problems, []);
});

test('it is dark where the system is, or where the reader says so', async () => {
	const page = await open({ colorScheme: 'dark' });
	await card(page, 'bus').waitFor();
	const lightness = () => page.evaluate(() => {
		const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
		return (r + g + b) / 3;
	});
	assert.ok((await lightness()) < 60);
	gateway.log = [];
	gateway.push('log', line('warning', 'bus', 'meter 5 did not answer'));
	gateway.push('log', line('error', 'store', 'the disk is full'));
	await shows(page.getByRole('log'), 'the disk is full');
	await picture(page, 'dark');
	await page.getByLabel('Appearance').selectOption('light');
	assert.ok((await lightness()) > 200);
});

test('on a phone one thing at a time fits the width', async () => {
	gateway.log = [line('warning', 'bus', 'meter 5 did not answer in 330 ms: retry 2 of 3')];
	const page = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
	const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
	await card(page, 'head-end').waitFor();
	assert.ok(await fits());
	const a = await card(page, 'every-minute').boundingBox();
	const b = await card(page, 'head-end').boundingBox();
	assert.ok(b.y > a.y + 200 && Math.abs(a.x - b.x) < 200, 'the graph flows down');
	assert.equal(await page.getByRole('log').isVisible(), false);
	await picture(page, 'phone-graph');
	await card(page, 'bus').tap();
	await shows(page.locator('aside'), 'serial:/dev/ttyUSB0');
	await picture(page, 'phone-details');
	assert.ok(await fits());
	await page.getByLabel('Close').tap();
	await page.getByRole('button', { name: 'Nodes' }).tap();
	await shows(page.locator('table').first(), 'Wired M-Bus');
	await shows(page.locator('table').last(), 'decode → store');
	assert.ok(await fits());
	await picture(page, 'phone-nodes');
	await page.getByRole('button', { name: 'Log' }).tap();
	await shows(page.getByRole('log'), 'retry 2 of 3');
	assert.ok(await fits());
	await picture(page, 'phone-log');
	assert.deepEqual(problems, []);
});

test('a lost gateway is told, and its new graph shown when it is back', async () => {
	const page = await open();
	await page.getByText('Live').waitFor();
	const { port } = gateway;
	await gateway.stop();
	await page.getByText('No connection to the gateway').waitFor();
	gateway = new Gateway(DIST);
	gateway.graph = { ...graph, name: 'Substation 8', nodes: graph.nodes.slice(0, 2), edges: graph.edges.slice(0, 1) };
	await gateway.start(port);
	await shows(page.locator('h1'), 'Substation 8');
	await page.getByText('Live').waitFor();
	assert.equal(await page.locator('.svelte-flow__node').count(), 2);
});

test('a graph that is changed while one looks is shown', async () => {
	const page = await open();
	await card(page, 'head-end').waitFor();
	gateway.graph = { ...graph, nodes: [...graph.nodes, { id: 'noon', type: 'cron-trigger' }] };
	gateway.push('graph', { revision: 4 });
	await shows(card(page, 'noon'), 'Schedule');
});

test('a gateway without a graph says so', async () => {
	gateway.graph = { meterloom: 1 };
	const page = await open();
	await page.getByText('No graph runs on this gateway yet.').waitFor();
	assert.deepEqual(problems, []);
});

test('it only looks', async () => {
	const page = await open();
	await card(page, 'bus').click();
	await shows(page.locator('aside'), 'Wired M-Bus');
	assert.deepEqual([...new Set(gateway.asked.map((request) => request.split(' ')[0]))], ['GET']);
});
