// The current values and the recent readings of a meter, in the order people look for them.

import type { Digits } from './exact';

export interface Value {
	series: string;
	time?: string;
	quantity: string;
	of?: string;
	unit: string;
	value: Digits | string | null;
	function: 'instantaneous' | 'maximum' | 'minimum' | 'error';
	storage: number;
	tariff: number;
	subunit: number;
	modifiers?: string[];
}

export interface Reading {
	time?: string;
	trace?: number;
	status?: string[];
	error?: { at: number; text: string };
	records: unknown[];
}

const FEW = 8; // of a meter that measures nothing we know

/** What a meter measures comes first, what it says of itself after it. */
const first = [
	'energy',
	'reactive-energy',
	'apparent-energy',
	'volume',
	'mass',
	'hca',
	'power',
	'reactive-power',
	'apparent-power',
	'volume-flow',
	'mass-flow',
	'flow-temperature',
	'return-temperature',
	'temperature-difference',
	'external-temperature',
	'voltage',
	'current',
	'frequency',
	'pressure',
];

const isMeasured = (value: Value) =>
	value.storage === 0 &&
	first.includes(value.quantity) &&
	!value.modifiers?.includes('manufacturer-vife');

/** What is measured now, and all else: what a meter keeps of earlier days and says of itself. */
export function sorted(values: Value[]): { main: Value[]; more: Value[] } {
	const rank = (value: Value) => {
		const at = first.indexOf(value.quantity);
		return (at < 0 ? first.length : at) + (value.storage ? 2 * first.length : 0);
	};
	const all = values
		.map((value, at) => ({ value, at }))
		.sort((a, b) => rank(a.value) - rank(b.value) || a.at - b.at)
		.map(({ value }) => value);
	const main = all.some(isMeasured) ? all.filter(isMeasured) : all.slice(0, FEW);
	return { main, more: all.filter((value) => !main.includes(value)) };
}
