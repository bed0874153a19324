/* The gateway as the page knows it: its graph, its figures and its log, kept up to date. */
import type { EdgeMetrics, Graph, Metrics, NodeType, NodeMetrics } from './model';

export type Severity = 'debug' | 'info' | 'warning' | 'error';
export const severities: Severity[] = ['debug', 'info', 'warning', 'error'];

export interface LogLine {
	key: number;
	time: Date;
	severity: Severity;
	place: string;
	text: string;
}

const LOG_LINES = 500;

type Link = 'connecting' | 'live' | 'lost';

export const gateway = $state<{
	link: Link;
	problem: string;
	graph: Graph | null;
	types: Map<string, NodeType>;
	nodes: Record<string, NodeMetrics>;
	edges: Record<string, EdgeMetrics>;
	log: LogLine[];
	logLost: number;
	/* The newest warning or error that a node logged. */
	lastErrors: Record<string, LogLine>;
}>({
	link: 'connecting',
	problem: '',
	graph: null,
	types: new Map(),
	nodes: {},
	edges: {},
	log: [],
	logLost: 0,
	lastErrors: {},
});

async function get<T>(path: string): Promise<T> {
	const response = await fetch(path, { headers: { Accept: 'application/json' } });
	if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
	return (await response.json()) as T;
}

interface LogEntry {
	sequence: number;
	time: string;
	level: Severity;
	origin: string;
	text: string;
}

/* Lines come live and, once after connecting, from the log that is kept: in any order, some twice. */
function addLog(entries: LogEntry[]): void {
	const known = new Set(gateway.log.map((line) => line.key));
	const fresh = entries
		.filter((entry) => !known.has(entry.sequence))
		.map((entry) => ({
			key: entry.sequence,
			time: new Date(entry.time),
			severity: entry.level,
			place: entry.origin,
			text: entry.text,
		}));
	if (fresh.length === 0) return;
	gateway.log = [...gateway.log, ...fresh].sort((a, b) => a.key - b.key).slice(-LOG_LINES);
	for (const line of fresh) {
		if (line.severity !== 'warning' && line.severity !== 'error') continue;
		const last = gateway.lastErrors[line.place];
		if (!last || last.key < line.key) gateway.lastErrors[line.place] = line;
	}
}

export async function load(): Promise<void> {
	try {
		const types = await get<NodeType[]>('/api/v1/node-types');
		gateway.types = new Map(types.map((type) => [type.type, type]));
		gateway.graph = await get<Graph>('/api/v1/graph');
		show(await get<Metrics>('/api/v1/metrics'));
		gateway.problem = '';
	} catch (error) {
		gateway.problem = error instanceof Error ? error.message : String(error);
	}
}

async function loadLog(): Promise<void> {
	try {
		addLog(await get<LogEntry[]>(`/api/v1/log?limit=${LOG_LINES}`));
	} catch {
		/* The live lines will do. */
	}
}

function show(metrics: Metrics): void {
	gateway.nodes = metrics.nodes;
	gateway.edges = metrics.edges;
}

/* Watches until the page is left. The browser connects again by itself; what changed meanwhile is then
 * loaded anew. */
export function watch(): () => void {
	const source = new EventSource('/api/v1/events?topics=metrics,log,graph,job');
	source.onopen = () => {
		gateway.link = 'live';
		/* It may be another run of the gateway, which counts its lines from 1. */
		gateway.log = [];
		gateway.lastErrors = {};
		void load();
		void loadLog();
	};
	source.onerror = () => {
		gateway.link = 'lost';
	};
	source.addEventListener('metrics', (event) => show(JSON.parse(event.data) as Metrics));
	source.addEventListener('log', (event) => addLog([JSON.parse(event.data) as LogEntry]));
	source.addEventListener('graph', () => void load());
	source.addEventListener('lost', (event) => {
		gateway.logLost += Number((JSON.parse(event.data) as { lost?: number }).lost ?? 0);
	});
	return () => source.close();
}
