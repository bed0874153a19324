// The log as the page keeps it: the newest entries, each once and in order.

import type { Level, LogEntry } from './types';

export const LOG_KEPT = 1000;
export const levels: Level[] = ['debug', 'info', 'warning', 'error'];

/** Adds entries that may have come twice, by the list and by the stream. */
export function addEntries(kept: LogEntry[], more: LogEntry[]): LogEntry[] {
	const newest = kept.at(-1)?.sequence ?? 0;
	if (more.every((entry, i) => entry.sequence > (more[i - 1]?.sequence ?? newest))) {
		return [...kept, ...more].slice(-LOG_KEPT);
	}
	const all = new Map([...kept, ...more].map((entry) => [entry.sequence, entry]));
	return [...all.values()].sort((a, b) => a.sequence - b.sequence).slice(-LOG_KEPT);
}

export function atLeast(entries: LogEntry[], level: Level): LogEntry[] {
	const lowest = levels.indexOf(level);
	return lowest === 0
		? entries
		: entries.filter((entry) => levels.indexOf(entry.level) >= lowest);
}

/** The newest warning or error of each origin. */
export function lastTroubles(entries: LogEntry[]): Map<string, LogEntry> {
	return new Map(atLeast(entries, 'warning').map((entry) => [entry.origin, entry]));
}
