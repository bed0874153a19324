// The wired buses of the graph that runs.

import type { NodeFigures } from '../gateway/types';
import type { ModelNode } from '../graph/model';

export const bauds = [300, 600, 1200, 2400, 4800, 9600, 19200, 38400];

/** A bus as meters name it: "" is the default one. */
export interface Bus {
	name: string;
	node: string;
	interface: string;
	baud: number;
}

const USUAL = 2400; // of a source that names none

export function busesOf(nodes: ModelNode[]): Bus[] {
	const text = (value: unknown) => (typeof value === 'string' ? value : '');
	return nodes
		.filter((node) => node.type === 'mbus-source')
		.map(({ id, params }) => ({
			name: text(params['bus']),
			node: id,
			interface: text(params['interface']),
			baud: typeof params['baud'] === 'number' ? params['baud'] : USUAL,
		}))
		.sort((a, b) => a.name.localeCompare(b.name));
}

/** Buses that cannot be read as they are, with what their nodes say of it. That a bus has no meters
 * yet is no trouble. */
export function troubledOf(
	nodes: ModelNode[],
	figures: Record<string, NodeFigures>,
): { node: string; text: string }[] {
	return busesOf(nodes).flatMap(({ node }) => {
		const { state, text = '' } = figures[node] ?? {};
		const empty = text.startsWith('the meter list has no active meter');
		const troubled = state === 'fault' || (state === 'waiting' && !empty);
		return troubled ? [{ node, text }] : [];
	});
}
