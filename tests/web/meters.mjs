// What a person sees and does in the place of the meters, in Chromium.
//
//     node meters.mjs web_assets.c
//
// SCREENSHOTS, where set, is a folder that gets pictures to look at.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { readAssets } from './assets.mjs';
import { openBrowser } from './browser.mjs';
import { poorContrasts } from './contrast.mjs';
import { Fixture } from './fixture.mjs';
import { found, makeMeter, MeterGateway, Refused, time } from './meters-fixture.mjs';

const browser = await openBrowser();
const assets = readAssets(process.argv[2]);
const wide = { viewport: { width: 1440, height: 900 }, locale: 'en-GB', timezoneId: 'UTC' };
const phone = { ...wide, viewport: { width: 375, height: 812 }, hasTouch: true, isMobile: true };

let gateway;
let bus;
let context;
let problems;

beforeEach(async () => {
	gateway = new Fixture(assets);
	bus = new MeterGateway(gateway);
	problems = [];
	await gateway.start();
});

afterEach(async () => {
	await context?.close();
	await gateway.stop();
});

after(() => browser.close());

async function open(options = wide, where = '#/meters') {
	context = await browser.newContext(options);
	context.setDefaultTimeout(20_000);
	const page = await context.newPage();
	page.on('console', (message) => {
		// A refusal is told to the console too, and the picture of the graph warns of itself where
		// it is left before it has been drawn.
		const usual = /status of 4|svelte-put\/shortcut|derived_inert/;
		if (['error', 'warning'].includes(message.type()) && !usual.test(message.text()))
			problems.push(message.text());
	});
	page.on('pageerror', (error) => problems.push(String(error)));
	await page.goto(`${gateway.url}/${where}`);
	return page;
}

async function picture(page, name) {
	if (process.env.SCREENSHOTS)
		await page.screenshot({ path: join(process.env.SCREENSHOTS, `meters-${name}.png`) });
}

const row = (page, key) => page.locator(`[data-meter="${key}"]`);
const name = (page, key) => page.locator(`[data-name="${key}"]`);
const panel = (page) => page.getByRole('region', { name: /^Meter / });
const shows = (locator, text) => locator.filter({ hasText: text }).first().waitFor();
const keys = (page) =>
	page.locator('[data-meter]').evaluateAll((rows) => rows.map((row) => Number(row.dataset.meter)));
const hasKeys = (page, wanted) =>
	page.waitForFunction(
		(wanted) =>
			[...document.querySelectorAll('[data-meter]')]
				.map((row) => row.dataset.meter)
				.join() === wanted,
		wanted.join(),
	);
const hasFocus = (page, key) =>
	page.waitForFunction((key) => document.activeElement?.dataset.name === key, String(key));
const until = async (holds) => {
	for (let i = 0; i < 400; i++) {
		if (holds()) return;
		await new Promise((done) => setTimeout(done, 25));
	}
	assert.fail(`never: ${holds}`);
};

async function assertNoSideScroll(page) {
	const [content, view] = await page.evaluate(() => [
		Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),
		window.innerWidth,
	]);
	assert.ok(content <= view, `${content} px of content in ${view} px`);
}

test('the bar leads to the meters and back, by mouse, keyboard and Back, and it is remembered', async () => {
	const page = await open(wide, '');
	await page.locator('.card[data-node=bus]').waitFor();
	await page.getByRole('link', { name: 'Meters', exact: true }).click();
	await row(page, 1).waitFor();
	assert.equal(
		await page.getByRole('link', { name: 'Meters', exact: true }).getAttribute('aria-current'),
		'page',
	);
	await page.waitForFunction(() => document.title.startsWith('Meters · '));
	await page.goBack();
	await page.locator('.card[data-node=bus]').waitFor();
	await page.getByRole('link', { name: 'Meters', exact: true }).focus();
	await page.keyboard.press('Enter');
	await row(page, 1).waitFor();
	await page.goto('about:blank');
	await page.goto(gateway.url);
	await row(page, 1).waitFor();
	assert.deepEqual(problems, []);
});

