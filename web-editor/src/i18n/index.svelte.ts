/* Texts and numbers in the reader's language. */
import { en, type Catalogue } from './en';
import { fr } from './fr';

const catalogues = { en, fr } as const;
export type Language = keyof typeof catalogues;
export const languages: { code: Language; name: string }[] = [
	{ code: 'en', name: 'English' },
	{ code: 'fr', name: 'Français' },
];

function initial(): Language {
	const kept = localStorage.getItem('language');
	for (const wanted of [kept, ...navigator.languages]) {
		const code = wanted?.slice(0, 2);
		if (code && code in catalogues) return code as Language;
	}
	return 'en';
}

export const locale = $state<{ language: Language }>({ language: initial() });

export function choose(language: Language): void {
	locale.language = language;
	localStorage.setItem('language', language);
}

export function t(key: keyof Catalogue, values: Record<string, string | number> = {}): string {
	const text = catalogues[locale.language][key];
	return text.replace(/\{(\w+)\}/g, (_, name: string) => {
		const value = values[name];
		return typeof value === 'number' ? number(value) : (value ?? '');
	});
}

export function number(value: number, digits = 0): string {
	return new Intl.NumberFormat(locale.language, { maximumFractionDigits: digits }).format(value);
}

/* Messages a second, told by the minute where they are few. */
export function rate(perSecond: number): string {
	if (perSecond === 0) return t('perSecond', { n: 0 });
	if (perSecond < 0.1) return t('perMinute', { n: number(perSecond * 60, 1) });
	return t('perSecond', { n: number(perSecond, perSecond < 10 ? 1 : 0) });
}

export function clock(time: Date): string {
	const today = new Date().toDateString() === time.toDateString();
	return new Intl.DateTimeFormat(locale.language, {
		...(today ? {} : { day: '2-digit', month: '2-digit' }),
		hour: '2-digit',
		minute: '2-digit',
		second: '2-digit',
		hourCycle: 'h23',
	}).format(time);
}
