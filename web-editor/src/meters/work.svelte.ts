// What a person has asked of the meters: readouts that run or have ended.

import { textOf } from '../gateway/call';
import type { Task } from '../gateway/task.svelte';
import { gateway } from '../view/shared';
import { together, type FoundRow, type ListRow, type SearchResult } from './results';

export interface ReadResult {
	meters: number;
	read: number;
	failed: number;
	seconds: number;
}

export interface ReadRow {
	result: 'read' | 'failed';
	reason?: string;
	text?: string;
}

export type ReadTask = Task<ReadRow, ReadResult>;
export type SearchTask = Task<FoundRow, SearchResult>;

class Work {
	/** of all meters */
	readAll = $state.raw<ReadTask>();
	/** of one, by the key of its meter */
	readOne = $state.raw<Record<number, ReadTask>>({});
	search = $state.raw<SearchTask>();
	/** found by the search that this one goes on with */
	#before = $state.raw<FoundRow[]>([]);
	found = $derived(together(this.#before, this.search?.rows ?? []));
	/** What the search finds goes into the list at once; else a person chooses. undefined: it was
	 * begun elsewhere */
	installs = $state<boolean>();
	/** of the meters of a file, or of some of the list */
	install = $state.raw<Task<ListRow>>();
	/** the name of that file */
	file = $state('');
	/** why the last thing could not be begun */
	refused = $state('');

	async startReadAll(which: { state?: 'failed' } = {}) {
		this.refused = '';
		try {
			this.readAll = await gateway.tasks.start('meter.read', which);
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

	/** Throws a Refusal. */
	async startSearch(params: { install: boolean; [name: string]: unknown }) {
		const before = params['resume'] ? this.found : [];
		this.search = await gateway.tasks.start('meter.search', params);
		this.#before = before;
		this.installs = params.install;
	}

	/** Throws a Refusal. */
	async startInstall(params: object, file = '') {
		this.install = await gateway.tasks.start('meter.install', params);
		this.file = file;
	}

	/** Follows what was begun elsewhere, or before the page was loaded. */
	adopt() {
		const own = [this.readAll, ...Object.values(this.readOne)].map((task) => task?.id);
		for (const job of gateway.jobs) {
			if (job.command === 'meter.search' && (!this.search || this.search.ended)) {
				this.search = gateway.tasks.follow(job.id, job.command);
				this.#before = [];
				this.installs = undefined;
			}
			if (job.command === 'meter.install' && (!this.install || this.install.ended)) {
				this.install = gateway.tasks.follow(job.id, job.command);
				this.file = '';
			}
			if (job.command !== 'meter.read' || own.includes(job.id)) continue;
			if ((job.progress?.total ?? 0) > 1 && (!this.readAll || this.readAll.ended))
				this.readAll = gateway.tasks.follow(job.id, job.command);
		}
	}
}

export const work = new Work();
