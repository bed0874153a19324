// The meter list, fetched again when something happened to it, and not too often.

import { call, textOf } from '../gateway/call';
import { gateway } from '../view/shared';
import type { Meter } from './types';

const PAUSE = 2000; // at least, between two fetches that nobody waits for
const SHARE = 10; // a list that takes long to fetch is fetched as much more rarely

class Meters {
	all = $state.raw<Meter[]>([]);
	known = $state(false);
	/** why the list could not be fetched */
	fault = $state('');
	byKey = $derived(new Map(this.all.map((meter) => [meter.point, meter])));
	#again = false;
	#fetching = false;
	#notBefore = 0;
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** Follows what happens to meters; in an effect. */
	follow() {
		void gateway.readouts;
		void gateway.changes;
		if (gateway.connection === 'live') this.refreshSoon();
	}

	refreshSoon() {
		if (this.#fetching) this.#again = true;
		else if (this.#timer === undefined)
			this.#timer = setTimeout(
				() => void this.refresh(),
				Math.max(100, this.#notBefore - performance.now()), // several changes at once
			);
	}

	async refresh() {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		if (this.#fetching) {
			this.#again = true;
			return;
		}
		this.#fetching = true;
		const began = performance.now();
		try {
			const { meters } = await call<{ meters: Meter[] }>('meter.list');
			this.all = meters;
			this.known = true;
			this.fault = '';
		} catch (error) {
			this.fault = textOf(error);
		}
		const now = performance.now();
		this.#fetching = false;
		this.#notBefore = now + Math.max(PAUSE, SHARE * (now - began));
		if (this.#again) {
			this.#again = false;
			this.refreshSoon();
		}
	}

	/** Changes settings of one; throws a Refusal. */
	async change(point: number, settings: object) {
		const changed = await call<Meter>('meter.change', { meter: `#${point}`, ...settings });
		this.all = this.all.map((meter) =>
			meter.point === point ? { ...meter, ...changed } : meter,
		);
	}

	async remove(point: number) {
		await call('meter.remove', { meter: `#${point}` });
		this.all = this.all.filter((meter) => meter.point !== point);
	}
}

export const meters = new Meters();
