// The measures of a node's card, which the layout and the card share.

export type Direction = 'right' | 'down';

export const WIDTH = 194;
export const PORT_AT = 26; // the middle of a single port, below the card's top
export const PORT_ROW = 24;
export const PORTS_FROM = 44 + PORT_ROW / 2; // the middle of the first of several

const HEAD = 54;
const TEXT = 56; // room for what a node has to say

export function cardHeight(inputs: number, outputs: number, direction: Direction): number {
	const rows = Math.max(inputs, outputs);
	return HEAD + TEXT + (direction === 'right' && rows > 1 ? rows * PORT_ROW : 0);
}
