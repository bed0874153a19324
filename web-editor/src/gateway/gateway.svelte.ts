// The gateway as the page knows it: its graph, its figures, its log, and whether it answers.

import { buildModel, emptyModel, type Model } from '../graph/model';
import { ROUTES } from './call';
import { addEntries, lastTroubles } from './log';
import { Stream, type Connection, type World } from './stream';
import { Tasks } from './task.svelte';
import type { Command, Graph, Job, LogEntry, Metrics, NodeType, Status } from './types';

const TIMEOUT = 10_000;
const HIDDEN_FOR = 60_000; // then a page that nobody sees lets go of the gateway
const HISTORY = 120; // figures of each wire, one a second

async function get<T>(path: string): Promise<{ body: T; etag: string | null }> {
	const response = await fetch(ROUTES + path, {
		headers: { Accept: 'application/json' },
		signal: AbortSignal.timeout(TIMEOUT),
	});
	if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
	return { body: (await response.json()) as T, etag: response.headers.get('ETag') };
}

const browser: World = {
	open: (url) => new EventSource(url),
	now: () => performance.now(),
	after(milliseconds, call) {
		const timer = setTimeout(call, milliseconds);
		return () => clearTimeout(timer);
	},
};

export class Gateway {
	connection = $state<Connection>('connecting');
	/** by performance.now() */
	retryAt = $state<number>();
	model = $state.raw<Model>(emptyModel);
	/** The graph was fetched at least once. */
	known = $state(false);
	revision = $state(0);
	metrics = $state.raw<Metrics>({ time: '', nodes: {}, edges: {} });
	/** rates of each wire, the oldest first */
	history = $state.raw<Record<string, number[]>>({});
	log = $state.raw<LogEntry[]>([]);
	/** what each node, or part of the engine, has last warned of */
	troubles = $derived(lastTroubles(this.log));
	lost = $state(0);
	status = $state.raw<Status>({ version: '', name: '', epoch: 0 });
	jobs = $state.raw<Job[]>([]);
	/** what this gateway can do, by name */
	commands = $state.raw<ReadonlyMap<string, Command>>(new Map());
	/** how often a source has read a meter or failed to */
	readouts = $state(0);
	/** counts what jobs have told that may have changed the meter list, and the jobs that ended */
	changes = $state(0);
	ended = $state(0);
	readonly tasks = new Tasks();
	#types: NodeType[] = [];
	#stream: Stream;

	constructor() {
		this.#stream = new Stream(`${ROUTES}/events`, ['metrics', 'log', 'graph', 'job'], browser, {
			opened: () => this.#fetchAll(),
			told: (topic, data) => this.#told(topic, data),
			changed: (connection, retryAt) => {
				this.connection = connection;
				this.retryAt = retryAt;
			},
		});
	}

	/** Watches the gateway as long as somebody watches the page; returns what ends it. */
	watch(): () => void {
		let hidden: ReturnType<typeof setTimeout> | undefined;
		let closed = false;
		const look = () => {
			clearTimeout(hidden);
			if (document.hidden) {
				hidden = setTimeout(() => {
					this.#stream.close();
					closed = true;
				}, HIDDEN_FOR);
			} else if (closed) {
				closed = false;
				this.#stream.open();
			}
		};
		document.addEventListener('visibilitychange', look);
		this.#stream.open();
		return () => {
			clearTimeout(hidden);
			document.removeEventListener('visibilitychange', look);
			this.#stream.close();
		};
	}

	tryNow() {
		this.#stream.open();
	}

	async #fetchAll() {
		const [status, types, commands, metrics, log] = await Promise.all([
			get<Status>('/status'),
			get<NodeType[]>('/node-types'),
			get<Command[]>('/commands'),
			get<Metrics>('/metrics'),
			get<LogEntry[]>('/log?limit=500'),
			this.#fetchJobs(),
		]);
		// Another start of the gateway numbers its log anew.
		const same = status.body.epoch === this.status.epoch;
		this.status = status.body;
		this.log = addEntries(same ? this.log : [], log.body);
		this.#types = types.body;
		this.commands = new Map(commands.body.map((command) => [command.name, command]));
		this.ended++; // what happened meanwhile is not known
		this.tasks.askAll();
		this.#measure(metrics.body);
		await this.#fetchGraph();
	}

	async #fetchGraph() {
		const { body, etag } = await get<Graph>('/graph');
		this.model = buildModel(body, this.#types);
		this.revision = Number(etag?.replace(/\D/g, '') ?? 0);
		this.known = true;
	}

	async #fetchJobs() {
		const { body } = await get<Job[]>('/jobs');
		this.jobs = body.filter((job) => job.state === 'running');
	}

	#told(topic: string, data: unknown) {
		if (topic === 'metrics') this.#measure(data as Metrics);
		else if (topic === 'log') this.log = addEntries(this.log, [data as LogEntry]);
		else if (topic === 'graph') this.#fetchGraph().catch(() => this.#stream.open());
		else if (topic === 'job') this.#tellJob(data as Job);
		else if (topic === 'lost' && (data as { topic: string }).topic === 'log')
			this.lost += (data as { lost: number }).lost;
	}

	#measure(metrics: Metrics) {
		const history: Record<string, number[]> = {};
		for (const [key, { rate }] of Object.entries(metrics.edges)) {
			history[key] = [...(this.history[key] ?? []), rate].slice(-HISTORY);
		}
		this.metrics = metrics;
		this.history = history;
		this.readouts = Object.values(metrics.nodes).reduce(
			(sum, { own }) => sum + (own?.['meters_read'] ?? 0) + (own?.['meters_failed'] ?? 0),
			0,
		);
	}

	#tellJob(job: Job) {
		const before = this.jobs.find((other) => other.id === job.id);
		const others = this.jobs.filter((other) => other.id !== job.id);
		this.jobs = job.state === 'running' ? [...others, job] : others;
		this.tasks.told(job);
		const ended = job.state !== 'running' && job.state !== 'queued';
		if (ended) this.ended++;
		else if ((job.rows ?? 0) !== (before?.rows ?? 0)) this.changes++;
	}
}