test('the list tells of each meter who it is and how its last readout went', async () => {
	const page = await open();
	await shows(row(page, 1), '10007919');
	for (const text of ['KAM', 'electricity', 'primary', 'default', '2400', 'read'])
		await shows(row(page, 1), text);
	await shows(row(page, 2), 'failed: no answer');
	await shows(row(page, 2), '×3');
	await shows(row(page, 5), 'never read');
	assert.deepEqual(await keys(page), [1, 2, 3, 4, 5, 6, 8]);
	await page.getByRole('checkbox', { name: '1 passive' }).check();
	await shows(row(page, 7), 'passive');
	await picture(page, 'list');
	assert.deepEqual(problems, []);
});

test('one finds, filters and sorts', async () => {
	const page = await open();
	await row(page, 1).waitFor();
	const find = page.getByRole('searchbox', { name: 'Find a meter' });
	await find.fill('boiler');
	await hasKeys(page, [2]);
	await find.fill('kam HEAT');
	await hasKeys(page, [4, 8]);
	await find.fill('nothing like it');
	await page.getByText('No meter fits.').waitFor();
	await find.fill('');
	await page.getByRole('radio', { name: /^failed 1$/i }).check();
	await hasKeys(page, [2]);
	await page.getByRole('radio', { name: /^never read 1$/i }).check();
	await hasKeys(page, [5]);
	await page.getByRole('radio', { name: /^all 7$/i }).check();
	await page.getByRole('button', { name: 'Name' }).click();
	await hasKeys(page, [2, 1, 3, 4, 6, 8, 5]);
	await page.getByRole('button', { name: 'Name' }).click();
	await hasKeys(page, [8, 6, 4, 3, 1, 2, 5]);
	const heading = page.getByRole('columnheader', { name: 'Name' });
	assert.equal(await heading.getAttribute('aria-sort'), 'descending');
	await page.reload();
	await hasKeys(page, [8, 6, 4, 3, 1, 2, 5]);
});

test('meters are named one after the other: Enter keeps a name and goes to the next', async () => {
	const page = await open();
	await page.getByRole('button', { name: 'Name' }).click();
	await hasKeys(page, [2, 1, 3, 4, 6, 8, 5]);
	await name(page, 2).click();
	await page.keyboard.type('Zoo');
	await page.keyboard.press('Enter');
	await hasFocus(page, 1);
	await page.keyboard.type('Yard');
	await page.keyboard.press('Enter');
	await hasFocus(page, 3);
	// The rows stay where they are as long as one names them.
	assert.deepEqual((await keys(page)).slice(0, 3), [2, 1, 3]);
	await page.keyboard.type('thrown away');
	await page.keyboard.press('Escape');
	assert.equal(await name(page, 3).inputValue(), 'Flat 3');
	await page.keyboard.press('ArrowUp');
	await hasFocus(page, 1);
	assert.equal(await name(page, 1).inputValue(), 'Yard');
	await until(() => bus.called('meter.change').length === 2);
	assert.deepEqual(bus.called('meter.change'), [
		{ meter: '#2', moid: 'Zoo' },
		{ meter: '#1', moid: 'Yard' },
	]);
	await page.getByRole('searchbox').focus();
	await hasKeys(page, [3, 4, 6, 8, 1, 2, 5]);
	// A name that is refused stays to be mended, with the reason.
	await name(page, 4).fill('no!');
	await page.keyboard.press('Enter');
	await page.getByRole('alert').filter({ hasText: 'moid: expected no "!"' }).waitFor();
	assert.equal(await name(page, 4).inputValue(), 'no!');
	assert.equal(await name(page, 4).getAttribute('aria-invalid'), 'true');
	assert.deepEqual(problems, []);
});

test('the list follows what happens, and asks only when something did', async () => {
	const page = await open();
	await row(page, 5).waitFor();
	await until(() => bus.called('meter.list').length > 0);
	const before = bus.called('meter.list').length;
	for (let i = 0; i < 10; i++) gateway.tick();
	assert.equal(bus.called('meter.list').length, before);
	bus.meters[4].readout = { state: 'read', read: time(950), tried: time(950), failures: 0 };
	bus.meters.push(makeMeter(20));
	bus.readout();
	await shows(row(page, 5), '14:15');
	await row(page, 20).waitFor();
	// Another page or program changes a name.
	bus.meters[0].moid = 'From elsewhere';
	bus.end(bus.begin('meter.change'), 'succeeded');
	await page.waitForFunction(
		() => document.querySelector('[data-name="1"]').value === 'From elsewhere',
	);
});

