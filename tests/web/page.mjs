// What a person sees of the page, in Chromium, with a gateway that does what the tests tell it.
//
//     node page.mjs web_assets.c
//
// SCREENSHOTS, where set, is a folder that gets pictures to look at.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { readAssets } from './assets.mjs';
import { openBrowser } from './browser.mjs';
import { poorContrasts } from './contrast.mjs';
import { Fixture, graph } from './fixture.mjs';

const browser = await openBrowser();
const assets = readAssets(process.argv[2]);
const wide = { viewport: { width: 1440, height: 900 }, locale: 'en-GB' };
const phone = {
	viewport: { width: 375, height: 812 },
	hasTouch: true,
	isMobile: true,
	locale: 'en-GB',
};

let gateway;
let context;
let problems;

beforeEach(async () => {
	gateway = new Fixture(assets);
	problems = [];
	await gateway.start();
});

afterEach(async () => {
	await context?.close();
	await gateway.stop();
});

after(() => browser.close());

async function open(options = wide) {
	context = await browser.newContext(options);
	context.setDefaultTimeout(20_000);
	const page = await context.newPage();
	// A breach of the content security policy is told on the console too.
	page.on('console', (message) => {
		if (['error', 'warning'].includes(message.type())) problems.push(message.text());
	});
	page.on('pageerror', (error) => problems.push(String(error)));
	page.on('request', (request) => {
		if (!request.url().startsWith(gateway.url)) problems.push(`asked for ${request.url()}`);
		if (request.method() !== 'GET') problems.push(`${request.method()} ${request.url()}`);
	});
	await page.goto(gateway.url);
	return page;
}

async function picture(page, name) {
	if (process.env.SCREENSHOTS)
		await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
}

const card = (page, id) => page.locator(`.card[data-node="${id}"]`);
const chip = (page, key) => page.locator(`button[data-wire="${key}"]`);
const row = (page, key) => page.locator(`[data-row="${key}"]`);
const shows = (locator, text) => locator.filter({ hasText: text }).first().waitFor();
const focused = (page) => page.evaluate(() => document.activeElement?.dataset.row);

/** Waits until the width that the content takes is no more than that of the window. */
async function assertNoSideScroll(page) {
	const [content, view] = await page.evaluate(() => [
		Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),
		window.innerWidth,
	]);
	assert.ok(content <= view, `${content} px of content in ${view} px`);
}

function makeTrouble() {
	const { nodes, edges } = gateway.state;
	Object.assign(nodes['head-end'], {
		state: 'fault',
		text: 'https://head-end.example/meters: no such host; trying again in 30 s',
		failed: 3,
	});
	Object.assign(nodes.nightly, { state: 'waiting', text: 'next at 2026-01-31 02:14' });
	nodes.copies.state = 'stopped';
	Object.assign(edges['bus.out>decode.in'], { rate: 12.4, depth: 3 });
	Object.assign(edges['decode.out>no-zeroes.in'], { rate: 1240, depth: 170 });
	Object.assign(edges['no-zeroes.out>store.in'], {
		rate: 1240,
		depth: 950,
		capacity: 1024,
		dropped: 37,
	});
	gateway.log('info', 'engine', 'revision 12 runs');
	gateway.log('debug', 'bus', 'SND_NKE to 1');
	gateway.log('warning', 'bus', 'meter 17: no answer after 3 tries of 500 ms');
	gateway.log('error', 'head-end', 'https://head-end.example/meters: no such host');
}

test('all nodes and wires of the graph are drawn, and nothing else is asked for', async () => {
	const page = await open();
	await card(page, 'copies').waitFor();
	assert.equal(await page.locator('.card').count(), graph.nodes.length);
	assert.equal(await page.locator('.svelte-flow__edge').count(), graph.edges.length);
	assert.equal(await page.locator('button[data-wire]').count(), graph.edges.length);
	assert.equal(await page.locator('h1').innerText(), 'Substation 7');
	await page.waitForFunction(() => document.title === 'Substation 7 · Meterloom');
	await shows(page.getByRole('status'), 'live');
	await shows(page.locator('header'), 'revision 12');
	assert.deepEqual(problems, []);
});

