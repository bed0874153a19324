// Values as a person reads them, from the digits that the gateway wrote: never by way of a double.

/** JSON in which each number under "value" is a text { digits }. In a string of JSON the quotes of
 * such a key would be escaped, so that nothing else is met. */
export function withExactValues(json: string): unknown {
	return JSON.parse(
		json.replace(
			/"value":\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?=\s*[,}])/g,
			'"value":{"digits":"$1"}',
		),
	);
}

export interface Digits {
	digits: string;
}

/** What people call it, and by how many places of ten it differs. */
const usual: Record<string, [string, number]> = {
	Wh: ['kWh', 3],
	varh: ['kvarh', 3],
	VAh: ['kVAh', 3],
	J: ['MJ', 6],
	'J/h': ['MJ/h', 6],
};

/** Moves the point of a decimal to the left. */
function shifted(digits: string, places: number): string {
	const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(digits)!;
	const padded = whole!.padStart(places + 1, '0');
	const at = padded.length - places;
	const more = (padded.slice(at) + fraction).replace(/0+$/, '');
	// What the meter resolves stays to be seen: 12.340 kWh are told by a meter that counts Wh.
	const kept = fraction ? padded.slice(at) + fraction : more;
	return sign + padded.slice(0, at).replace(/^0+(?=\d)/, '') + (kept && `.${kept}`);
}

/** The digits in groups of three and with the decimal sign of a language. */
export function grouped(digits: string, language: string): string {
	const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(digits);
	if (!match) return digits;
	const parts = new Intl.NumberFormat(language).formatToParts(-12345.6);
	const sign = (type: string) => parts.find((part) => part.type === type)!.value;
	const whole = match[2]!.replace(/\B(?=(\d{3})+$)/g, sign('group'));
	return (match[1] && sign('minusSign')) + whole + (match[3] ? sign('decimal') + match[3] : '');
}

/** A duration in the largest unit of which it is a whole number. */
function lasting(seconds: string): [string, string] {
	const whole = Number(seconds);
	if (!/^\d+$/.test(seconds) || !Number.isSafeInteger(whole) || whole === 0) return [seconds, 's'];
	const units: [number, string][] = [
		[3600, 'h'],
		[60, 'min'],
	];
	const [size, unit] = units.find(([size]) => whole % size === 0) ?? [1, 's'];
	return [String(whole / size), unit];
}

/** A measured number with its unit, exact. */
export function measured(digits: string, unit: string, language: string): string {
	if (unit === 's') [digits, unit] = lasting(digits);
	const known = usual[unit];
	const plain = /^-?\d+(\.\d+)?$/.test(digits);
	if (!known || !plain) return [grouped(digits, language), unit].filter(Boolean).join(' ');
	return `${grouped(shifted(digits, known[1]), language)} ${known[0]}`;
}