test('a meter opens with its values, exact, and goes where one came from', async () => {
	const page = await open();
	await page.getByRole('link', { name: 'Open meter 10015838' }).focus();
	await page.keyboard.press('Enter');
	const meter = panel(page);
	await page.waitForFunction(() => document.activeElement?.id === 'meter');
	for (const text of [
		'Boiler room',
		'Failed: no answer',
		'3 failures in a row',
		'123,456 kWh',
		'4,322.290 m³',
		'power low',
		'3 tries, 1.2s',
	])
		await shows(meter, text);
	await meter.getByRole('button', { name: '2 values more' }).click();
	await shows(meter, '1234567');
	await shows(meter, '99 kWh');
	await picture(page, 'open');
	await page.keyboard.press('Escape');
	await meter.waitFor({ state: 'detached' });
	await page.waitForFunction(
		() => document.activeElement?.closest('[data-meter]')?.dataset.meter === '2',
	);
	assert.deepEqual(problems, []);
});

test('read now tells that it reads and what came of it', async () => {
	const page = await open(wide, '#/meters/2');
	const meter = panel(page);
	await meter.getByRole('button', { name: 'Read now' }).click();
	await meter.getByRole('progressbar').waitFor();
	await until(() => bus.running('meter.read'));
	assert.deepEqual(bus.called('meter.read'), [{ meter: '#2' }]);
	bus.meters[1].readout = { state: 'read', read: time(1000), tried: time(1000), failures: 0 };
	bus.end(bus.running('meter.read'), 'succeeded', { meters: 1, read: 1, failed: 0, seconds: 0.4 });
	await meter.getByRole('status').filter({ hasText: 'It was read.' }).waitFor();
	await shows(meter, 'Read at Jan 31');
	await meter.getByRole('button', { name: 'Read now' }).click();
	await until(() => bus.running('meter.read'));
	bus.end(bus.running('meter.read'), 'failed', null, [
		{ pointer: '', text: 'the bus is not there' },
	]);
	await meter.getByRole('status').filter({ hasText: 'the bus is not there' }).waitFor();
	assert.deepEqual(problems, []);
});

test('settings: only what was changed is sent, and a refusal stands at its field', async () => {
	const page = await open(wide, '#/meters/3');
	const meter = panel(page);
	await meter.getByLabel('Primary address').fill('300');
	await meter.getByRole('button', { name: 'Save' }).click();
	await shows(meter, 'primary: found 300, expected -1 to 255');
	await meter.getByLabel('Primary address').fill('30');
	await meter.getByLabel('State').selectOption('passive');
	await meter.getByRole('button', { name: 'Save' }).click();
	await shows(meter, 'Saved.');
	assert.deepEqual(bus.called('meter.change').at(-1), {
		meter: '#3',
		state: 'passive',
		primary: 30,
	});
	await shows(meter, 'It is passive: rounds leave it out.');
});

test('settings: what a meter has otherwise than its bus is given, shown and taken away', async () => {
	const page = await open(wide, '#/meters/3');
	const meter = panel(page);
	const limit = meter.getByLabel('Telegrams at most');
	const save = meter.getByRole('button', { name: 'Save' });
	assert.equal(await limit.isVisible(), false);
	await meter.getByText('Advanced').click();
	await limit.fill('3');
	await meter.getByLabel('Retries of later telegrams').fill('0');
	await meter.getByLabel('Timeout of later telegrams').fill('soon');
	await meter.getByLabel('Telegram selection').fill('80');
	await meter.getByText('Advanced').click();
	await save.click();
	// A fault is not hidden in the fold.
	await meter.getByText('multi_timeout: found a string').waitFor({ state: 'visible' });
	await meter.getByLabel('Timeout of later telegrams').fill('900');
	await save.click();
	await shows(meter, 'Saved.');
	assert.deepEqual(bus.called('meter.change').at(-1), {
		meter: '#3',
		telegram_limit: 3,
		multi_retries: 0,
		multi_timeout: 900,
		telegram_selection: 80,
	});
	await page.reload();
	await limit.waitFor({ state: 'visible' });
	assert.equal(await limit.inputValue(), '3');
	await limit.fill('');
	await meter.getByLabel('Retries of later telegrams').fill('');
	await save.click();
	await shows(meter, 'Saved.');
	assert.deepEqual(bus.called('meter.change').at(-1), {
		meter: '#3',
		telegram_limit: 0,
		multi_retries: -1,
	});
	assert.equal(await limit.inputValue(), '');
	assert.deepEqual(problems, []);
});

