// Jobs that somebody watches: their progress, what they have found so far, and how they ended.

import { call, Refusal, start, textOf, type Fault } from './call';
import type { Job, JobShown } from './types';

export type TaskState = Job['state'] | 'lost';

/** A job as it goes on. `Row` is what it tells while it runs, `Result` what at its end. */
export class Task<Row = unknown, Result = unknown> {
	readonly id: number;
	readonly command: string;
	state = $state<TaskState>('queued');
	cancellable = $state(false);
	done = $state(0);
	/** undefined: not known */
	total = $state<number>();
	text = $state('');
	rows = $state.raw<Row[]>([]);
	result = $state.raw<Result>();
	faults = $state.raw<Fault[]>([]);
	ended = $derived(this.state !== 'queued' && this.state !== 'running');

	constructor(id: number, command: string) {
		this.id = id;
		this.command = command;
	}

	take(job: Job) {
		if (this.ended) return;
		this.cancellable = job.cancellable ?? false;
		if (job.progress) {
			this.done = job.progress.done;
			this.total = job.progress.total ?? undefined;
			this.text = job.progress.text;
		}
		this.faults = job.errors ?? [];
		this.state = job.state;
	}

	async cancel() {
		this.cancellable = false;
		await call('job.cancel', { job: this.id }).catch(() => {}); // then it has ended
	}
}

/** All jobs that are followed, by their numbers. */
export class Tasks {
	#all = new Map<number, Task>();
	#busy = new Map<number, Promise<void>>();

	/** Starts a command in the background and follows it. Throws a Refusal. */
	async start<Row, Result>(command: string, params: object): Promise<Task<Row, Result>> {
		return this.follow<Row, Result>(await start(command, params), command);
	}

	/** Follows one that runs already. */
	follow<Row, Result>(id: number, command: string): Task<Row, Result> {
		let task = this.#all.get(id);
		if (!task) {
			task = new Task(id, command);
			this.#all.set(id, task);
			void this.#ask(task);
		}
		return task as Task<Row, Result>;
	}

	/** What the gateway tells of a job by itself: it says how many rows there are, not which. */
	told(job: Job) {
		const task = this.#all.get(job.id);
		if (!task) return;
		const ends = job.state !== 'queued' && job.state !== 'running';
		if (ends || (job.rows ?? 0) > task.rows.length) void this.#ask(task);
		if (!ends) task.take(job);
	}

	/** Much may have been missed. */
	askAll() {
		for (const task of this.#all.values()) void this.#ask(task);
	}

	/** One question at a time for each; one that comes meanwhile is asked after it. */
	async #ask(task: Task) {
		const before = this.#busy.get(task.id);
		if (before) {
			await before;
			if (this.#busy.has(task.id)) return;
		}
		const question = this.#fetch(task).finally(() => this.#busy.delete(task.id));
		this.#busy.set(task.id, question);
		await question;
	}

	async #fetch(task: Task) {
		if (task.ended) return;
		const from = task.rows.length;
		try {
			const job = await call<JobShown>('job.show', { job: task.id, ...(from && { from }) });
			if (job.items?.length) task.rows = [...task.rows, ...job.items];
			task.result = job.result ?? undefined;
			task.take(job);
		} catch (error) {
			// The gateway was started anew, or a hundred others have ended since.
			if (!(error instanceof Refusal)) return;
			task.faults = [{ pointer: '', text: textOf(error) }];
			task.state = 'lost';
		}
		if (task.ended) this.#all.delete(task.id);
	}
}
