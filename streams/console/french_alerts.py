"""An alert in French, from its fields: its title, its sentence, its steps. What is not known stays English.

The detector writes English. Its titles and steps are a closed set, which is translated; the sentence is made anew from
what the alert holds.
"""

from __future__ import annotations

# ruff: noqa: E501 - a message and its translation stand on one line
import re
from collections import Counter

from detector.alert.finding import Finding
from detector.catalogue import Category, category
from detector.event import ActorKind
from streams.locale import Language, Translator
from streams.locale.times import clock, day, minute
from streams.locale.vocabulary import CATEGORIES

__all__ = ["STEPS", "TITLES", "sentence", "step", "title"]

_SAY = Translator(Language.FRENCH)
_ONE = {
    "API query": "requête d’API",
    "bulk export": "export en masse",
    "report": "rapport",
    "exported report": "rapport exporté",
    "list view": "vue en liste",
    "record view": "consultation",
    "file download": "téléchargement",
    "search": "recherche",
    "operation": "opération",
    "API queries": "de requêtes d’API",
    "bulk exports": "d’exports en masse",
    "reports": "de rapports",
    "exported reports": "de rapports exportés",
    "list views": "de vues en liste",
    "record views": "de consultations",
    "file downloads": "de téléchargements",
    "searches": "de recherches",
    "operations": "d’opérations",
    "by API query": "par requête d’API",
    "by bulk export": "par export en masse",
    "in reports": "dans des rapports",
    "by exporting reports": "par export de rapports",
    "in list views": "dans des vues en liste",
    "by opening records": "par consultation",
    "by downloading files": "par téléchargement",
    "by searching": "par recherche",
    "taken out": "au total",
    "rows": "lignes",
    "kilobytes": "kilooctets",
    "network": "Nouveau réseau",
    "agent": "Nouveau programme",
    "app": "Nouvelle application",
    "country": "Nouveau pays",
    "kind of operation": "Nouvelle sorte d’opération",
    "kind of record": "Nouvelle sorte de fiche",
    "query": "Nouvelle requête",
    "hour of activity": "Nouvelle heure d’activité",
    "origin": "Nouvelle origine",
}
TITLES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), text)
    for pattern, text in (
        (r"Unusually large (API query|bulk export|report|exported report|list view|record view|file download|search|operation) by (.+)", "Taille inhabituelle, {0}\u202f: {1}"),
        (r"Unusually many (rows|kilobytes) (taken out|by [a-zA-Z ]+?|in [a-z ]+?): (.+)", "Inhabituellement beaucoup de {0} {1}\u202f: {2}"),
        (r"Unusually many (API queries|bulk exports|reports|exported reports|list views|record views|file downloads|searches|operations): (.+)", "Inhabituellement beaucoup {0}\u202f: {1}"),
        (r"([\d,]+) accounts? on one new network: (.+)", "{0} comptes sur un même réseau nouveau\u202f: {1}"),
        (r"New (network|agent|app|country|kind of operation|kind of record|query|hour of activity|origin) for (.+)", "{0} pour {1}"),
        (r"More than usual for days: (.+)", "Plus que d’habitude depuis des jours\u202f: {0}"),
        (r"An account driven by a program: (.+)", "Un compte conduit par un programme\u202f: {0}"),
        (r"The steps of a theft: (.+)", "Les étapes d’un vol\u202f: {0}"),
        (r"The vendor's own finding about (.+)", "Constat de l’éditeur sur {0}"),
        (r"A known-bad origin for (.+)", "Une origine connue comme malveillante pour {0}"),
        (r"Unusual access by (.+)", "Accès inhabituel de {0}"),
        (r"Unusually many rows from all identities together", "Inhabituellement beaucoup de lignes, toutes identités ensemble"),
        (r"A source has gone silent", "Une source s’est tue"),
        (r"A source's records have changed", "Les enregistrements d’une source ont changé"),
        (r"A source's records cannot be read", "Les enregistrements d’une source sont illisibles"),
        (r"A source is late", "Une source est en retard"),
        (r"A source's clock is wrong", "L’horloge d’une source est fausse"),
    )
)  # fmt: skip
STEPS = {
    "Ask the integration's owner whether this was planned; if not, revoke its tokens now.": "Demander au responsable de l’intégration si c’était prévu\u202f; sinon, révoquer ses jetons tout de suite.",
    "Block the connected app and the addresses named here.": "Bloquer l’application connectée et les adresses citées ici.",
    "Rotate the integration's secrets and every secret stored in the records it read.": "Renouveler les secrets de l’intégration et tous ceux que contiennent les fiches qu’elle a lues.",
    "Keep the logs and establish which records left before anything else is cleaned up.": "Conserver les journaux et établir quelles fiches sont sorties, avant tout nettoyage.",
    "Close the guest's access to these records until it is known what they are shared for.": "Fermer l’accès de l’invité à ces fiches tant qu’on ne sait pas pourquoi elles sont partagées.",
    "Block the addresses named here.": "Bloquer les adresses citées ici.",
    "Look for other guests and self-registered users who read the same kinds of record.": "Chercher d’autres invités et utilisateurs auto-inscrits qui lisent les mêmes sortes de fiches.",
    "Call the person on a known number; if it was not them, freeze the account.": "Appeler la personne à un numéro connu\u202f; si ce n’était pas elle, geler le compte.",
    "End its sessions, reset its credentials and MFA and remove connected apps authorised lately.": "Mettre fin à ses sessions, réinitialiser ses secrets et sa double authentification, retirer les applications autorisées récemment.",
    "Look for other accounts seen from the addresses named here.": "Chercher d’autres comptes vus depuis les adresses citées ici.",
    "Find out whose network this is; unless it is one of yours, block it and end all sessions from it.": "Trouver à qui est ce réseau\u202f; s’il n’est pas à vous, le bloquer et mettre fin à toutes ses sessions.",
    "Freeze the accounts named here, call their people, and reset credentials and MFA.": "Geler les comptes cités ici, appeler leurs titulaires, réinitialiser secrets et double authentification.",
    "Look for more accounts with logins from this network, successful or not.": "Chercher d’autres comptes avec des connexions depuis ce réseau, réussies ou non.",
    "Ask who runs the log's export whether it stopped or changed; replay the missing hours when they are there.": "Demander à qui gère l’export du journal s’il s’est arrêté ou a changé\u202f; rejouer les heures manquantes quand elles seront là.",
    "Until then, watch by other means what it would have shown.": "D’ici là, surveiller par d’autres moyens ce qu’il aurait montré.",
    "See which identities rose first, and whether a known event explains it; announce the window if one does.": "Voir quelles identités ont monté d’abord, et si un événement connu l’explique\u202f; dans ce cas, annoncer la période.",
    "If nothing explains it, look at these hours' incidents first.": "Si rien ne l’explique, regarder d’abord les incidents de ces heures.",
}  # fmt: skip
_WHO = {
    ActorKind.HUMAN: "L’utilisateur",
    ActorKind.INTEGRATION: "L’intégration",
    ActorKind.GUEST: "L’invité",
}
_NAMED = 3