test('a meter is removed only after a second word', async () => {
	const page = await open(wide, '#/meters/3');
	const meter = panel(page);
	await meter.getByRole('button', { name: 'Remove …' }).click();
	await shows(meter, 'Remove “Flat 3”?');
	await meter.getByRole('button', { name: 'Keep' }).click();
	assert.deepEqual(bus.called('meter.remove'), []);
	await meter.getByRole('button', { name: 'Remove …' }).click();
	await meter.getByRole('button', { name: 'Remove', exact: true }).click();
	await meter.waitFor({ state: 'detached' });
	assert.deepEqual(bus.called('meter.remove'), [{ meter: '#3' }]);
	await hasKeys(page, [1, 2, 4, 5, 6, 8]);
});

test('all are read with progress, a cancel and a summary', async () => {
	const page = await open();
	await row(page, 1).waitFor();
	await page.getByRole('button', { name: 'Read all' }).click();
	await until(() => bus.running('meter.read'));
	const job = bus.running('meter.read');
	bus.progress(job, 3, 7, 'reading');
	await shows(page.locator('.strip'), '3 of 7');
	await page.reload();
	await shows(page.locator('.strip'), '3 of 7');
	bus.end(job, 'succeeded', { meters: 7, read: 6, failed: 1, seconds: 12 });
	await shows(page.locator('.strip'), '6 of 7 meters read, 1 failed, in 12s.');
	await page.locator('.strip').getByRole('button', { name: 'Close' }).click();
	await page.locator('.strip').waitFor({ state: 'detached' });
	await page.getByRole('button', { name: 'Read all' }).click();
	await page.locator('.strip').getByRole('button', { name: 'Cancel' }).click();
	await shows(page.locator('.strip'), 'Cancelled.');
	assert.deepEqual(problems, []);
});

/** Opens the dialog and begins a search. */
async function search(page, how = () => {}) {
	await page.getByRole('button', { name: 'Search …' }).click();
	const dialog = page.getByRole('dialog', { name: 'Search for meters' });
	await how(dialog);
	await dialog.getByRole('button', { name: 'Search', exact: true }).click();
	await until(() => bus.running('meter.search'));
	return { dialog, job: bus.running('meter.search') };
}

test('a search shows what it finds as it comes, and what each is; found ones are named there', async () => {
	const page = await open();
	const { dialog, job } = await search(page);
	assert.deepEqual(job.params, {
		install: true,
		modes: ['secondary'],
		bauds: [],
		wanted: 0,
		hex: false,
		thorough: false,
	});
	bus.progress(job, 2500, 10_000, 'secondary, 2400 Bd: 0 found');
	await shows(dialog, '25%');
	bus.meters.push(makeMeter(20), makeMeter(21));
	bus.row(job, found(20, 'new', { point: 20 }));
	await shows(dialog.getByRole('row'), /new\s*10158380/);
	bus.row(job, found(21, 'new', { point: 21 }));
	for (const [i, result] of ['known', 'moved', 'replaced', 'duplicate', 'several'].entries())
		bus.row(job, found(i + 1, result, { point: i + 1 }));
	for (const text of ['known', 'moved', 'replaced', 'duplicate', 'several at once'])
		await shows(dialog.getByRole('row'), text);
	await shows(dialog.getByRole('row'), 'what moved means');
	assert.equal(await dialog.getByText('what known means').count(), 0);
	await shows(dialog.getByRole('status'), /2\s*new/);
	// Nobody has to wait for the end to give names.
	await dialog.locator('[data-name="20"]').fill('Attic');
	await page.keyboard.press('Enter');
	await hasFocus(page, 21);
	await until(() => bus.meters.some(({ moid }) => moid === 'Attic'));
	assert.deepEqual(await poorContrasts(page, 4.5), []);
	await picture(page, 'search');
	// It goes on without the dialog, and after a reload.
	await page.keyboard.press('Escape');
	await dialog.waitFor({ state: 'detached' });
	await shows(page.locator('.strip'), 'Show 7 found');
	await page.reload();
	await page.getByRole('button', { name: 'Show 7 found' }).click();
	await shows(dialog.getByRole('row'), '10158380');
	bus.end(job, 'succeeded', { found: 7, buses: [{ bus: '', node: 'bus', result: {} }] });
	await shows(dialog, '7 meters found.');
	assert.equal(await dialog.getByRole('button', { name: 'Go on' }).count(), 0);
	await dialog.getByRole('button', { name: 'Close' }).last().click();
	await dialog.waitFor({ state: 'detached' });
	assert.deepEqual(problems, []);
});