test('the picture goes along the wires, and nodes do not cover one another', async () => {
	const page = await open();
	await card(page, 'copies').waitFor();
	const boxes = await Promise.all(graph.nodes.map(({ id }) => card(page, id).boundingBox()));
	for (const [i, a] of boxes.entries()) {
		for (const b of boxes.slice(i + 1)) {
			const apart =
				a.x + a.width <= b.x ||
				b.x + b.width <= a.x ||
				a.y + a.height <= b.y ||
				b.y + b.height <= a.y;
			assert.ok(apart, `${JSON.stringify(a)} covers ${JSON.stringify(b)}`);
		}
	}
	const at = Object.fromEntries(graph.nodes.map(({ id }, i) => [id, boxes[i]]));
	for (const { from, to } of graph.edges) {
		const [a, b] = [at[from.split('.')[0]], at[to.split('.')[0]]];
		assert.ok(b.x > a.x + a.width || b.y > a.y + a.height, `${from} before ${to}`);
	}
	// Long as the chain is, it is shown whole and large enough to be read.
	assert.ok(Math.min(...boxes.map(({ width }) => width)) > 130);
});

test('a layout that a person made is followed', async () => {
	gateway.state.graph.layout = Object.fromEntries(
		graph.nodes.map(({ id }, i) => [id, [0, i * 120]]),
	);
	const page = await open();
	await card(page, 'copies').waitFor();
	const a = await card(page, 'every-minute').boundingBox();
	const b = await card(page, 'copies').boundingBox();
	assert.ok(Math.abs(a.x - b.x) < 2 && b.y > a.y + 200);
});

test('figures move: rate, depth and drops of wires, with amber and red', async () => {
	const page = await open();
	const wire = chip(page, 'bus.out>decode.in');
	await shows(wire, '0/s');
	Object.assign(gateway.state.edges['bus.out>decode.in'], { rate: 4.2, depth: 40 });
	await shows(wire, '4.2/s');
	await shows(wire, '40/256');
	assert.match(await wire.getAttribute('class'), /\blow\b/);
	Object.assign(gateway.state.edges['bus.out>decode.in'], { rate: 1250, depth: 160 });
	await shows(wire, '1,250/s');
	assert.match(await wire.getAttribute('class'), /\bhigh\b/);
	Object.assign(gateway.state.edges['bus.out>decode.in'], { depth: 230, dropped: 17 });
	await shows(wire, '17 dropped');
	assert.match(await wire.getAttribute('class'), /\bfull\b/);
	await shows(row(page, 'bus.out>decode.in'), '17 dropped');
	await shows(row(page, 'bus.out>decode.in'), '230/256');
});

test('a node in fault shows its text, in the picture, the list, the title and aloud', async () => {
	const page = await open();
	await card(page, 'head-end').waitFor();
	makeTrouble();
	await shows(card(page, 'head-end'), 'no such host; trying again in 30 s');
	await shows(card(page, 'head-end'), '3 failed');
	await shows(row(page, 'head-end'), 'no such host');
	await shows(page.locator('header'), '1 in fault');
	await page.waitForFunction(() => document.title.startsWith('(1) '));
	await page
		.locator('[aria-live=polite]')
		.filter({ hasText: 'head-end is in fault: https://head-end.example' })
		.waitFor({ state: 'attached' });
	await shows(card(page, 'nightly'), 'next at 2026-01-31 02:14');
	await shows(card(page, 'copies'), 'stopped');
	// What a node warned of stays to be seen while it runs on.
	await shows(card(page, 'bus'), 'meter 17: no answer');
});

test('the details tell all of a node; a secret only by its name', async () => {
	makeTrouble();
	const page = await open();
	await card(page, 'head-end').click();
	const details = page.getByRole('region', { name: 'Details' });
	for (const text of [
		'http-sink',
		'fault since',
		'no such host',
		'12,480',
		'https://head-end.example/meters',
		'•••• (head-end)',
		'Last trouble in the log',
		'document',
	])
		await shows(details, text);
	await details.getByRole('button', { name: 'csv' }).click();
	await shows(details, 'csv');
	await shows(details, 'carries');
	await row(page, 'bus').click();
	await shows(details, 'timeouts');
	await details.getByRole('button', { name: 'Close' }).click();
	await details.waitFor({ state: 'detached' });
	assert.deepEqual(problems, []);
});

