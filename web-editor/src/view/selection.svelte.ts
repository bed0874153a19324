// What a person has picked in the picture, the list or the log.

export type Picked = { kind: 'node'; id: string } | { kind: 'wire'; key: string };

class Selection {
	picked = $state.raw<Picked>();

	isNode(id: string): boolean {
		return this.picked?.kind === 'node' && this.picked.id === id;
	}

	isWire(key: string): boolean {
		return this.picked?.kind === 'wire' && this.picked.key === key;
	}

	node(id: string) {
		this.picked = { kind: 'node', id };
	}

	wire(key: string) {
		this.picked = { kind: 'wire', key };
	}

	clear() {
		this.picked = undefined;
	}
}

export const selection = new Selection();
