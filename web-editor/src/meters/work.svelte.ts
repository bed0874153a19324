// What a person has asked of the meters: readouts that run or have ended.

import { textOf } from '../gateway/call';
import type { Task } from '../gateway/task.svelte';
import { gateway } from '../view/shared';

export interface ReadResult {
	meters: number;
	read: number;
	failed: number;
	seconds: number;
}

export type ReadTask = Task<unknown, ReadResult>;

class Work {
	/** of all meters */
	readAll = $state.raw<ReadTask>();
	/** of one, by the key of its meter */
	readOne = $state.raw<Record<number, ReadTask>>({});
	/** why the last thing could not be begun */
	refused = $state('');

	async startReadAll() {
		this.refused = '';
		try {
			this.readAll = await gateway.tasks.start('meter.read', {});
		} catch (error) {
			this.refused = textOf(error);
		}
	}

	async startReadOne(point: number) {
		this.refused = '';
		try {
			const task: ReadTask = await gateway.tasks.start('meter.read', { meter: `#${point}` });
			this.readOne = { ...this.readOne, [point]: task };
		} catch (error) {
			this.refused = textOf(error);
		}
	}

	closeReadOne(point: number) {
		const { [point]: _, ...others } = this.readOne;
		this.readOne = others;
	}

	/** Follows what was begun elsewhere, or before the page was loaded. */
	adopt() {
		const own = [this.readAll, ...Object.values(this.readOne)].map((task) => task?.id);
		for (const job of gateway.jobs) {
			if (job.command !== 'meter.read' || own.includes(job.id)) continue;
			if ((job.progress?.total ?? 0) > 1 && (!this.readAll || this.readAll.ended))
				this.readAll = gateway.tasks.follow(job.id, job.command);
		}
	}
}

export const work = new Work();