test('the details do not hide what they are of', async () => {
	const page = await open();
	await row(page, 'copies').click();
	const details = page.getByRole('region', { name: 'Details' });
	await details.waitFor();
	const edge = (await details.boundingBox()).x;
	await page.waitForFunction(
		(x) => document.querySelector('.card[data-node=copies]').getBoundingClientRect().right <= x,
		edge,
	);
});

test('the details of a wire have its figures and what it does when it is full', async () => {
	makeTrouble();
	const page = await open();
	await chip(page, 'no-zeroes.out>store.in').click();
	const details = page.getByRole('region', { name: 'Details' });
	for (const text of ['1,240/s', '950', '1,024', '37', 'the oldest is dropped', 'reading'])
		await shows(details, text);
});

test('the log shows from a severity on, and remembers which', async () => {
	makeTrouble();
	const page = await open();
	const log = page.getByRole('log');
	await shows(log, 'SND_NKE to 1');
	await shows(log, 'no such host');
	await page.getByRole('radio', { name: 'warning' }).check({ force: true });
	await page.locator('[data-level=debug]').first().waitFor({ state: 'detached' });
	assert.equal(await log.locator('.entry').count(), 2);
	await shows(page.locator('#log'), '2 of 4');
	gateway.log('info', 'store', 'not to be seen');
	gateway.log('error', 'store', 'the disk is full');
	await shows(log, 'the disk is full');
	assert.equal(await log.locator('.entry').count(), 3);
	await page.reload();
	await shows(log, 'the disk is full');
	assert.equal(await log.locator('.entry').count(), 3);
	await log.getByRole('button', { name: 'head-end' }).click();
	await page.getByRole('region', { name: 'Details' }).waitFor();
	await page.getByRole('button', { name: 'Hide the log' }).click();
	await log.waitFor({ state: 'detached' });
});

test('a long log is bounded, and stays at its end until one scrolls up', async () => {
	const page = await open();
	const log = page.getByRole('log');
	await shows(page.getByRole('status'), 'live');
	for (let i = 1; i <= 1300; i++) gateway.log('info', 'bus', `telegram ${i}.`);
	await shows(log, 'telegram 1300.');
	assert.equal(await log.locator('.entry').count(), 1000);
	await page.waitForFunction(() => {
		const box = document.querySelector('[role=log]');
		return box.scrollHeight - box.scrollTop - box.clientHeight < 30;
	});
	await log.evaluate((box) => (box.scrollTop = 0));
	await page.getByRole('button', { name: 'To the latest' }).waitFor();
	gateway.log('info', 'bus', 'one more');
	await shows(log, 'one more');
	assert.ok((await log.evaluate((box) => box.scrollTop)) < 40);
	await page.getByRole('button', { name: 'To the latest' }).click();
	await page.getByRole('button', { name: 'To the latest' }).waitFor({ state: 'detached' });
});

test('entries that did not fit through the line are told', async () => {
	const page = await open();
	await shows(page.getByRole('status'), 'live');
	gateway.tell('lost', { topic: 'log', lost: 41 });
	await shows(page.getByRole('log'), '41 entries');
});

test('it speaks French where the browser does, and what one chooses stays', async () => {
	makeTrouble();
	const page = await open({ ...wide, locale: 'fr-FR' });
	await shows(card(page, 'bus'), 'M-Bus filaire');
	await shows(page.locator('header'), '1 en défaut');
	await shows(chip(page, 'no-zeroes.out>store.in'), '37 perdus');
	assert.equal(await page.locator('html').getAttribute('lang'), 'fr');
	await picture(page, 'french');
	await page.getByRole('button', { name: 'English' }).click();
	await shows(page.locator('header'), '1 in fault');
	assert.equal(await page.locator('html').getAttribute('lang'), 'en');
	await page.reload();
	await shows(page.locator('header'), '1 in fault');
	assert.deepEqual(problems, []);
});

