// Automatic layout: layers from the sources on, few crossings, straight wires.
//
// The layers run along the main axis (x, or y when the picture is to be read downwards); within a
// layer nodes lie along the cross axis. A wire over several layers takes a free lane of its own
// through those between. Where the layers would make too long a row for the view, they are broken
// into rows like words into lines, and wires from one row to the next run back between the two.

import {
	BETWEEN,
	CORNER,
	MARGIN,
	TURN_STEP,
	type Box,
	type Link,
	type Options,
	type Placement,
	type Point,
} from './picture';
import { keepPlaced } from './placed';

const LANE = 12; // what a passing wire takes on both sides
const SWEEPS = 8;

interface Cell {
	box?: Box;
	rank: number;
	/** what it takes along the main axis, and across it on both sides of its anchor */
	depth: number;
	above: number;
	below: number;
	before: Cell[];
	after: Cell[];
	/** its anchor on the cross axis */
	place: number;
}

export function layOut(boxes: Box[], links: Link[], options: Options): Placement {
	const automatic = layOutAll(boxes, links, options);
	if (!boxes.some((box) => box.at)) return automatic;
	return keepPlaced(boxes, links, automatic, options);
}

function layOutAll(boxes: Box[], links: Link[], options: Options): Placement {
	const parts = partsOf(boxes, links).map((part) => layersOf(part.boxes, part.links, options));
	const longest = Math.max(0, ...parts.map((part) => part.layers.length));
	const { view } = options;
	let best = writeAll(parts, longest, options);
	if (!view || options.direction === 'down') return best.placement;
	const scale = ({ width, height }: Written) =>
		Math.min(view.width / width, view.height / height, 1);
	for (let most = longest - 1; most > 1; most--) {
		const other = writeAll(parts, most, options);
		if (scale(other) > scale(best) * 1.05) best = other;
	}
	return best.placement;
}

interface Part {
	layers: Cell[][];
	lanes: Map<string, Lane>;
}

interface Lane {
	from: Cell;
	to: Cell;
	cells: Cell[];
}

interface Written {
	placement: Placement;
	width: number;
	height: number;
}

function writeAll(parts: Part[], most: number, options: Options): Written {
	const placement: Placement = { boxes: new Map(), routes: new Map() };
	let end = 0;
	let width = 1;
	for (const part of parts) {
		const size = write(part, most, options, end ? end + options.gap * 2 : 0, placement);
		end = size.end;
		width = Math.max(width, size.width);
	}
	return { placement, width, height: Math.max(end, 1) };
}

/** What hangs together, in the order of the boxes. */
function partsOf(boxes: Box[], links: Link[]): { boxes: Box[]; links: Link[] }[] {
	const root = new Map(boxes.map((box) => [box.id, box.id]));
	const find = (id: string): string => {
		let at = id;
		while (root.get(at) !== at) at = root.get(at)!;
		root.set(id, at);
		return at;
	};
	const known = links.filter((link) => root.has(link.from) && root.has(link.to));
	for (const link of known) root.set(find(link.to), find(link.from));
	const parts = new Map<string, { boxes: Box[]; links: Link[] }>();
	for (const box of boxes) {
		const id = find(box.id);
		if (!parts.has(id)) parts.set(id, { boxes: [], links: [] });
		parts.get(id)!.boxes.push(box);
	}
	for (const link of known) parts.get(find(link.from))!.links.push(link);
	return [...parts.values()];
}

/** Orders one part into layers and settles where in its layer each cell lies. */
function layersOf(boxes: Box[], links: Link[], options: Options): Part {
	const forward = withoutCircles(boxes, links);
	const ranks = rankAll(boxes, forward);
	const cells = new Map<string, Cell>();
	const layers: Cell[][] = [];
	const put = (cell: Cell) => {
		(layers[cell.rank] ??= []).push(cell);
		return cell;
	};
	for (const box of boxes) {
		const [depth, breadth] =
			options.direction === 'right' ? [box.width, box.height] : [box.height, box.width];
		const rank = ranks.get(box.id)!;
		const above = box.anchor ?? breadth / 2;
		const below = breadth - above;
		cells.set(box.id, put({ box, rank, depth, above, below, before: [], after: [], place: 0 }));
	}
	const lanes = new Map<string, Lane>();
	for (const link of forward) {
		const from = cells.get(link.from)!;
		const to = cells.get(link.to)!;
		const lane: Lane = { from, to, cells: [] };
		let last = from;
		for (let rank = from.rank + 1; rank < to.rank; rank++) {
			const room = { depth: 0, above: LANE, below: LANE };
			const cell = put({ rank, ...room, before: [], after: [], place: 0 });
			join(last, cell);
			lane.cells.push(cell);
			last = cell;
		}
		join(last, to);
		lanes.set(link.key, lane);
	}
	order(layers);
	settle(layers, options.gap);
	return { layers, lanes };
}

