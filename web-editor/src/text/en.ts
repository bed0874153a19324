// The texts of the page in English. "one|more" are the forms of a plural; {name} is filled in.

import { enMeters } from './en-meters';

export const en = {
	...enMeters,

	'language.name': 'English',
	'language.label': 'Language',
	'theme.dark': 'Dark colours',
	'skip.log': 'Skip to the log',
	'skip.meters': 'Skip to the meters',

	'place.label': 'Places',
	'place.graph': 'Graph',
	'place.meters': 'Meters',

	'connection.connecting': 'connecting',
	'connection.live': 'live',
	'connection.away': 'no connection',
	'away.title': 'The gateway does not answer.',
	'away.stale': 'The picture is that of {time}.',
	'away.retry': 'Next try in {seconds} s.',
	'away.trying': 'Trying again …',
	'away.now': 'Try now',
	'away.back': 'The gateway answers again.',

	'graph.label': 'Graph',
	'graph.untitled': 'Graph without a name',
	'graph.revision': 'revision {revision}',
	'graph.nodes': '{n} node|{n} nodes',
	'graph.faults': '{n} in fault|{n} in fault',
	'graph.empty': 'No graph runs yet.',
	'graph.empty.how': 'Start the gateway with one: {command}',
	'graph.zoom.in': 'Zoom in',
	'graph.zoom.out': 'Zoom out',
	'graph.zoom.fit': 'Show all',
	'graph.picture': 'Picture of the graph; the list beside it tells the same.',

	'outline.label': 'Nodes and wires',
	'outline.short': 'List',
	'outline.keys':
		'Up and down walk the list, right follows a wire, left goes back, Enter shows the details.',
	'outline.node': '{id}, {title}, {state}',
	'outline.wire': 'wire to {to}, {rate}, {depth} of {capacity} waiting',
	'outline.wire.dropped': '{n} dropped|{n} dropped',

	'state.running': 'running',
	'state.waiting': 'waiting',
	'state.fault': 'fault',
	'state.stopped': 'stopped',
	'state.since': '{state} since {time}',

	'fault.announced': '{id} is in fault: {text}',

	'details.label': 'Details',
	'details.close': 'Close the details',
	'details.help': 'What it does',
	'details.params': 'Parameters',
	'details.trouble': 'Last trouble in the log',
	'details.figures': 'Figures',
	'details.received': 'received',
	'details.emitted': 'put out',
	'details.failed': 'failed',
	'details.dropped': 'dropped',
	'details.lane': 'lane',
	'details.wires': 'Wires',
	'details.in': 'in',
	'details.out': 'out',
	'details.from': 'from',
	'details.to': 'to',
	'details.carries': 'carries',
	'details.when_full': 'when full',
	'details.optional': 'optional branch',
	'details.yes': 'yes',
	'details.rate': 'rate',
	'details.count': 'messages so far',
	'details.depth': 'waiting now',
	'details.high_water': 'most that waited',
	'details.capacity': 'capacity',
	'details.age': 'oldest has waited',
	'details.history': 'Rate over {time}, at most {most}',

	'full.wait': 'the source waits',
	'full.drop-newest': 'the newest is dropped',
	'full.drop-oldest': 'the oldest is dropped',

	'wire.dropped': '{n} dropped|{n} dropped',
	'node.failed': '{n} failed|{n} failed',

	'log.label': 'Log',
	'log.filter': 'Show from',
	'log.level.debug': 'debug',
	'log.level.info': 'info',
	'log.level.warning': 'warning',
	'log.level.error': 'error',
	'log.level.all': 'all',
	'log.shown': '{n} of {all}',
	'log.none': 'Nothing of this severity.',
	'log.latest': 'To the latest',
	'log.lost':
		'{n} entry did not fit through the line and is missing here.|{n} entries did not fit through the line and are missing here.',
	'log.hide': 'Hide the log',
	'log.show': 'Show the log',

	'jobs.running': '{n} job|{n} jobs',
};

export type Key = keyof typeof en;
