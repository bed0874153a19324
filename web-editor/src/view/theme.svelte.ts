// Light or dark: as the system has it, until a person says otherwise.

import { MediaQuery } from 'svelte/reactivity';
import { recall, remember } from './memory';

const system = new MediaQuery('(prefers-color-scheme: dark)');

class Theme {
	#chosen = $state(recall('theme'));
	dark = $derived(this.#chosen === null ? system.current : this.#chosen === 'dark');

	/** What the system says anyway is not kept as a choice. */
	flip() {
		const dark = !this.dark;
		this.#chosen = dark === system.current ? null : dark ? 'dark' : 'light';
		remember('theme', this.#chosen);
	}
}

export const theme = new Theme();
