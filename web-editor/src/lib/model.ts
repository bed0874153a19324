/* What the gateway tells about its graph, and what the page makes of it. */

export interface GraphNode {
	id: string;
	type: string;
	params?: Record<string, unknown>;
}

export interface GraphEdge {
	from: string;
	to: string;
	capacity?: number;
	when_full?: string;
	optional?: boolean;
}

export interface Graph {
	name?: string;
	nodes?: GraphNode[];
	edges?: GraphEdge[];
	layout?: Record<string, [number, number]>;
}

export interface Port {
	name: string;
	direction: 'in' | 'out';
	type: string;
}

export interface NodeType {
	type: string;
	title: string;
	help?: string;
	category?: string;
	ports: Port[];
}

export interface NodeMetrics {
	state: string;
	text?: string;
	since?: string;
	received: number;
	emitted: number;
	failed: number;
	dropped: number;
	own?: Record<string, number>;
}

export interface EdgeMetrics {
	capacity: number;
	depth: number;
	high_water: number;
	count: number;
	rate: number;
	age: number;
	dropped: number;
}

export interface Metrics {
	time?: string;
	nodes: Record<string, NodeMetrics>;
	edges: Record<string, EdgeMetrics>;
}

/* An edge with both ports named, as the engine's own figures name it. */
export interface Wire {
	key: string;
	from: string;
	fromPort: string;
	to: string;
	toPort: string;
	optional: boolean;
}

function split(end: string): [string, string | undefined] {
	const dot = end.indexOf('.');
	return dot < 0 ? [end, undefined] : [end.slice(0, dot), end.slice(dot + 1)];
}

/* Names the ports that a graph leaves out: the pair of one type, as the gateway's own check does. */
export function wires(graph: Graph, types: Map<string, NodeType>): Wire[] {
	const portsOf = new Map((graph.nodes ?? []).map((n) => [n.id, types.get(n.type)?.ports ?? []]));
	return (graph.edges ?? []).map((edge) => {
		const [from, fromNamed] = split(edge.from);
		const [to, toNamed] = split(edge.to);
		const outputs = (portsOf.get(from) ?? []).filter(
			(p) => p.direction === 'out' && (!fromNamed || p.name === fromNamed),
		);
		const inputs = (portsOf.get(to) ?? []).filter(
			(p) => p.direction === 'in' && (!toNamed || p.name === toNamed),
		);
		const output = outputs.find((o) => inputs.some((i) => i.type === o.type)) ?? outputs[0];
		const input = inputs.find((i) => i.type === output?.type) ?? inputs[0];
		const fromPort = output?.name ?? fromNamed ?? 'out';
		const toPort = input?.name ?? toNamed ?? 'in';
		return {
			key: `${from}.${fromPort}>${to}.${toPort}`,
			from,
			fromPort,
			to,
			toPort,
			optional: edge.optional ?? false,
		};
	});
}