def title(text: str) -> str:
    """A title; empty if it is none that is known.

    >>> title("Unusually many rows by bulk export: sync")
    'Inhabituellement beaucoup de lignes par export en masse\\u202f: sync'
    """
    for pattern, french in TITLES:
        found = pattern.fullmatch(text)
        if found is not None:
            return french.format(*(_ONE.get(part, part) for part in found.groups()))
    return ""


def step(text: str) -> str:
    """A step of the checklist; empty if it is none that is known."""
    return STEPS.get(text, "")


def sentence(incident: Finding) -> str:
    """What the alert holds, in a sentence or three."""
    if not incident.identities:
        return f"{title(incident.title) or incident.title}, {_when(incident)}."
    who = _WHO[incident.kind] if incident.kind is not None and len(incident.identities) == 1 else ""
    name = (
        incident.actor
        if len(incident.identities) == 1
        else f"{_SAY.number(len(incident.identities))} identités"
    )
    plural = len(incident.identities) > 1
    taken = f"{'ont' if plural else 'a'} sorti {_SAY.ngettext('{n} row', '{n} rows', incident.rows)}"
    if not incident.rows:
        taken = f"{'ont' if plural else 'a'} fait quelque chose d’inhabituel, sans ligne sortie connue"
    named = [f"{thing} {_SAY.number(rows)}" for thing, rows in incident.objects[:_NAMED]]
    if named:
        taken += f" ({', '.join(named)})"
    addresses = sorted(incident.addresses)
    where = f", depuis {addresses[0]}" if addresses else ""
    if len(addresses) > 1:
        others = len(addresses) - 1
        where += f" et {_SAY.number(others)} {'autre adresse' if others == 1 else 'autres adresses'}"
    told = f"{who} {name} {taken}, {_when(incident)}{where}.".strip()
    if incident.bound is not None:
        told += (
            f" On attendait au plus {_SAY.ngettext('{n} row', '{n} rows', round(incident.bound.rows))} en"
            f" {_SAY.duration(incident.bound.horizon_ms)}."
        )
    kinds: Counter[str] = Counter()
    for thing, rows in incident.objects:
        kinds[category(thing).value] += rows
    if kinds:
        told += f" Surtout\u202f: {_SAY.gettext(CATEGORIES[Category(kinds.most_common(1)[0][0])])}."
    return told


def _when(incident: Finding) -> str:
    start, end = incident.start_ms, incident.end_ms
    if day(start) != day(end):
        return f"entre le {minute(start)} et le {minute(end)} UTC"
    return f"le {day(start)} entre {clock(start)} et {clock(end)} UTC"