test('the keyboard walks the list along the wires, opens the details and comes back', async () => {
	const page = await open();
	await row(page, 'bus').waitFor();
	await page.keyboard.press('Tab');
	assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
	for (let i = 0; i < 8 && !(await focused(page)); i++) await page.keyboard.press('Tab');
	assert.equal(await focused(page), 'every-minute');
	const press = async (key, where) => {
		await page.keyboard.press(key);
		await page.waitForFunction((key) => document.activeElement?.dataset.row === key, where);
	};
	await press('ArrowDown', 'every-minute.out>bus.in');
	await press('ArrowRight', 'bus');
	await press('ArrowRight', 'bus.out>decode.in');
	await press('ArrowLeft', 'bus');
	await press('End', 'copies');
	await press('ArrowLeft', 'csv.out>copies.in');
	await press('Home', 'every-minute');
	assert.equal(await row(page, 'every-minute').getAttribute('aria-selected'), 'true');
	await page.keyboard.press('Enter');
	await page.waitForFunction(() => document.activeElement?.id === 'details');
	await press('Escape', 'every-minute');
	await page.getByRole('region', { name: 'Details' }).waitFor({ state: 'detached' });
	assert.equal(await page.locator('[role=treeitem][tabindex="0"]').count(), 1);
});

test('the list tells a screen reader what the picture shows', async () => {
	makeTrouble();
	const page = await open();
	const tree = page.getByRole('tree', { name: 'Nodes and wires' });
	await tree
		.getByRole('treeitem', { name: /^head-end, Send by HTTP, fault, https:.*3 failed$/ })
		.waitFor();
	await tree
		.getByRole('treeitem', { name: 'wire to store, 1,240/s, 950 of 1,024 waiting, 37 dropped' })
		.waitFor();
	assert.equal(await tree.getByRole('treeitem').count(), graph.nodes.length + graph.edges.length);
});

for (const colorScheme of ['light', 'dark']) {
	test(`${colorScheme}: all text has a contrast of 4.5 or more`, async () => {
		makeTrouble();
		const page = await open({ ...wide, colorScheme });
		await shows(card(page, 'head-end'), 'no such host');
		await chip(page, 'decode.out>no-zeroes.in').click();
		await shows(page.getByRole('region', { name: 'Details' }), 'carries');
		assert.deepEqual(await poorContrasts(page, 4.5), []);
		await row(page, 'head-end').click();
		await shows(page.getByRole('region', { name: 'Details' }), 'http-sink');
		assert.deepEqual(await poorContrasts(page, 4.5), []);
		await picture(page, colorScheme);
		await gateway.stop();
		await shows(page.getByRole('status'), 'no connection');
		assert.deepEqual(await poorContrasts(page, 4.5), []);
		await gateway.start();
	});
}

test('it is dark where the system is, until one says otherwise', async () => {
	const page = await open({ ...wide, colorScheme: 'dark' });
	await card(page, 'bus').waitFor();
	const paper = () =>
		page.evaluate(() => {
			const [r, g, b] = getComputedStyle(document.body)
				.backgroundColor.match(/\d+/g)
				.map(Number);
			return (r + g + b) / 3;
		});
	assert.ok((await paper()) < 60);
	await page.getByRole('button', { name: 'Dark colours' }).click();
	await page.waitForFunction(() => document.documentElement.dataset.theme === 'light');
	assert.ok((await paper()) > 200);
	await page.reload();
	await card(page, 'bus').waitFor();
	assert.ok((await paper()) > 200);
	// Back to what the system says: from now on it follows it.
	await page.getByRole('button', { name: 'Dark colours' }).click();
	await page.emulateMedia({ colorScheme: 'light' });
	await page.waitForFunction(() => document.documentElement.dataset.theme === 'light');
});

test('on a phone nothing scrolls sideways, and the graph is read downwards', async () => {
	makeTrouble();
	const page = await open(phone);
	await shows(card(page, 'head-end'), 'no such host');
	await assertNoSideScroll(page);
	const a = await card(page, 'every-minute').boundingBox();
	const b = await card(page, 'bus').boundingBox();
	assert.ok(b.y > a.y + a.height);
	await picture(page, 'phone-graph');
	await card(page, 'bus').tap();
	const details = page.getByRole('region', { name: 'Details' });
	await shows(details, 'serial:/dev/ttyUSB0');
	await assertNoSideScroll(page);
	await page.waitForFunction(
		() =>
			document.querySelector('.card[data-node=bus]').getBoundingClientRect().bottom <=
			document.querySelector('#details').getBoundingClientRect().top,
	);
	await picture(page, 'phone-details');
	await details.getByRole('button', { name: 'Close' }).tap();
	await page.getByRole('button', { name: 'List', exact: true }).tap();
	await shows(row(page, 'head-end'), 'no such host');
	await assertNoSideScroll(page);
	await picture(page, 'phone-list');
	await page.getByRole('button', { name: 'Log', exact: true }).tap();
	await shows(page.getByRole('log'), 'meter 17');
	await assertNoSideScroll(page);
	await picture(page, 'phone-log');
	assert.deepEqual(await poorContrasts(page, 4.5), []);
	assert.deepEqual(problems, []);
});