test('a search that is cancelled keeps what it found, and goes on from there', async () => {
	const page = await open();
	const { dialog, job } = await search(page);
	bus.row(job, found(20, 'new', { point: 20 }));
	await shows(dialog.getByRole('row'), '10158380');
	await dialog.getByRole('button', { name: 'Cancel' }).click();
	await shows(dialog, 'Cancelled; 1 found so far.');
	await shows(dialog.getByRole('row'), '10158380');
	await dialog.getByRole('button', { name: 'Go on' }).click();
	await until(() => bus.running('meter.search'));
	assert.deepEqual(bus.running('meter.search').params, { install: true, resume: true });
	await shows(dialog.getByRole('row'), '10158380');
	bus.row(bus.running('meter.search'), found(21, 'new', { point: 21 }));
	await shows(dialog.getByRole('row'), '10166299');
	await shows(dialog.getByRole('status'), /2\s*new/);
	bus.end(bus.running('meter.search'), 'failed', null, [
		{ pointer: '', text: 'the adapter was pulled out' },
	]);
	await shows(dialog.getByRole('status'), 'the adapter was pulled out');
	assert.deepEqual(problems, []);
});

test('advanced: rates in their order, how many, which buses, and nothing entered unasked', async () => {
	gateway.state.graph.nodes.push({
		id: 'east',
		type: 'mbus-source',
		params: { bus: 'east', interface: 'tcp:10.0.0.7:10001', baud: 300 },
	});
	const page = await open();
	const { dialog, job } = await search(page, async (dialog) => {
		await dialog.getByRole('radio', { name: /^Both/ }).check();
		await dialog.getByText('More', { exact: true }).click();
		await dialog.getByLabel('Order').selectOption({ label: 'addresses first' });
		await dialog.getByLabel('Last primary address').fill('20');
		await dialog.getByLabel('Number of meters to find').fill('12');
		await dialog.getByRole('checkbox', { name: '2400' }).check();
		await dialog.getByRole('checkbox', { name: '300', exact: true }).check();
		await shows(dialog, '2400, then 300');
		await dialog.getByRole('checkbox', { name: /^default serial/ }).uncheck();
		await dialog.getByRole('checkbox', { name: /at once$/ }).uncheck();
	});
	assert.deepEqual(job.params, {
		install: false,
		modes: ['primary', 'secondary'],
		bauds: [2400, 300],
		wanted: 12,
		hex: false,
		thorough: false,
		first_address: 0,
		last_address: 20,
		buses: ['east'],
	});
	bus.row(job, found(20, 'new', { bus: 'east', baud: 300 }));
	bus.row(job, found(21, 'new', { bus: 'east', baud: 300 }));
	bus.row(job, found(1, 'known', { point: 1 }));
	bus.end(job, 'succeeded', { found: 3 });
	await shows(dialog, '3 meters found.');
	await dialog.getByRole('checkbox', { name: 'Enter 10166299' }).check();
	await dialog.getByRole('button', { name: 'Enter 1 in the list' }).click();
	await shows(dialog, 'They are in the list.');
	const { secondary } = found(21);
	assert.deepEqual(bus.called('meter.add'), [
		{ bus: 'east', mode: 'secondary', primary: 21, secondary },
	]);
	await until(() => bus.running('meter.install'));
	assert.deepEqual(bus.called('meter.install'), [{ meters: [`#${bus.meters.at(-1).point}`] }]);
	assert.deepEqual(problems, []);
});

