/* Light or dark: as the system says, unless the reader chose. */
export type Choice = 'auto' | 'light' | 'dark';

const system = matchMedia('(prefers-color-scheme: dark)');

export const theme = $state<{ choice: Choice; dark: boolean }>({
	choice: (localStorage.getItem('theme') as Choice | null) ?? 'auto',
	dark: false,
});

function apply(): void {
	theme.dark = theme.choice === 'auto' ? system.matches : theme.choice === 'dark';
	document.documentElement.dataset.theme = theme.dark ? 'dark' : 'light';
}

export function choose(choice: Choice): void {
	theme.choice = choice;
	localStorage.setItem('theme', choice);
	apply();
}

system.addEventListener('change', apply);
apply();