function join(from: Cell, to: Cell) {
	from.after.push(to);
	to.before.push(from);
}

/** The engine refuses circles; a picture must not hang on one all the same. */
function withoutCircles(boxes: Box[], links: Link[]): Link[] {
	const out = new Map<string, Link[]>(boxes.map((box) => [box.id, []]));
	for (const link of links) out.get(link.from)!.push(link);
	const state = new Map<string, 'open' | 'done'>();
	const kept: Link[] = [];
	for (const box of boxes) {
		if (state.has(box.id)) continue;
		const stack = [{ id: box.id, next: 0 }];
		state.set(box.id, 'open');
		while (stack.length) {
			const top = stack[stack.length - 1]!;
			const link = out.get(top.id)![top.next++];
			if (!link) {
				state.set(top.id, 'done');
				stack.pop();
			} else if (state.get(link.to) !== 'open') {
				kept.push(link);
				if (!state.has(link.to)) {
					state.set(link.to, 'open');
					stack.push({ id: link.to, next: 0 });
				}
			}
		}
	}
	return kept;
}

/** The longest way from a source; a source stands just before the first it feeds. */
function rankAll(boxes: Box[], links: Link[]): Map<string, number> {
	const rank = new Map(boxes.map((box) => [box.id, 0]));
	const missing = new Map(boxes.map((box) => [box.id, 0]));
	for (const link of links) missing.set(link.to, missing.get(link.to)! + 1);
	const sources = boxes.filter((box) => missing.get(box.id) === 0).map((box) => box.id);
	const ready = [...sources];
	for (let id = ready.shift(); id !== undefined; id = ready.shift()) {
		for (const link of links) {
			if (link.from !== id) continue;
			rank.set(link.to, Math.max(rank.get(link.to)!, rank.get(id)! + 1));
			missing.set(link.to, missing.get(link.to)! - 1);
			if (missing.get(link.to) === 0) ready.push(link.to);
		}
	}
	for (const id of sources) {
		const after = links.filter((link) => link.from === id).map((link) => rank.get(link.to)!);
		if (after.length) rank.set(id, Math.min(...after) - 1);
	}
	return rank;
}

/** Orders each layer by where its neighbours lie, to and fro, and keeps the best. */
function order(layers: Cell[][]) {
	let best = layers.map((layer) => [...layer]);
	let fewest = crossings(layers);
	for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
		const down = sweep % 2 === 0;
		const place = new Map<Cell, number>();
		const note = (layer: Cell[]) => layer.forEach((cell, at) => place.set(cell, at));
		layers.forEach(note);
		for (const layer of down ? layers.slice(1) : layers.slice(0, -1).reverse()) {
			const weight = new Map(
				layer.map((cell) => {
					const near = down ? cell.before : cell.after;
					const sum = near.reduce((total, other) => total + place.get(other)!, 0);
					return [cell, near.length ? sum / near.length : place.get(cell)!];
				}),
			);
			layer.sort((a, b) => weight.get(a)! - weight.get(b)!);
			note(layer);
		}
		const count = crossings(layers);
		if (count < fewest) {
			fewest = count;
			best = layers.map((layer) => [...layer]);
		}
	}
	best.forEach((layer, at) => (layers[at] = layer));
}

function crossings(layers: Cell[][]): number {
	let count = 0;
	for (let rank = 0; rank + 1 < layers.length; rank++) {
		const place = new Map(layers[rank + 1]!.map((cell, at) => [cell, at]));
		const ends: number[] = [];
		for (const cell of layers[rank]!) {
			const here = cell.after.map((other) => place.get(other)!).sort((a, b) => a - b);
			for (const end of here) for (const earlier of ends) if (earlier > end) count++;
			ends.push(...here);
		}
	}
	return count;
}

/** Gives each cell the place nearest to its neighbours' that keeps order and distance. */
function settle(layers: Cell[][], gap: number) {
	const apart = (a: Cell, b: Cell) => a.below + b.above + (a.box && b.box ? gap : gap / 2);
	for (const layer of layers) {
		let at = 0;
		layer.forEach((cell, i) => {
			at += i ? apart(layer[i - 1]!, cell) : 0;
			cell.place = at;
		});
	}
	for (let sweep = 0; sweep < SWEEPS * 2; sweep++) {
		const down = sweep % 2 === 0;
		for (const layer of down ? layers : [...layers].reverse()) {
			const wishes = layer.map((cell) => {
				// The last sweeps look both ways, so that long rows lie on one line.
				const near =
					sweep >= SWEEPS
						? [...cell.before, ...cell.after]
						: down
							? cell.before
							: cell.after;
				if (!near.length) return cell.place;
				return near.reduce((sum, other) => sum + other.place, 0) / near.length;
			});
			nearest(layer, wishes, apart);
		}
	}
}

