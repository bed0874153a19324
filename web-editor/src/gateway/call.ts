// Calls commands of the gateway.

export const ROUTES = '/api/v1';
const TIMEOUT = 10_000;

export interface Fault {
	/** which parameter, as "/primary"; "" where it is none */
	pointer: string;
	text: string;
	line?: number;
	column?: number;
}

/** A refusal, in the words of the gateway. */
export class Refusal extends Error {
	faults: Fault[];
	status: number;

	constructor(status: number, faults: Fault[]) {
		super(faults.map((fault) => fault.text).join('\n') || `HTTP ${status}`);
		this.status = status;
		this.faults = faults;
	}
}

async function refusalOf(response: Response): Promise<Refusal> {
	const text = await response.text();
	try {
		const body = JSON.parse(text) as { detail?: string; errors?: Partial<Fault>[] };
		const told = body.errors?.length ? body.errors : [{ text: body.detail ?? text }];
		return new Refusal(
			response.status,
			told.map((fault) => ({ pointer: '', text: '', ...fault })),
		);
	} catch {
		return new Refusal(response.status, [{ pointer: '', text }]);
	}
}

async function post(name: string, params: object, more: RequestInit): Promise<Response> {
	const response = await fetch(`${ROUTES}/commands/${name}`, {
		method: 'POST',
		body: JSON.stringify(params),
		...more,
		headers: { 'Content-Type': 'application/json', ...more.headers },
	});
	if (!response.ok) throw await refusalOf(response);
	return response;
}

/** Waits for the result, as text. For what takes a moment; else there is start(). */
export async function callText(name: string, params: object = {}): Promise<string> {
	const response = await post(name, params, { signal: AbortSignal.timeout(TIMEOUT) });
	return response.text();
}

export async function call<T>(name: string, params: object = {}): Promise<T> {
	return JSON.parse(await callText(name, params)) as T;
}

/** Starts it in the background; the number of its job. */
export async function start(name: string, params: object = {}): Promise<number> {
	const response = await post(name, params, {
		signal: AbortSignal.timeout(TIMEOUT),
		headers: { Prefer: 'respond-async' },
	});
	return ((await response.json()) as { job: number }).job;
}

/** What went wrong, for a person. */
export function textOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
