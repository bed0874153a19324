// What a browser remembers of a person's choices; it may refuse to.

const prefix = 'meterloom.';

export function recall(name: string): string | null {
	try {
		return localStorage.getItem(prefix + name);
	} catch {
		return null;
	}
}

/** null: forgets it. */
export function remember(name: string, value: string | null) {
	try {
		if (value === null) localStorage.removeItem(prefix + name);
		else localStorage.setItem(prefix + name, value);
	} catch {
		// then it is asked again the next time
	}
}
