// Figures and times as people of a language write them.

export interface Formats {
	count(value: number): string;
	/** messages a second, short enough for a wire */
	rate(value: number): string;
	/** a number as it is, or short from ten thousand on */
	short(value: number): string;
	percent(share: number): string;
	/** seconds */
	duration(seconds: number): string;
	clock(time: Date): string;
	dateAndClock(time: Date): string;
	/** as short as it is plain: of today the time, else the day too */
	moment(time: Date, now?: Date): string;
}

export function formatsFor(language: string): Formats {
	const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
	const tenths = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
	const compact = new Intl.NumberFormat(language, {
		notation: 'compact',
		maximumSignificantDigits: 3,
	});
	const percents = new Intl.NumberFormat(language, {
		style: 'percent',
		maximumFractionDigits: 0,
	});
	const clocks = new Intl.DateTimeFormat(language, { timeStyle: 'medium', hourCycle: 'h23' });
	const dates = new Intl.DateTimeFormat(language, {
		dateStyle: 'medium',
		timeStyle: 'medium',
		hourCycle: 'h23',
	});
	const days = new Intl.DateTimeFormat(language, {
		day: 'numeric',
		month: 'short',
		hour: '2-digit',
		minute: '2-digit',
		hourCycle: 'h23',
	});
	const years = new Intl.DateTimeFormat(language, { dateStyle: 'medium' });
	const unit = (value: number, name: string) =>
		new Intl.NumberFormat(language, {
			style: 'unit',
			unit: name,
			unitDisplay: language === 'en' ? 'narrow' : 'short',
			maximumFractionDigits: value < 10 && name === 'second' ? 1 : 0,
		}).format(value);
	const short = (value: number) =>
		Math.abs(value) < 10_000 ? whole.format(value) : compact.format(value);

	return {
		count: (value) => whole.format(value),
		short,
		rate(value) {
			if (value > 0 && value < 0.1) return `${tenths.format(value * 60)}/min`;
			return `${value < 10 ? tenths.format(value) : short(value)}/s`;
		},
		percent: (share) => percents.format(share),
		duration(seconds) {
			if (seconds < 60) return unit(seconds, 'second');
			if (seconds < 3600) return unit(seconds / 60, 'minute');
			if (seconds < 86_400) return unit(seconds / 3600, 'hour');
			return unit(seconds / 86_400, 'day');
		},
		clock: (time) => clocks.format(time),
		dateAndClock: (time) => dates.format(time),
		moment(time, now = new Date()) {
			if (time.toDateString() === now.toDateString()) return clocks.format(time);
			return (time.getFullYear() === now.getFullYear() ? days : years).format(time);
		},
	};
}

/** A parameter as a person reads it: texts without quotes, a secret by its name alone. */
export function parameterText(value: unknown): string {
	if (typeof value === 'string') return value;
	if (typeof value === 'object' && value !== null && 'secret' in value) {
		return `•••• (${String((value as { secret: unknown }).secret)})`;
	}
	return JSON.stringify(value);
}
