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

export const isMeasured = (value: Value) => first.includes(value.quantity);

/** Of now: what is kept of earlier days has a storage number. */
export function sorted(values: Value[]): { now: Value[]; earlier: Value[] } {
	const rank = (value: Value) => {
		const at = first.indexOf(value.quantity);
		return at < 0 ? first.length : at;
	};
	const all = values
		.map((value, at) => ({ value, at }))
		.sort((a, b) => rank(a.value) - rank(b.value) || a.at - b.at)
		.map(({ value }) => value);
	return {
		now: all.filter((value) => value.storage === 0),
		earlier: all.filter((value) => value.storage !== 0),
	};
}
