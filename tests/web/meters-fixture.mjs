// Meters behind the gateway of the tests, and the jobs that read and search them: each goes on as a
// test says.

export class Refused extends Error {
	constructor(status, errors) {
		super(errors[0].text);
		this.status = status;
		this.errors = errors;
	}
}

const media = [
	['heat', 4],
	['electricity', 2],
	['cold-water', 22],
	['gas', 3],
];

export function makeMeter(key) {
	const id = String(10_000_000 + key * 7919).padStart(8, '0');
	const [medium, medium_code] = media[key % media.length];
	const device = { id, manufacturer: 'KAM', version: 27, medium, medium_code };
	return {
		point: key,
		order: key,
		since: '2026-01-01T00:00:00.000Z',
		moid: `Flat ${key}`,
		state: 'active',
		bus: '',
		mode: key % 2 ? 'primary' : 'secondary',
		...(key % 2 ? { primary: key % 250 } : {}),
		secondary: `${id}.KAM.1B.0${medium_code % 10}`,
		baud: 2400,
		multi: 'bus',
		readout: { state: 'read', tried: time(key), read: time(key), failures: 0 },
		device: { ...device, from: '2026-01-01T00:00:00.000Z' },
		earlier_devices: [],
	};
}

export const time = (seconds) => new Date(Date.UTC(2026, 0, 31, 14) + seconds * 1000).toISOString();

/** What a search tells of one that it found. */
export function found(key, result, more = {}) {
	const { device, secondary } = makeMeter(key);
	const { id, manufacturer, version, medium } = device;
	return {
		bus: '',
		secondary,
		id,
		manufacturer,
		version,
		medium,
		mode: 'secondary',
		primary: key,
		baud: 2400,
		result,
		text: `what ${result} means`,
		...more,
	};
}

/** One of each kind that a person must tell apart. */
export function makeMeters() {
	const meters = Array.from({ length: 8 }, (_, i) => makeMeter(i + 1));
	Object.assign(meters[1], {
		moid: 'Boiler room',
		readout: {
			state: 'failed',
			reason: 'timeout',
			text: 'it did not answer',
			tried: time(900),
			read: time(2),
			failures: 3,
		},
	});
	Object.assign(meters[4], { moid: '', device: null, readout: { state: 'never', failures: 0 } });
	Object.assign(meters[6], { state: 'passive' });
	return meters;
}

export class MeterGateway {
	meters = makeMeters();
	/** what was called, by name: the parameters */
	calls = [];
	jobs = new Map();
	#fixture;
	#last = 0;

