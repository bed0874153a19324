// Meters as the gateway tells them.

export interface Identity {
	id: string;
	manufacturer?: string;
	version?: number;
	medium: string;
	medium_code: number;
}

export interface Device extends Identity {
	from: string;
	to?: string;
}

export type Mode = 'primary' | 'secondary' | 'esecondary';
export type Multi = 'bus' | 'off' | 'auto';
export type ReadoutState = 'never' | 'read' | 'failed';

export interface Readout {
	state: ReadoutState;
	/** of the last good one */
	read?: string;
	/** of the last try */
	tried?: string;
	/** a word of the gateway: "timeout" */
	reason?: string;
	/** the reason as a sentence in English */
	text?: string;
	failures?: number;
}

export interface Meter {
	/** its key, which never changes */
	point: number;
	order: number;
	moid: string;
	state: 'active' | 'passive';
	bus: string;
	mode: Mode;
	primary?: number;
	secondary?: string;
	enhanced?: string;
	baud?: number;
	multi: Multi;
	/** what it has otherwise than its bus */
	telegram_limit?: number;
	multi_timeout?: number;
	multi_retries?: number;
	telegram_selection?: number;
	device: Device | null;
	earlier_devices: Device[];
	readout?: Readout;
}
