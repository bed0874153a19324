// The meter list as a person looks at it: found, filtered, sorted, and drawn in part.

import type { Meter, ReadoutState } from './types';

export const columns = [
	'order',
	'moid',
	'number',
	'manufacturer',
	'medium',
	'bus',
	'address',
	'baud',
	'state',
	'time',
] as const;
export type Column = (typeof columns)[number];

export interface Sort {
	by: Column;
	down: boolean;
}

/** `passive`: it is not read, whatever became of its last readout. */
export type Shown = ReadoutState | 'passive';

export function shownState(meter: Meter): Shown {
	return meter.state === 'passive' ? 'passive' : (meter.readout?.state ?? 'never');
}

/** The number of the device, or what is known of it before it has answered. */
export function numberOf(meter: Meter): string {
	return meter.device?.id ?? meter.secondary?.split('.')[0] ?? '';
}

export function manufacturerOf(meter: Meter): string {
	const told = meter.device?.manufacturer ?? meter.secondary?.split('.')[1] ?? '';
	return told === '*' ? '' : told;
}

/** How it is asked, as short as it can be written. */
export function addressOf(meter: Meter): string {
	if (meter.mode === 'primary') return String(meter.primary ?? '');
	return (meter.mode === 'esecondary' && meter.enhanced) || meter.secondary || '';
}

export function timeOf(meter: Meter): string {
	const { readout } = meter;
	return (readout?.state === 'failed' ? readout.tried : readout?.read) ?? '';
}

/** Without accents and capitals. */
function plain(text: string): string {
	return text
		.normalize('NFD')
		.replace(/\p{M}/gu, '')
		.toLowerCase();
}

/** Whether all words are somewhere in what the row says. `words` are those of the page's language. */
export function finder(wanted: string, words: (meter: Meter) => string[]): (m: Meter) => boolean {
	const parts = plain(wanted).split(/\s+/).filter(Boolean);
	if (!parts.length) return () => true;
	return (meter) => {
		const text = plain(
			[
				`#${meter.point}`,
				meter.moid,
				numberOf(meter),
				manufacturerOf(meter),
				meter.bus,
				addressOf(meter),
				meter.secondary ?? '',
				...words(meter),
			].join(' '),
		);
		return parts.every((part) => text.includes(part));
	};
}

const states: Shown[] = ['failed', 'never', 'read', 'passive'];

/** A comparison for a sort; what is missing comes last, whichever way it is sorted. */
export function comparison(
	{ by, down }: Sort,
	language: string,
	mediumOf: (meter: Meter) => string,
): (a: Meter, b: Meter) => number {
	const collator = new Intl.Collator(language, { numeric: true, sensitivity: 'base' });
	const keys: Record<Column, (meter: Meter) => string | number> = {
		order: (meter) => meter.order,
		moid: (meter) => meter.moid,
		number: numberOf,
		manufacturer: manufacturerOf,
		medium: mediumOf,
		bus: (meter) => meter.bus,
		address: (meter) => `${meter.mode} ${addressOf(meter)}`,
		baud: (meter) => meter.baud ?? '',
		state: (meter) => states.indexOf(shownState(meter)),
		time: timeOf,
	};
	const key = keys[by];
	const sign = down ? -1 : 1;
	return (a, b) => {
		const [x, y] = [key(a), key(b)];
		let order = 0;
		if (x === '' || y === '') order = Number(x === '') - Number(y === '');
		else if (typeof x === 'number' && typeof y === 'number') order = sign * (x - y);
		else order = sign * collator.compare(String(x), String(y));
		return order || a.order - b.order;
	};
}

/** A row that is drawn, and how many are left out before it. */
export interface Drawn {
	at: number;
	gap: number;
}

/** Which rows of a long list are drawn: those in view with some around them, and the one that has
 * the focus, wherever it is. */
export function window(
	count: number,
	view: { top: number; height: number; row: number },
	kept: number,
): { drawn: Drawn[]; after: number } {
	const around = 12;
	const first = Math.max(0, Math.min(count, Math.floor(view.top / view.row)) - around);
	const last = Math.min(count, Math.ceil((view.top + view.height) / view.row) + around);
	const places = Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i);
	if (kept >= 0 && kept < first) places.unshift(kept);
	if (kept >= last && kept < count) places.push(kept);
	const drawn = places.map((at, i) => ({ at, gap: at - (i ? places[i - 1]! + 1 : 0) }));
	return { drawn, after: count - (places.length ? places.at(-1)! + 1 : 0) };
}
