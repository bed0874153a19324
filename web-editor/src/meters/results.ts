// What came of one meter of many: found, installed, taken out of a file.

import type { Bus } from './buses';
import type { Identity, Meter } from './types';

/** In the order in which a person wants to see them: what needs a hand first. */
export const results = [
	'refused',
	'failed',
	'error',
	'foreign',
	'several',
	'unnamed',
	'duplicate',
	'replaced',
	'moved',
	'new',
	'added',
	'changed',
	'ok',
	'known',
	'unchanged',
	'passive',
] as const;
export type Result = (typeof results)[number];

/** A row of an import or an installation. */
export interface ListRow {
	line?: number;
	point?: number;
	moid?: string;
	address?: string;
	result: Result;
	text: string;
	meter?: Identity | null;
	baud?: number;
}

/** A meter that a search has found, or what answered in its place. */
export interface FoundRow {
	bus: string;
	secondary?: string;
	id?: string;
	manufacturer?: string;
	version?: number;
	medium?: string;
	mode: 'primary' | 'secondary';
	primary?: number;
	baud: number;
	result: Result;
	point?: number;
	text: string;
}

export interface SearchResult {
	found: number;
	buses?: { bus: string; node: string; error?: string; result?: { resumable?: boolean } }[];
}

/** A found one that is in the list, though the list was not fetched since. */
export function meterOf(row: FoundRow): Meter | undefined {
	if (row.result !== 'new' || !row.point) return undefined;
	return {
		point: row.point,
		order: 0,
		moid: '',
		state: 'active',
		bus: row.bus,
		mode: row.mode,
		secondary: row.secondary ?? '',
		multi: 'bus',
		device: null,
		earlier_devices: [],
	};
}

/** What two parts of one search have found; what was told before is not told again. */
export function together(before: readonly FoundRow[], rows: readonly FoundRow[]): FoundRow[] {
	const key = (row: FoundRow) => [row.bus, row.mode, row.secondary ?? row.primary].join(' ');
	const known = new Set(before.map(key));
	return [...before, ...rows.filter((row) => !known.has(key(row)))];
}

export interface ImportResult {
	applied: boolean;
	rows: ListRow[];
}

/** How many there are of each, in that order. */
export function tally(rows: readonly { result: Result }[]): [Result, number][] {
	const counts = new Map<Result, number>();
	for (const { result } of rows) counts.set(result, (counts.get(result) ?? 0) + 1);
	return results
		.filter((result) => counts.has(result))
		.map((result) => [result, counts.get(result)!]);
}

const rank = (result: Result) => Math.max(0, results.indexOf(result));

export function byUrgency(rows: readonly ListRow[]): ListRow[] {
	return [...rows].sort(
		(a, b) => rank(a.result) - rank(b.result) || (a.line ?? 0) - (b.line ?? 0),
	);
}

/** The bytes of a file as base64. */
export async function base64Of(file: Blob): Promise<string> {
	const bytes = new Uint8Array(await file.arrayBuffer());
	let text = '';
	for (let at = 0; at < bytes.length; at += 0x8000)
		text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
	return btoa(text);
}

/** Hands a text to a person as a file. */
export function download(name: string, text: string) {
	const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
	const link = document.createElement('a');
	link.href = url;
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Whether there is something to be entered in the list by hand. */
export function canEnter(row: FoundRow): boolean {
	return (row.result === 'new' && !row.point) || (row.result === 'moved' && !!row.point);
}

/** The command that enters it, with its parameters. The rate of its bus is not written down. */
export function entryOf(row: FoundRow, buses: readonly Bus[]): [string, object] {
	const ownRate = row.baud !== (buses.find((bus) => bus.name === row.bus)?.baud ?? 0);
	const place = {
		bus: row.bus,
		...(row.primary === undefined ? {} : { primary: row.primary }),
		...(ownRate ? { baud: row.baud } : {}),
	};
	if (row.point) return ['meter.change', { meter: `#${row.point}`, ...place }];
	return ['meter.add', { ...place, mode: row.mode, secondary: row.secondary ?? '' }];
}