/** The places nearest to the wishes (least squares) of cells that keep order and distance: shifted
 * by their distances the places only must not fall, and groups that would are averaged. */
function nearest(layer: Cell[], wishes: number[], apart: (a: Cell, b: Cell) => number) {
	const groups: { sum: number; count: number }[] = [];
	const shifts: number[] = [];
	let shift = 0;
	layer.forEach((cell, i) => {
		shift += i ? apart(layer[i - 1]!, cell) : 0;
		shifts.push(shift);
		let group = { sum: wishes[i]! - shift, count: 1 };
		for (
			let last = groups[groups.length - 1];
			last && last.sum / last.count > group.sum / group.count;
			last = groups[groups.length - 1]
		) {
			group = { sum: group.sum + last.sum, count: group.count + last.count };
			groups.pop();
		}
		groups.push(group);
	});
	let i = 0;
	for (const group of groups) {
		for (let n = 0; n < group.count; n++, i++) {
			layer[i]!.place = group.sum / group.count + shifts[i]!;
		}
	}
}

/** Breaks layers into rows of at most `most`, preferably where few wires cross; returns the row of
 * each layer. */
function breakRows({ layers, lanes }: Part, most: number): number[] {
	const crossing = (rank: number) =>
		[...lanes.values()].filter(({ from, to }) => from.rank < rank && to.rank >= rank).length;
	const even = Math.ceil(layers.length / Math.ceil(layers.length / most));
	const rows: number[] = [];
	for (let start = 0, row = 0; start < layers.length; row++) {
		let end = Math.min(start + even, layers.length);
		const rest = layers.length - end + 1;
		const room = Math.ceil(rest / even) === Math.ceil((rest - 1) / even);
		if (end < layers.length && room && crossing(end - 1) < crossing(end)) end--;
		for (; start < end; start++) rows.push(row);
	}
	return rows;
}

/** Turns layers and middles into places from `offset` on; returns what that takes. */
function write(
	part: Part,
	most: number,
	options: Options,
	offset: number,
	placement: Placement,
): { end: number; width: number } {
	const right = options.direction === 'right';
	const point = (main: number, cross: number): Point =>
		right
			? { x: Math.round(main), y: Math.round(cross) }
			: { x: Math.round(cross), y: Math.round(main) };
	const rowOf = breakRows(part, right ? most : part.layers.length);
	const rowCount = rowOf.at(-1)! + 1;
	const rowAt = (cell: Cell) => rowOf[cell.rank]!;
	const turning = [...part.lanes].filter(([, lane]) => rowAt(lane.from) < rowAt(lane.to));

	const shifts: number[] = [];
	const tops: number[] = [];
	let end = offset;
	for (let row = 0; row < rowCount; row++) {
		const cells = part.layers.flat().filter((cell) => rowAt(cell) === row);
		const turns = turning.filter(([, lane]) => rowAt(lane.to) === row).length;
		if (row) end += BETWEEN + turns * TURN_STEP;
		tops.push(end);
		const first = Math.min(...cells.map((cell) => cell.place - cell.above));
		const last = Math.max(...cells.map((cell) => cell.place + cell.below));
		shifts.push(end - first);
		end += last - first;
	}

	const middles: number[] = [];
	let main = 0;
	let width = 0;
	part.layers.forEach((layer, rank) => {
		if (rank && rowOf[rank] !== rowOf[rank - 1]) main = 0;
		const depth = Math.max(...layer.map((cell) => cell.depth));
		middles[rank] = main + depth / 2;
		for (const cell of layer) {
			if (!cell.box) continue;
			const start = right ? main + (depth - cell.depth) / 2 : main;
			const cross = cell.place - cell.above + shifts[rowAt(cell)]!;
			placement.boxes.set(cell.box.id, point(start, cross));
		}
		width = Math.max(width, main + depth);
		main += depth + options.layerGap;
	});

	const turns = new Map<number, number>();
	for (const [key, { from, to, cells }] of part.lanes) {
		const points = (row: number) =>
			cells
				.filter((cell) => rowAt(cell) === row)
				.map((cell) => point(middles[cell.rank]!, cell.place + shifts[row]!));
		const row = rowAt(to);
		if (rowAt(from) === row) {
			if (cells.length) placement.routes.set(key, { lane: points(row), after: [] });
			continue;
		}
		const turn = turns.get(row) ?? 0;
		turns.set(row, turn + 1);
		placement.routes.set(key, {
			lane: points(rowAt(from)),
			turn: {
				right: Math.round(width + MARGIN + turn * 8),
				between: Math.round(tops[row]! - BETWEEN / 2 - turn * TURN_STEP - CORNER),
				left: -MARGIN - turn * 8,
			},
			after: points(row),
		});
	}
	return { end, width: width + (rowCount > 1 ? 2 * MARGIN : 0) };
}
