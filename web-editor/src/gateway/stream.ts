// The stream of events from the gateway, opened again whenever it breaks.
//
// A browser opens an event stream again by itself only after some failures, and never tells when it
// will. So each break closes the stream here, and the wait for the next try is ours. A stream that
// is silent for longer than the gateway ever is counts as broken.

export type Connection = 'connecting' | 'live' | 'away';

/** What the stream needs of the world, so that tests bring their own. */
export interface World {
	open(url: string): Source;
	/** milliseconds, of a clock that only goes forward */
	now(): number;
	/** calls back once; returns what takes the call back */
	after(milliseconds: number, call: () => void): () => void;
}

export interface Source {
	addEventListener(type: string, listener: (event: { data?: string }) => void): void;
	close(): void;
}

export interface Listener {
	/** The stream is open: all that is not told as a change is to be fetched. A rejection is a
	 * break. */
	opened(): Promise<void>;
	told(topic: string, data: unknown): void;
	/** `retryAt` by the clock of the world, where a try is waited for */
	changed(connection: Connection, retryAt: number | undefined): void;
}

export const SILENCE = 6000; // the metrics come once a second
export const WAITS = [1000, 2000, 4000, 8000, 10_000];

export class Stream {
	#url: string;
	#topics: string[];
	#world: World;
	#listener: Listener;
	#source: Source | undefined;
	#cancel: (() => void) | undefined;
	#tries = 0;
	#heard = 0;
	#wasLive = false;

	constructor(url: string, topics: string[], world: World, listener: Listener) {
		this.#url = url;
		this.#topics = topics;
		this.#world = world;
		this.#listener = listener;
	}

	/** Opens it, or tries at once instead of waiting. */
	open() {
		this.close();
		this.#listener.changed(this.#wasLive ? 'away' : 'connecting', undefined);
		const source = this.#world.open(`${this.#url}?topics=${this.#topics.join(',')}`);
		this.#source = source;
		const mine = (act: () => void) => () => {
			if (this.#source === source) act();
		};
		source.addEventListener(
			'open',
			mine(() => this.#begin(source)),
		);
		source.addEventListener(
			'error',
			mine(() => this.#break()),
		);
		for (const topic of [...this.#topics, 'lost']) {
			source.addEventListener(topic, (event) => {
				if (this.#source !== source || event.data === undefined) return;
				this.#heard = this.#world.now();
				this.#listener.told(topic, JSON.parse(event.data));
			});
		}
		this.#listen();
	}

	/** Leaves the gateway alone until it is opened again. */
	close() {
		this.#cancel?.();
		this.#source?.close();
		this.#source = undefined;
		this.#cancel = undefined;
	}

	#begin(source: Source) {
		this.#heard = this.#world.now();
		this.#listener.opened().then(
			() => {
				if (this.#source !== source) return;
				this.#tries = 0;
				this.#wasLive = true;
				this.#listener.changed('live', undefined);
			},
			() => {
				if (this.#source === source) this.#break();
			},
		);
	}

	#break() {
		this.close();
		const wait = WAITS[Math.min(this.#tries++, WAITS.length - 1)]!;
		this.#listener.changed('away', this.#world.now() + wait);
		this.#cancel = this.#world.after(wait, () => this.open());
	}

	/** Breaks it when nothing has been heard for too long. */
	#listen() {
		this.#heard = this.#world.now();
		const look = () => {
			const left = this.#heard + SILENCE - this.#world.now();
			if (left <= 0) this.#break();
			else this.#cancel = this.#world.after(left, look);
		};
		look();
	}
}