test('a search that is refused says why, and one on a phone fits', async () => {
	const page = await open(phone);
	gateway.commands['meter.search'] = () => {
		throw new Refused(404, [{ pointer: '', text: 'no node mbus-source is running' }]);
	};
	await page.getByRole('button', { name: 'Search …' }).tap();
	const dialog = page.getByRole('dialog');
	await dialog.getByText('More', { exact: true }).tap();
	await assertNoSideScroll(page);
	await picture(page, 'phone-search');
	await dialog.getByRole('button', { name: 'Search', exact: true }).tap();
	await dialog.getByRole('alert').filter({ hasText: 'no node mbus-source' }).waitFor();
	const job = bus.begin('meter.search');
	bus.row(job, found(20, 'new'));
	bus.row(job, found(1, 'duplicate', { point: 1, text: 'a long word of what it means '.repeat(4) }));
	await shows(dialog.getByRole('row'), 'duplicate');
	await assertNoSideScroll(page);
	await picture(page, 'phone-found');
});

const listFile = (text) => ({
	name: 'meters.csv',
	mimeType: 'text/csv',
	buffer: Buffer.from(text, 'latin1'),
});

test('a list file is looked at row by row before it is taken', async () => {
	delete gateway.commands['meter.install'];
	const page = await open();
	await page.getByRole('button', { name: 'List file …' }).click();
	const dialog = page.getByRole('dialog', { name: 'The meter list as a file' });
	await dialog.locator('input[type=file]').setInputFiles(listFile('A\r\n12345678\r\n!\r\n'));
	await shows(dialog, '1 row is wrong.');
	await shows(dialog.getByRole('row'), /3\s*refused\s*SecondaryAddress "!"/);
	assert.deepEqual(
		bus.called('meter.import').map(({ dry_run }) => dry_run),
		[true],
	);
	await picture(page, 'file');
	await dialog.getByRole('button', { name: 'Take the 1 that is right' }).click();
	await shows(dialog, 'Done.');
	assert.equal(bus.called('meter.import').at(-1).partial, true);
	await page.keyboard.press('Escape');
	await dialog.waitFor({ state: 'detached' });
	await row(page, 30).waitFor();
	await page.waitForFunction(() => document.activeElement?.textContent === 'List file …');
	assert.deepEqual(problems, []);
});

test('the meters of a file are contacted at once, each a row as it comes', async () => {
	const page = await open(wide, '#/meters/file');
	const dialog = page.getByRole('dialog');
	await dialog.locator('input[type=file]').setInputFiles(listFile('A\r\n1\r\n2\r\n'));
	await dialog.getByRole('button', { name: 'Take 2 rows' }).click();
	await until(() => bus.running('meter.install'));
	const job = bus.running('meter.install');
	assert.equal(Buffer.from(job.params.base64, 'base64').toString(), 'A\r\n1\r\n2\r\n');
	bus.progress(job, 1, 2, '');
	bus.row(job, { line: 2, point: 30, moid: 'Attic', result: 'ok', text: 'it answered' });
	await shows(dialog.getByRole('row'), /2\s*answered\s*Attic\s*it answered/);
	await shows(dialog, '1 of 2');
	await page.keyboard.press('Escape');
	await shows(page.locator('.strip'), 'Contacting the meters');
	await page.locator('.strip').getByRole('button', { name: 'Show each' }).click();
	bus.row(job, { line: 3, point: 31, moid: 'Yard', result: 'failed', text: 'no answer' });
	bus.end(job, 'succeeded', { meters: 2 });
	await shows(dialog, 'Done.');
	await shows(dialog.getByRole('row'), /3\s*failed\s*Yard\s*no answer/);
	assert.deepEqual(problems, []);
});

