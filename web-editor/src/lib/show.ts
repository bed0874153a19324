/* How states and figures are shown, the same on the canvas, in the list and in the panel. */
import { number, rate, t } from '../i18n/index.svelte';
import { gateway } from './gateway.svelte';
import type { EdgeMetrics, GraphNode, Wire } from './model';

export type State = 'running' | 'waiting' | 'fault' | 'stopped' | 'unknown';

export function stateOf(id: string): State {
	const state = gateway.nodes[id]?.state;
	return state === 'running' || state === 'waiting' || state === 'fault' || state === 'stopped'
		? state
		: 'unknown';
}

export function stateText(state: State): string {
	switch (state) {
		case 'running':
			return t('stateRunning');
		case 'waiting':
			return t('stateWaiting');
		case 'fault':
			return t('stateFault');
		case 'stopped':
			return t('stateStopped');
		default:
			return t('stateUnknown');
	}
}

export function titleOf(node: GraphNode): string {
	return gateway.types.get(node.type)?.title ?? node.type;
}

export function categoryOf(node: GraphNode): string {
	return gateway.types.get(node.type)?.category ?? 'process';
}

/* How full a wire is, from 0 to 1. */
export function fill(edge: EdgeMetrics | undefined): number {
	return edge && edge.capacity > 0 ? Math.min(1, edge.depth / edge.capacity) : 0;
}

export function level(edge: EdgeMetrics | undefined): 'good' | 'warn' | 'bad' {
	const part = fill(edge);
	return part >= 0.85 ? 'bad' : part >= 0.6 ? 'warn' : 'good';
}

export function wireText(wire: Wire): string {
	const edge = gateway.edges[wire.key];
	return t('wireLabel', {
		from: wire.from,
		to: wire.to,
		rate: rate(edge?.rate ?? 0),
		depth: number(edge?.depth ?? 0),
		drops: number(edge?.dropped ?? 0),
	});
}
