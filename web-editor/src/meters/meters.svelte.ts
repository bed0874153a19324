// The meter list, fetched again when something happened to it, and not too often.

import { call, textOf } from '../gateway/call';
import { gateway } from '../view/shared';
import type { Meter } from './types';

const PAUSE = 2000; // at least, between two fetches that nobody waits for
const SHORT = 200; // where somebody does: several changes at once
const SHARE = 10; // a list that takes long to fetch is fetched as much more rarely

class Meters {
	all = $state.raw<Meter[]>([]);
	known = $state(false);
	/** why the list could not be fetched */
	fault = $state('');
	byKey = $derived(new Map(this.all.map((meter) => [meter.point, meter])));
	/** asked for while it was fetched: how long that may wait */
	#again: number | undefined;
	#fetching = false;
	#lastEnd = 0;
	#lastTook = 0;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#due = 0;

	/** Follows what happens to meters; two effects. */
	followReadouts() {
		void gateway.readouts;
		void gateway.changes;
		if (gateway.connection === 'live') this.#refreshSoon(PAUSE);
	}

	followJobs() {
		void gateway.ended;
		if (gateway.connection === 'live') this.#refreshSoon(SHORT);
	}

	#refreshSoon(pause: number) {
		if (this.#fetching) {
			this.#again = Math.min(pause, this.#again ?? pause);
			return;
		}
		const now = performance.now();
		const share = pause === PAUSE ? SHARE : 1;
		const due = Math.max(now, this.#lastEnd + Math.max(pause, share * this.#lastTook));
		if (this.#timer !== undefined && this.#due <= due) return;
		clearTimeout(this.#timer);
		this.#due = due;
		this.#timer = setTimeout(() => void this.refresh(), due - now);
	}

	async refresh() {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		if (this.#fetching) {
			this.#again = 0;
			return;
		}
		this.#fetching = true;
		const began = performance.now();
		try {
			const { meters } = await call<{ meters: Meter[] }>('meter.list', { passive: true });
			this.all = meters;
			this.known = true;
			this.fault = '';
		} catch (error) {
			this.fault = textOf(error);
		}
		this.#fetching = false;
		this.#lastEnd = performance.now();
		this.#lastTook = this.#lastEnd - began;
		const again = this.#again;
		this.#again = undefined;
		if (again !== undefined) this.#refreshSoon(again);
	}

	/** Changes settings of one; throws a Refusal. */
	async change(point: number, settings: object) {
		const changed = await call<Meter>('meter.change', { meter: `#${point}`, ...settings });
		// One that was found a moment ago is perhaps not fetched yet.
		this.all = this.byKey.has(point)
			? this.all.map((meter) => (meter.point === point ? changed : meter))
			: [...this.all, changed];
	}

	async remove(point: number) {
		await call('meter.remove', { meter: `#${point}` });
		this.all = this.all.filter((meter) => meter.point !== point);
	}
}

export const meters = new Meters();
