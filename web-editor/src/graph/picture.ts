// What a picture of a graph is made of, and its measures.

export interface Box {
	id: string;
	width: number;
	height: number;
	/** where wires meet it, from its start across the main axis; left out: in the middle */
	anchor?: number;
	/** where a person has put it */
	at?: [number, number] | undefined;
}

export interface Link {
	key: string;
	from: string;
	to: string;
}

export interface Point {
	x: number;
	y: number;
}

/** The way of a wire that does not go straight from one port to the other. */
export interface Route {
	/** the middles of its lane, up to the turn if there is one */
	lane: Point[];
	/** to the next row: right of the row, back between the rows, in from the left */
	turn?: { right: number; between: number; left: number };
	after: Point[];
}

export interface Placement {
	boxes: Map<string, Point>;
	routes: Map<string, Route>;
}

export interface Options {
	direction: 'right' | 'down';
	/** between layers, and between neighbours in a layer */
	layerGap: number;
	gap: number;
	/** what the picture is to be seen in; left out: as long as it gets */
	view?: { width: number; height: number };
}

export const MARGIN = 30; // beside a row, for wires that turn
export const BETWEEN = 44; // between rows, with one wire
export const TURN_STEP = 30; // for each wire more
export const CORNER = 10;