test('the list and an empty one are downloaded', async () => {
	const page = await open(wide, '#/meters/file');
	const get = async (name) => {
		const [file] = await Promise.all([
			page.waitForEvent('download'),
			page.getByRole('button', { name }).click(),
		]);
		return readFileSync(await file.path(), 'utf8');
	};
	const heading = await get('Download the template');
	assert.match(heading, /^\ufeffPosition[,;]SecondaryAddress[,;].*[,;]State\r\n$/);
	assert.equal(await get('Download the list'), 'Position;Bus\r\n');
});

test('a bus that cannot be read is told above the list and in a search', async () => {
	Object.assign(gateway.state.nodes.bus, { state: 'waiting', text: 'the device is not there' });
	const page = await open();
	await shows(page.locator('.trouble'), 'the device is not there');
	const { dialog } = await search(page);
	await shows(dialog, 'the device is not there');
	assert.deepEqual(await poorContrasts(page, 4.5), []);
});

test('what the gateway cannot do is not on the page', async () => {
	delete gateway.commands['meter.read'];
	const page = await open(wide, '#/meters/1');
	await shows(panel(page), 'Settings');
	assert.equal(await page.getByText('Read all').count(), 0);
	assert.equal(await page.getByText('Read now').count(), 0);
});

test('4000 meters are drawn, sorted and named as quickly as ten', async () => {
	bus.meters = Array.from({ length: 4000 }, (_, i) => makeMeter(i + 1));
	const page = await open();
	await row(page, 1).waitFor();
	assert.ok((await page.locator('[data-meter]').count()) < 100);
	await page.getByRole('button', { name: '#' }).click();
	await row(page, 4000).waitFor();
	await page.locator('#meter-rows').evaluate((box) => (box.scrollTop = box.scrollHeight));
	await row(page, 1).waitFor();
	// The one that has the focus stays, and the next is brought into view.
	await name(page, 2).focus();
	await page.locator('#meter-rows').evaluate((box) => (box.scrollTop = 0));
	await row(page, 4000).waitFor();
	await page.keyboard.press('Enter');
	await hasFocus(page, 1);
	assert.ok(await name(page, 1).isVisible());
	const box = await name(page, 1).boundingBox();
	assert.ok(box.y > 0 && box.y + box.height < 900);
});

test('on a phone there are cards, and nothing scrolls sideways', async () => {
	const page = await open(phone);
	await shows(row(page, 2), 'failed: no answer');
	await assertNoSideScroll(page);
	await picture(page, 'phone');
	assert.deepEqual(await poorContrasts(page, 4.5), []);
	await row(page, 2).getByText('KAM').tap();
	await shows(panel(page), '123,456 kWh');
	await assertNoSideScroll(page);
	await picture(page, 'phone-open');
	await panel(page).getByRole('button', { name: 'Close' }).tap();
	await name(page, 1).tap();
	await page.keyboard.type('New');
	await page.keyboard.press('Enter');
	await hasFocus(page, 2);
	await until(() => bus.meters[0].moid === 'New');
	assert.deepEqual(problems, []);
});

for (const colorScheme of ['light', 'dark']) {
	test(`${colorScheme}: all text has a contrast of 4.5 or more`, async () => {
		const page = await open({ ...wide, colorScheme }, '#/meters/2');
		await shows(panel(page), '123,456 kWh');
		await panel(page).getByRole('button', { name: 'Remove …' }).click();
		assert.deepEqual(await poorContrasts(page, 4.5), []);
		await picture(page, colorScheme);
	});
}

test('in French all words are French', async () => {
	const page = await open({ ...wide, locale: 'fr-FR' }, '#/meters/2');
	await shows(row(page, 1), 'électricité');
	await shows(row(page, 2), 'échec : pas de réponse');
	const meter = page.getByRole('region', { name: /^Compteur / });
	await shows(meter, 'Énergie');
	await shows(meter, /4\s322,290 m³/);
	await shows(meter, 'alimentation faible');
	await picture(page, 'french');
	assert.deepEqual(problems, []);
});

test('without meters it says what to do', async () => {
	bus.meters = [];
	const page = await open();
	await shows(page.locator('.empty'), 'There are no meters yet.');
	assert.deepEqual(problems, []);
});
