// What the gateway tells, as its routes under /api/v1 write it.

export interface Graph {
	meterloom: number;
	name?: string;
	remark?: string;
	nodes?: GraphNode[];
	edges?: GraphEdge[];
	layout?: Record<string, [number, number]>;
}

export interface GraphNode {
	id: string;
	type: string;
	params?: Record<string, unknown>;
}

/** Ends are "node" or "node.port". */
export interface GraphEdge {
	from: string;
	to: string;
	capacity?: number;
	when_full?: WhenFull;
	optional?: boolean;
}

export type WhenFull = 'wait' | 'drop-newest' | 'drop-oldest';

export interface NodeType {
	type: string;
	title: string;
	help: string;
	category: string;
	ports: Port[];
	metrics: OwnMetric[];
}

export interface Port {
	name: string;
	direction: 'in' | 'out';
	type: string;
	help: string | null;
}

export interface OwnMetric {
	name: string;
	kind: 'counter' | 'gauge';
	help: string;
}

export type NodeState = 'stopped' | 'running' | 'waiting' | 'fault';

export interface NodeFigures {
	state: NodeState;
	text?: string;
	since: string;
	lane: string;
	received: number;
	emitted: number;
	failed: number;
	dropped: number;
	own?: Record<string, number>;
}

export interface WireFigures {
	capacity: number;
	depth: number;
	high_water: number;
	count: number;
	/** messages a second */
	rate: number;
	/** seconds that the oldest message has waited */
	age: number;
	dropped: number;
}

export interface Metrics {
	time: string;
	nodes: Record<string, NodeFigures>;
	edges: Record<string, WireFigures>;
}

export type Level = 'debug' | 'info' | 'warning' | 'error';

export interface LogEntry {
	sequence: number;
	time: string;
	level: Level;
	origin: string;
	text: string;
}

export interface Status {
	version: string;
	name: string;
	/** counts the starts of this gateway */
	epoch: number;
}

export interface Job {
	id: number;
	command: string;
	state: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
	cancellable?: boolean;
	progress?: { done: number; total: number | null; text: string };
	/** how many it has told so far */
	rows?: number;
	errors?: { pointer: string; text: string }[];
}

/** One job, with the rows that were asked for and, after its end, its result. */
export interface JobShown extends Job {
	items?: unknown[];
	result?: unknown;
}

export interface Command {
	name: string;
	params: { properties: Record<string, { enum?: string[]; default?: unknown }> };
}
