// The gateway's own words for media, quantities and reasons, in the language of the page.

import { frMedia, frModifiers, frQuantities, frReasons, frStatus } from './fr-words';
import { speech } from './text.svelte';

const reasons: Record<string, string> = {
	timeout: 'no answer',
	checksum: 'wrong checksum',
	malformed: 'no valid telegram',
	collision: 'several answer at once',
	'wrong-meter': 'another meter answers',
	repeated: 'the same telegram again',
	refused: 'it has no data',
	'no-bus': 'the bus is not there',
	cancelled: 'given up',
};

const media: Record<string, string> = {
	'cooling-outlet': 'cooling (outlet)',
	'cooling-inlet': 'cooling (inlet)',
	'heat-inlet': 'heat (inlet)',
	'heat-cooling': 'heat and cooling',
	'ad-converter': 'A/D converter',
};

/** English words are those of the gateway itself, spelt out. */
function spelt(word: string): string {
	return word.replaceAll('-', ' ').replace(/\b(hca|rf)\b/g, (short) => short.toUpperCase());
}

type Table = Record<string, string>;

function word(name: string, fr: Table, en: Table = {}): string {
	return (speech.language === 'fr' ? fr : en)[name] ?? spelt(name);
}

export const mediumWord = (name: string | undefined) => (name ? word(name, frMedia, media) : '');
export const quantityWord = (name: string) => word(name, frQuantities);
export const modifierWord = (name: string) => word(name, frModifiers);
export const reasonWord = (name: string) => word(name, frReasons, reasons);
/** What a meter says of itself. */
export const statusWord = (name: string) => word(name, frStatus);
