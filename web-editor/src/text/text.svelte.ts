// The language of the page: texts and formats that change with it.

import { en, type Key } from './en';
import { fr, frTitles } from './fr';
import { fill } from './fill';
import { formatsFor } from './format';
import { recall, remember } from '../view/memory';

const catalogues = { en, fr };
const titles: Record<Language, Record<string, string>> = { en: {}, fr: frTitles };

export type Language = keyof typeof catalogues;
export const languages = Object.keys(catalogues) as Language[];

/** The first language that the person and we both know. */
function firstKnown(wanted: readonly string[]): Language {
	for (const tag of wanted) {
		const found = languages.find((language) => tag.toLowerCase().split('-')[0] === language);
		if (found) return found;
	}
	return 'en';
}

class Speech {
	language = $state<Language>(firstKnown([recall('language') ?? '', ...navigator.languages]));
	format = $derived(formatsFor(this.language));

	choose(language: Language) {
		this.language = language;
		remember('language', language);
	}
}

export const speech = new Speech();

export function t(key: Key, values: Record<string, string | number> = {}): string {
	return fill(catalogues[speech.language][key], speech.language, values, speech.format.count);
}

export function nameOf(language: Language): string {
	return catalogues[language]['language.name'];
}

/** The title of a node type in the language of the page, else as the gateway tells it. */
export function typeTitle(type: string, told: string): string {
	return titles[speech.language][type] ?? told;
}
