// The line that a wire is drawn as.

import { CORNER, type Options, type Point, type Route } from './picture';

/** The line of a wire between its ports: it leaves and comes in along the main axis, is smooth along
 * its lane, and has round corners where it turns. */
export function curve(
	from: Point,
	to: Point,
	route: Route,
	direction: Options['direction'],
): string {
	const { lane, turn, after } = route;
	let path = `M${from.x},${from.y}`;
	let last = from;
	const smooth = (point: Point) => {
		if (direction === 'right') {
			const reach = Math.max(Math.abs(point.x - last.x) / 2, point.x < last.x ? 60 : 0);
			path += `C${last.x + reach},${last.y} ${point.x - reach},${point.y} ${point.x},${point.y}`;
		} else {
			const reach = Math.max(Math.abs(point.y - last.y) / 2, point.y < last.y ? 60 : 0);
			path += `C${last.x},${last.y + reach} ${point.x},${point.y - reach} ${point.x},${point.y}`;
		}
		last = point;
	};
	lane.forEach(smooth);
	if (!turn) {
		smooth(to);
		return path;
	}
	const [next = to, ...rest] = after;
	const { right, between, left } = turn;
	const corner = (x: number, y: number, dx: number, dy: number) =>
		`Q${x},${y} ${x + dx * CORNER},${y + dy * CORNER}`;
	const off = Math.sign(between - last.y) || 1;
	const on = Math.sign(next.y - between) || 1;
	path += `H${right - CORNER}${corner(right, last.y, 0, off)}`;
	path += `V${between - off * CORNER}${corner(right, between, -1, 0)}`;
	path += `H${left + CORNER}${corner(left, between, 0, on)}`;
	path += `V${next.y - on * CORNER}${corner(left, next.y, 1, 0)}H${next.x}`;
	last = next;
	[...rest, ...(next === to ? [] : [to])].forEach(smooth);
	return path;
}

/** Where a wire's figures stand: between the rows, else the middle of its first stretch. */
export function labelPoint(from: Point, to: Point, { lane, turn }: Route): Point {
	if (turn) return { x: (turn.left + turn.right) / 2, y: turn.between };
	const next = lane[0] ?? to;
	return { x: (from.x + next.x) / 2, y: (from.y + next.y) / 2 };
}