	constructor(fixture) {
		this.#fixture = fixture;
		const answer = (name, run) => {
			fixture.commands[name] = (params) => {
				this.calls.push([name, params]);
				return run(params);
			};
		};
		answer('meter.list', ({ passive = false }) => {
			const meters = this.meters.filter((meter) => passive || meter.state === 'active');
			return { meters, total: meters.length };
		});
		answer('meter.change', ({ meter, ...settings }) => this.#change(meter, settings));
		answer('meter.remove', ({ meter }) => {
			const found = this.find(meter);
			this.meters = this.meters.filter((each) => each !== found);
			return { removed: found.point };
		});
		answer('meter.current', ({ meter }) => this.#current(meter));
		answer('meter.readings', ({ meter }) => ({
			readings: [1, 2].map((n) => ({
				time: this.find(meter).readout.read ?? time(0),
				trace: n,
				status: n === 2 ? ['power-low'] : [],
				records: [{}, {}, {}],
			})),
		}));
		answer('meter.read', (params) => this.begin('meter.read', params).id);
		answer('meter.import', ({ base64, partial, dry_run }) => this.#import(base64, partial, dry_run));
		answer('meter.export', () => ({ meters: this.meters.length, csv: 'Position;Bus\r\n' }));
		answer('meter.install', (params) => this.begin('meter.install', params).id);
		answer('meter.search', (params) => this.begin('meter.search', params).id);
		answer('meter.add', (params) => {
			const meter = { ...makeMeter(this.meters.length + 40), ...params, moid: '' };
			this.meters.push(meter);
			return meter;
		});
		answer('meter.readout', ({ meter }) => ({
			meter: this.find(meter),
			recent: [
				{ time: time(900), result: 'timeout', tries: 3, seconds: 1.2 },
				{ time: time(2), result: 'ok', tries: 1, seconds: 0.2 },
			],
		}));
		answer('job.show', ({ job, from = 0 }) => this.#show(job, from));
		answer('job.cancel', ({ job }) => this.end(this.jobs.get(job), 'cancelled'));
	}

	called(name) {
		return this.calls.filter(([each]) => each === name).map(([, params]) => params);
	}

	find(text) {
		const found = this.meters.find((meter) => `#${meter.point}` === text);
		if (!found) throw new Refused(404, [{ pointer: '/meter', text: `no meter "${text}"` }]);
		return found;
	}

	#change(text, settings) {
		if (settings.moid?.includes('!'))
			throw new Refused(422, [{ pointer: '/moid', text: 'moid: expected no "!"' }]);
		if (settings.primary > 255)
			throw new Refused(422, [
				{ pointer: '/primary', text: 'primary: found 300, expected -1 to 255' },
			]);
		if (typeof settings.multi_timeout === 'string')
			throw new Refused(422, [
				{ pointer: '/multi_timeout', text: 'multi_timeout: found a string' },
			]);
		const meter = Object.assign(this.find(text), settings);
		// What is as the bus has it is not told.
		if (meter.telegram_limit === 0) delete meter.telegram_limit;
		if (meter.multi_retries === -1) delete meter.multi_retries;
		return meter;
	}

	/** The second line of a file is good, the third is not. */
	#import(base64, partial, dry) {
		const lines = Buffer.from(base64, 'base64').toString('latin1').trim().split('\r\n');
		const rows = lines.slice(1).map((text, i) =>
			text.includes('!')
				? { line: i + 2, result: 'refused', text: 'SecondaryAddress "!": expected 8 digits' }
				: { line: i + 2, result: 'added', text: `secondary address ${text}` },
		);
		const applied = !dry && (partial || rows.every((row) => row.result === 'added'));
		if (applied) this.meters.push(makeMeter(30));
		return { applied, rows };
	}

	#current(text) {
		const { point, moid, readout } = this.find(text);
		const value = (quantity, unit, digits, more = {}) =>
			`{"series":"${quantity}${JSON.stringify(more).length}","time":"${readout.read}",
			"quantity":"${quantity}","unit":"${unit}","value":${digits},"function":"instantaneous",
			"storage":${more.storage ?? 0},"tariff":0,"subunit":0}`;
		const values = [
			value('fabrication-number', '', '1234567'),
			value('energy', 'Wh', '123456000'),
			value('volume', 'm³', '4322.290'),
			value('energy', 'Wh', '99000', { storage: 1 }),
		];
		return `{"meters":[{"point":${point},"moid":${JSON.stringify(moid)},"state":"${readout.state}",
			"read":"${readout.read ?? ''}","values":[${readout.read ? values.join() : ''}]}],"total":1}`;
	}

	// ---- Jobs ----

	begin(command, params = {}) {
		const job = { id: ++this.#last, command, params, state: 'running', rows: [] };
		this.jobs.set(job.id, job);
		this.#tell(job);
		return job;
	}

	running(command) {
		return [...this.jobs.values()].find(
			(job) => job.command === command && job.state === 'running',
		);
	}

	progress(job, done, total, text = '') {
		job.progress = { done, total, text };
		this.#tell(job);
	}

	row(job, row) {
		job.rows.push(row);
		this.#tell(job);
	}

	end(job, state, result = null, errors = []) {
		Object.assign(job, { state, result, errors });
		this.#tell(job);
		return null;
	}

	#write({ id, command, state, progress, rows, errors }) {
		return {
			id,
			command,
			state,
			...(state === 'running' ? { cancellable: true } : {}),
			...(progress ? { progress } : {}),
			...(rows.length ? { rows: rows.length } : {}),
			...(errors?.length ? { errors } : {}),
		};
	}

	#show(id, from) {
		const job = this.jobs.get(id);
		if (!job) throw new Refused(404, [{ pointer: '/job', text: `there is no job ${id}` }]);
		const items = job.rows.length ? { items: job.rows.slice(from) } : {};
		const result = job.state === 'running' ? {} : { result: job.result };
		return { ...this.#write(job), ...items, ...result };
	}

	#tell(job) {
		const told = this.#write(job);
		this.#fixture.state.jobs = [...this.jobs.values()].map((each) => this.#write(each));
		this.#fixture.tell('job', told);
	}

	/** As when a round has read something. */
	readout() {
		const own = this.#fixture.state.nodes.bus.own;
		own.meters_read = (own.meters_read ?? 0) + 1;
		this.#fixture.tick();
	}
}
