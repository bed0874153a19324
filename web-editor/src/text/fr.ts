// The texts of the page in French.

import type { Key } from './en';
import { frMeters } from './fr-meters';

export const fr: Record<Key, string> = {
	...frMeters,

	'language.name': 'Français',
	'language.label': 'Langue',
	'theme.dark': 'Couleurs sombres',
	'skip.log': 'Aller au journal',
	'skip.meters': 'Aller aux compteurs',

	'place.label': 'Lieux',
	'place.graph': 'Graphe',
	'place.meters': 'Compteurs',

	'connection.connecting': 'connexion',
	'connection.live': 'en direct',
	'connection.away': 'hors ligne',
	'away.title': 'La passerelle ne répond pas.',
	'away.stale': 'L’image date de {time}.',
	'away.retry': 'Nouvel essai dans {seconds} s.',
	'away.trying': 'Nouvel essai …',
	'away.now': 'Essayer maintenant',
	'away.back': 'La passerelle répond de nouveau.',

	'graph.label': 'Graphe',
	'graph.untitled': 'Graphe sans nom',
	'graph.revision': 'révision {revision}',
	'graph.nodes': '{n} nœud|{n} nœuds',
	'graph.faults': '{n} en défaut|{n} en défaut',
	'graph.empty': 'Aucun graphe en marche.',
	'graph.empty.how': 'Démarrez la passerelle avec un graphe : {command}',
	'graph.zoom.in': 'Agrandir',
	'graph.zoom.out': 'Réduire',
	'graph.zoom.fit': 'Tout montrer',
	'graph.picture': 'Image du graphe ; la liste à côté dit la même chose.',

	'outline.label': 'Nœuds et liens',
	'outline.short': 'Liste',
	'outline.keys':
		'Haut et bas parcourent la liste, droite suit un lien, gauche revient, Entrée montre le détail.',
	'outline.node': '{id}, {title}, {state}',
	'outline.wire': 'lien vers {to}, {rate}, {depth} sur {capacity} en attente',
	'outline.wire.dropped': '{n} perdu|{n} perdus',

	'state.running': 'en marche',
	'state.waiting': 'en attente',
	'state.fault': 'en défaut',
	'state.stopped': 'arrêté',
	'state.since': '{state} depuis {time}',

	'fault.announced': '{id} est en défaut : {text}',

	'details.label': 'Détail',
	'details.close': 'Fermer le détail',
	'details.help': 'Ce qu’il fait',
	'details.params': 'Paramètres',
	'details.trouble': 'Dernier incident au journal',
	'details.figures': 'Chiffres',
	'details.received': 'reçus',
	'details.emitted': 'émis',
	'details.failed': 'échoués',
	'details.dropped': 'perdus',
	'details.lane': 'voie',
	'details.wires': 'Liens',
	'details.in': 'entrée',
	'details.out': 'sortie',
	'details.from': 'de',
	'details.to': 'vers',
	'details.carries': 'transporte',
	'details.when_full': 'si plein',
	'details.optional': 'branche facultative',
	'details.yes': 'oui',
	'details.rate': 'débit',
	'details.count': 'messages jusqu’ici',
	'details.depth': 'en attente',
	'details.high_water': 'attente maximale',
	'details.capacity': 'capacité',
	'details.age': 'attente du plus ancien',
	'details.history': 'Débit sur {time}, au plus {most}',

	'full.wait': 'la source attend',
	'full.drop-newest': 'le plus récent est perdu',
	'full.drop-oldest': 'le plus ancien est perdu',

	'wire.dropped': '{n} perdu|{n} perdus',
	'node.failed': '{n} échec|{n} échecs',

	'log.label': 'Journal',
	'log.filter': 'Montrer dès',
	'log.level.debug': 'débogage',
	'log.level.info': 'information',
	'log.level.warning': 'alerte',
	'log.level.error': 'erreur',
	'log.level.all': 'tout',
	'log.shown': '{n} sur {all}',
	'log.none': 'Rien de cette gravité.',
	'log.latest': 'Au plus récent',
	'log.lost':
		'{n} entrée n’a pas pu passer et manque ici.|{n} entrées n’ont pas pu passer et manquent ici.',
	'log.hide': 'Cacher le journal',
	'log.show': 'Montrer le journal',

	'jobs.running': '{n} tâche|{n} tâches',
};

/** Titles of node types, by type; one that is not here is shown as the gateway tells it. */
export const frTitles: Record<string, string> = {
	aggregate: 'Agréger',
	'cron-trigger': 'Déclencheur horaire',
	'current-values': 'Valeurs actuelles',
	decode: 'Décoder les télégrammes',
	'file-sink': 'Écrire des fichiers',
	'http-sink': 'Envoyer par HTTP',
	'lua-filter': 'Filtre Lua',
	'manual-trigger': 'Déclencheur manuel',
	'mbus-source': 'M-Bus filaire',
	store: 'Conserver les relevés',
	'store-query': 'Relevés à envoyer',
	'template-render': 'Rédiger un rapport',
};
