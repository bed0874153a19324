// Fills a text of a catalogue with its values.

/** Of "one|more" the form is taken that the value `n` asks for in that language. */
export function fill(
	text: string,
	language: string,
	values: Record<string, string | number>,
	count: (value: number) => string,
): string {
	const forms = text.split('|');
	const n = values['n'];
	let form = forms[0]!;
	if (forms.length > 1 && typeof n === 'number') {
		form = new Intl.PluralRules(language).select(n) === 'one' ? form : forms[1]!;
	}
	return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
		const value = values[name];
		return typeof value === 'number' ? count(value) : (value ?? whole);
	});
}
