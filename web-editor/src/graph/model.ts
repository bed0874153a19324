// The graph as the page draws it: nodes with their ports, wires with the ports they join.

import type { Graph, GraphEdge, NodeType, OwnMetric, Port, WhenFull } from '../gateway/types';

export interface ModelNode {
	id: string;
	type: string;
	title: string;
	help: string;
	params: Record<string, unknown>;
	inputs: Port[];
	outputs: Port[];
	metrics: OwnMetric[];
}

export interface ModelWire {
	/** "bus.out>decode.in": the name under which the gateway measures it */
	key: string;
	from: string;
	fromPort: string;
	to: string;
	toPort: string;
	messageType: string;
	whenFull: WhenFull;
	optional: boolean;
}

export interface Model {
	name: string;
	nodes: ModelNode[];
	wires: ModelWire[];
	layout: Record<string, [number, number]>;
}

export const emptyModel: Model = { name: '', nodes: [], wires: [], layout: {} };

export function buildModel(graph: Graph, types: NodeType[]): Model {
	const byType = new Map(types.map((type) => [type.type, type]));
	const nodes = (graph.nodes ?? []).map(({ id, type, params }): ModelNode => {
		const known = byType.get(type);
		const ports = known?.ports ?? [];
		return {
			id,
			type,
			title: known?.title ?? type,
			help: known?.help ?? '',
			params: params ?? {},
			inputs: ports.filter((port) => port.direction === 'in'),
			outputs: ports.filter((port) => port.direction === 'out'),
			metrics: known?.metrics ?? [],
		};
	});
	const byId = new Map(nodes.map((node) => [node.id, node]));
	const wires: ModelWire[] = [];
	for (const edge of graph.edges ?? []) {
		const wire = buildWire(edge, byId);
		if (wire) wires.push(wire);
	}
	return { name: graph.name ?? '', nodes, wires, layout: graph.layout ?? {} };
}

/** Joins the two ports that fit, as the engine does: a port may be left out where only one can be
 * meant. */
function buildWire(edge: GraphEdge, nodes: Map<string, ModelNode>): ModelWire | undefined {
	const [fromId, fromName] = splitEnd(edge.from);
	const [toId, toName] = splitEnd(edge.to);
	const from = nodes.get(fromId);
	const to = nodes.get(toId);
	if (!from || !to) return undefined;
	for (const output of from.outputs) {
		if (fromName && output.name !== fromName) continue;
		for (const input of to.inputs) {
			if ((toName && input.name !== toName) || input.type !== output.type) continue;
			return {
				key: `${fromId}.${output.name}>${toId}.${input.name}`,
				from: fromId,
				fromPort: output.name,
				to: toId,
				toPort: input.name,
				messageType: output.type,
				whenFull: edge.when_full ?? 'wait',
				optional: edge.optional ?? false,
			};
		}
	}
	return undefined;
}

function splitEnd(end: string): [node: string, port: string] {
	const dot = end.indexOf('.');
	return dot < 0 ? [end, ''] : [end.slice(0, dot), end.slice(dot + 1)];
}

/** How full a wire is: amber from 60 % of its capacity, red from 85 %. */
export type Fill = 'low' | 'high' | 'full';

export function fillOf(depth: number, capacity: number): Fill {
	const share = capacity > 0 ? depth / capacity : 0;
	return share >= 0.85 ? 'full' : share >= 0.6 ? 'high' : 'low';
}

/** The order in which a person walks the graph: along the wires from the sources, part by part. */
export function walkOrder(model: Model): ModelNode[] {
	const waiting = new Map(model.nodes.map((node) => [node.id, 0]));
	for (const wire of model.wires) waiting.set(wire.to, (waiting.get(wire.to) ?? 0) + 1);
	const order: ModelNode[] = [];
	const placed = new Set<string>();
	const byId = new Map(model.nodes.map((node) => [node.id, node]));
	const place = (first: ModelNode) => {
		const stack = [first];
		for (let node = stack.pop(); node; node = stack.pop()) {
			if (placed.has(node.id)) continue;
			placed.add(node.id);
			order.push(node);
			for (const wire of model.wires.filter((w) => w.from === node!.id).reverse()) {
				const left = (waiting.get(wire.to) ?? 0) - 1;
				waiting.set(wire.to, left);
				if (left <= 0) stack.push(byId.get(wire.to)!);
			}
		}
	};
	for (const node of model.nodes) if (waiting.get(node.id) === 0) place(node);
	for (const node of model.nodes) place(node); // what stands in a circle, should there be one
	return order;
}