test('a gateway that goes away is told, tried again, and shown anew when it is back', async () => {
	makeTrouble();
	const page = await open();
	await shows(page.getByRole('status'), 'live');
	await gateway.stop();
	await shows(page.getByRole('status'), 'no connection');
	await shows(page.locator('.away'), 'The gateway does not answer.');
	await shows(page.locator('.away'), /Next try in \d+ s|Trying again/);
	// The picture stays, and is seen to be old.
	assert.equal(await page.locator('.card').count(), graph.nodes.length);
	await picture(page, 'away');
	// It is another start, with another graph: its log counts from 1 again.
	Object.assign(gateway.state, { epoch: 4, revision: 13, log: [] });
	gateway.state.graph.name = 'Substation 8';
	gateway.log('info', 'engine', 'started anew');
	await gateway.start();
	await shows(page.locator('h1'), 'Substation 8');
	await shows(page.getByRole('status'), 'live');
	await shows(page.getByRole('log'), 'started anew');
	assert.equal(await page.getByRole('log').locator('.entry').count(), 1);
	await page.locator('.away').waitFor({ state: 'detached' });
});

test('one can have it tried at once', async () => {
	const page = await open();
	await shows(page.getByRole('status'), 'live');
	await gateway.stop();
	await page.getByRole('button', { name: 'Try now' }).waitFor();
	await gateway.start();
	// Either the click or a try of its own comes first: the next wait is never needed.
	await page
		.getByRole('button', { name: 'Try now' })
		.click({ timeout: 5000 })
		.catch(() => {});
	await shows(page.getByRole('status'), 'live');
});

test('a gateway that falls silent counts as away', async () => {
	const page = await open();
	await shows(page.getByRole('status'), 'live');
	gateway.fallSilent();
	// It answers all the same, and so is found again each time.
	await page.waitForFunction(() =>
		document.querySelector('[role=status]').innerText.includes('no connection'),
	);
});

test('a graph that is changed while one looks is shown', async () => {
	const page = await open();
	await card(page, 'bus').click();
	gateway.state.graph.nodes = [{ id: 'noon', type: 'cron-trigger' }];
	gateway.state.graph.edges = [];
	gateway.state.revision = 13;
	gateway.tell('graph', { revision: 13 });
	await card(page, 'noon').waitFor();
	await card(page, 'bus').waitFor({ state: 'detached' });
	await shows(page.locator('header'), 'revision 13');
	await page.getByRole('region', { name: 'Details' }).waitFor({ state: 'detached' });
});

test('a gateway without a graph says what to do', async () => {
	gateway.state.graph = { meterloom: 1, nodes: [], edges: [] };
	const page = await open();
	await shows(page.locator('.empty'), 'No graph runs yet.');
	await shows(page.locator('.empty'), 'meterloom run GRAPH.json');
	assert.deepEqual(problems, []);
});

test('a job that takes its time is counted while it runs', async () => {
	const page = await open();
	await shows(page.getByRole('status'), 'live');
	gateway.tell('job', { id: 7, command: 'meter.search', state: 'running' });
	await page.getByText('1 job').waitFor();
	gateway.tell('job', { id: 7, command: 'meter.search', state: 'succeeded' });
	await page.getByText('1 job').waitFor({ state: 'detached' });
});

test('200 nodes are drawn and followed', async () => {
	const ids = Array.from({ length: 200 }, (_, i) => `node-${i}`);
	gateway.state.graph = {
		meterloom: 1,
		name: 'Large',
		nodes: ids.map((id) => ({ id, type: 'lua-filter' })),
		edges: ids.slice(1).map((to, i) => ({ from: `node-${Math.floor(i / 3)}`, to })),
	};
	const page = await open();
	await card(page, 'node-199').waitFor();
	await row(page, 'node-150').click();
	await shows(page.getByRole('region', { name: 'Details' }), 'node-150');
	assert.deepEqual(problems, []);
});
