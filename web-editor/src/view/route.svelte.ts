// Where a person is: the part of the address after the #, so that Back, bookmarks and links work.

import { recall, remember } from './memory';

export type Place = 'graph' | 'meters';

const places: Place[] = ['graph', 'meters'];

function partsOf(hash: string): string[] {
	return hash.replace(/^#\/?/, '').split('/').filter(Boolean);
}

class Route {
	#parts = $state.raw<string[]>([]);
	place = $derived(places.find((place) => place === this.#parts[0]) ?? 'graph');
	/** what is open there: the key of a meter, the name of a dialog */
	open = $derived(this.#parts[1] ?? '');

	constructor() {
		const last = recall('place');
		if (!location.hash && last) history.replaceState(null, '', `#/${last}`);
		this.#parts = partsOf(location.hash);
		window.addEventListener('hashchange', () => {
			this.#parts = partsOf(location.hash);
			remember('place', this.place === 'graph' ? null : this.place);
		});
	}

	/** Back leads to where one was, unless it is `instead`. */
	go(place: Place, open = '', instead = false) {
		const hash = `#/${place}${open && `/${open}`}`;
		if (hash === location.hash) return;
		if (instead) location.replace(hash);
		else location.hash = hash;
	}
}

export const route = new Route();
