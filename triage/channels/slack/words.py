"""What do people read in Slack? Every sentence, in English, German, French and Spanish."""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("en", "de", "fr", "es")

TEXTS: Mapping[str, Mapping[str, str]] = {
    "answer_found": {
        "en": "This may answer your question, quoted from our knowledge base:",
        "de": "Das beantwortet vermutlich Ihre Frage, zitiert aus unserer Wissensdatenbank:",
        "fr": "Voici ce qui répond probablement à votre question, tiré de notre base de connaissances :",
        "es": "Esto probablemente responde a su pregunta, citado de nuestra base de conocimiento:",
    },
    "sources": {
        "en": "Read more: {links}",
        "de": "Mehr dazu: {links}",
        "fr": "En savoir plus : {links}",
        "es": "Más información: {links}",
    },
    "filed": {
        "en": "I have filed this for the help desk. Somebody will answer you here.",
        "de": "Ich habe das für den Helpdesk aufgenommen. Jemand wird Ihnen hier antworten.",
        "fr": "J’ai transmis votre demande au support. Quelqu’un vous répondra ici.",
        "es": "He registrado su solicitud para el equipo de soporte. Alguien le responderá aquí.",
    },
    "duplicate": {
        "en": "This looks like your open ticket from before, so I have linked the two. Somebody is on it.",
        "de": "Das scheint Ihr offenes Ticket von vorhin zu sein; ich habe beide verknüpft. Es ist in Arbeit.",
        "fr": "Cela ressemble à votre ticket encore ouvert ; je les ai reliés. Quelqu’un s’en occupe.",
        "es": "Esto parece su solicitud anterior, aún abierta; las he vinculado. Alguien se ocupa de ella.",
    },
    "said_there": {
        "en": "*{agent}* wrote in {system}:",
        "de": "*{agent}* schrieb in {system}:",
        "fr": "*{agent}* a écrit dans {system} :",
        "es": "*{agent}* escribió en {system}:",
    },
    "solved_there": {
        "en": "The help desk has marked this as solved in {system}. If it is not, just write here.",
        "de": "Der Helpdesk hat das in {system} als gelöst vermerkt. Falls nicht, schreiben Sie einfach hier.",
        "fr": "Le support a marqué cette demande comme résolue dans {system}. Sinon, écrivez simplement ici.",
        "es": "El equipo de soporte lo ha marcado como resuelto en {system}. Si no lo está, escriba aquí.",
    },
    "reopened_there": {
        "en": "The help desk has opened this again in {system}.",
        "de": "Der Helpdesk hat das in {system} wieder geöffnet.",
        "fr": "Le support a rouvert cette demande dans {system}.",
        "es": "El equipo de soporte lo ha vuelto a abrir en {system}.",
    },
    "several": {
        "en": "Several articles could be right. Which one is it about?",
        "de": "Mehrere Artikel könnten passen. Worum geht es?",
        "fr": "Plusieurs articles pourraient convenir. De quoi s’agit-il ?",
        "es": "Varios artículos podrían ser correctos. ¿De cuál se trata?",
    },
    "which": {
        "en": "So that it reaches the right people: which {field} is it?",
        "de": "Damit es die Richtigen erreicht: Was trifft zu ({field})?",
        "fr": "Pour que cela parvienne aux bonnes personnes : lequel ({field}) ?",
        "es": "Para que llegue a las personas adecuadas: ¿cuál es ({field})?",
    },
    "thanks_choice": {
        "en": "Thank you, noted: {value}.",
        "de": "Danke, notiert: {value}.",
        "fr": "Merci, c’est noté : {value}.",
        "es": "Gracias, anotado: {value}.",
    },
    "solved": {"en": "Solved it", "de": "Gelöst", "fr": "Résolu", "es": "Resuelto"},
    "not_helpful": {"en": "Not helpful", "de": "Hilft nicht", "fr": "Pas utile", "es": "No me ayuda"},
    "person": {
        "en": "Talk to a person",
        "de": "Mit jemandem sprechen",
        "fr": "Parler à quelqu’un",
        "es": "Hablar con alguien",
    },
    "share": {
        "en": "Share with channel",
        "de": "Im Kanal teilen",
        "fr": "Partager dans le canal",
        "es": "Compartir en el canal",
    },
    "glad": {
        "en": "Glad that it helped. I have closed the ticket.",
        "de": "Schön, dass es geholfen hat. Ich habe das Ticket geschlossen.",
        "fr": "Ravi que cela ait aidé. J’ai fermé le ticket.",
        "es": "Me alegra que haya ayudado. He cerrado la solicitud.",
    },
    "sorry": {
        "en": "Thank you for saying so. A person from the help desk will look at it.",
        "de": "Danke für den Hinweis. Jemand vom Helpdesk sieht es sich an.",
        "fr": "Merci de l’avoir signalé. Une personne du support va regarder.",
        "es": "Gracias por decirlo. Una persona del equipo de soporte lo revisará.",
    },
    "person_called": {
        "en": "I have called for a person. They will answer you here.",
        "de": "Ich habe jemanden gerufen. Sie bekommen hier Antwort.",
        "fr": "J’ai appelé quelqu’un. On vous répondra ici.",
        "es": "He avisado a una persona. Le responderá aquí.",
    },
    "taken": {
        "en": "{agent} is looking at this.",
        "de": "{agent} sieht sich das an.",
        "fr": "{agent} s’en occupe.",
        "es": "{agent} se ocupa de esto.",
    },
    "unsure": {
        "en": "I do not know. {why}",
        "de": "Das weiß ich nicht. {why}",
        "fr": "Je ne sais pas. {why}",
        "es": "No lo sé. {why}",
    },
    "file_offer": {
        "en": "Shall I file a ticket?",
        "de": "Soll ich ein Ticket anlegen?",
        "fr": "Dois-je créer un ticket ?",
        "es": "¿Creo una solicitud?",
    },
    "new_ticket": {"en": "New ticket", "de": "Neues Ticket", "fr": "Nouveau ticket", "es": "Nueva solicitud"},
    "send": {"en": "Send", "de": "Senden", "fr": "Envoyer", "es": "Enviar"},
    "cancel": {"en": "Cancel", "de": "Abbrechen", "fr": "Annuler", "es": "Cancelar"},
    "subject": {
        "en": "What is it about?",
        "de": "Worum geht es?",
        "fr": "De quoi s’agit-il ?",
        "es": "¿De qué se trata?",
    },
    "details": {"en": "Details", "de": "Einzelheiten", "fr": "Détails", "es": "Detalles"},
    "your_ticket": {
        "en": "Your ticket: *{subject}*. Answers come in this thread.",
        "de": "Ihr Ticket: *{subject}*. Antworten kommen in diesem Thread.",
        "fr": "Votre ticket : *{subject}*. Les réponses arrivent dans ce fil.",
        "es": "Su solicitud: *{subject}*. Las respuestas llegan en este hilo.",
    },
    "my_tickets": {"en": "My tickets", "de": "Meine Tickets", "fr": "Mes tickets", "es": "Mis solicitudes"},
    "no_tickets": {
        "en": "You have no tickets yet. Write to me, or press the button.",
        "de": "Sie haben noch keine Tickets. Schreiben Sie mir, oder drücken Sie den Knopf.",
        "fr": "Vous n’avez pas encore de ticket. Écrivez-moi, ou appuyez sur le bouton.",
        "es": "Aún no tiene solicitudes. Escríbame o pulse el botón.",
    },
    "queue": {
        "en": "Waiting for the desk",
        "de": "Wartet auf den Helpdesk",
        "fr": "En attente du support",
        "es": "En espera del equipo",
    },
    "open": {"en": "open", "de": "offen", "fr": "ouvert", "es": "abierta"},
    "closed": {"en": "solved", "de": "gelöst", "fr": "résolu", "es": "resuelta"},
    "help": {
        "en": "Write to me, mention me, or use {command}: `ask` a question, `new` ticket, `status` of yours, `help`.",
        "de": "Schreiben oder erwähnen Sie mich, oder {command}: `ask` Frage, `new` Ticket, `status`, `help`.",
        "fr": "Écrivez-moi, citez-moi, ou {command} : `ask` une question, `new` ticket, `status` des vôtres, `help`.",
        "es": "Escríbame, mencióneme o use {command}: `ask` pregunta, `new` solicitud, `status` de las suyas, `help`.",
    },
    "ask_what": {
        "en": "Ask with your question behind it: {command} ask How do I reset my password?",
        "de": "Stellen Sie die Frage gleich dahinter: {command} ask Wie setze ich mein Passwort zurück?",
        "fr": "Posez la question à la suite : {command} ask Comment réinitialiser mon mot de passe ?",
        "es": "Escriba la pregunta a continuación: {command} ask ¿Cómo restablezco mi contraseña?",
    },
    "not_yours": {
        "en": "I may only tell people about their own tickets.",
        "de": "Ich darf nur über eigene Tickets Auskunft geben.",
        "fr": "Je ne peux parler à chacun que de ses propres tickets.",
        "es": "Solo puedo informar a cada persona sobre sus propias solicitudes.",
    },
    "desk_only": {
        "en": "That is for people of the help desk.",
        "de": "Das ist für die Leute vom Helpdesk.",
        "fr": "C’est réservé aux personnes du support.",
        "es": "Eso es para las personas del equipo de soporte.",
    },
    "expired": {
        "en": "That took too long for Slack. Please press it once more.",
        "de": "Das hat Slack zu lange gedauert. Bitte drücken Sie noch einmal.",
        "fr": "Slack n’a pas attendu. Appuyez encore une fois, s’il vous plaît.",
        "es": "Slack no esperó lo suficiente. Púlselo otra vez, por favor.",
    },
    "trouble": {
        "en": "Something went wrong here; nothing was lost. Please try again.",
        "de": "Hier ist etwas schiefgegangen; verloren ist nichts. Bitte noch einmal.",
        "fr": "Un problème est survenu ; rien n’est perdu. Réessayez, s’il vous plaît.",
        "es": "Algo falló aquí; no se perdió nada. Inténtelo otra vez.",
    },
    "shared": {
        "en": "Shared by {user}:",
        "de": "Geteilt von {user}:",
        "fr": "Partagé par {user} :",
        "es": "Compartido por {user}:",
    },
    "out_of_hours": {
        "en": "The help desk is not in at the moment. I have filed this; somebody will answer when it opens.",
        "de": "Der Helpdesk ist gerade nicht besetzt. Ich habe es aufgenommen; Antwort kommt, sobald er öffnet.",
        "fr": "Le support est fermé en ce moment. J’ai noté votre demande ; vous aurez une réponse à l’ouverture.",
        "es": "El equipo de soporte no está ahora. Lo he registrado; le responderán cuando abra.",
    },
    "settings": {"en": "Settings", "de": "Einstellungen", "fr": "Réglages", "es": "Ajustes"},
    "mode": {
        "en": "What may the bot do?",
        "de": "Was darf der Bot?",
        "fr": "Que peut faire le bot ?",
        "es": "¿Qué puede hacer el bot?",
    },
    "answers_in": {
        "en": "Who sees answers in {channel}?",
        "de": "Wer sieht Antworten in {channel}?",
        "fr": "Qui voit les réponses dans {channel} ?",
        "es": "¿Quién ve las respuestas en {channel}?",
    },
    "nudge": {
        "en": "It has been quiet here. Is this solved?",
        "de": "Hier ist es still geworden. Ist das gelöst?",
        "fr": "C’est calme ici. Est-ce résolu ?",
        "es": "Aquí no hay novedades. ¿Está resuelto?",
    },
    "closed_quiet": {
        "en": "I have closed this, as it stayed quiet. Write here if it is not solved.",
        "de": "Ich habe das geschlossen, weil es still blieb. Schreiben Sie hier, falls es nicht gelöst ist.",
        "fr": "J’ai fermé ceci, faute de nouvelles. Écrivez ici si ce n’est pas résolu.",
        "es": "He cerrado esto porque no hubo novedades. Escriba aquí si no está resuelto.",
    },
    "thanks_to": {
        "en": "Thanks to {helper} for helping.",
        "de": "Danke an {helper} für die Hilfe.",
        "fr": "Merci à {helper} pour son aide.",
        "es": "Gracias a {helper} por su ayuda.",
    },
    "digest": {
        "en": "*The week in the help desk*\n{asked} asked, {answered} answered, {solved} solved, {person} to a person.",
        "de": "*Die Woche im Helpdesk*\n{asked} Fragen, {answered} beantwortet, {solved} gelöst, {person} an Menschen.",
        "fr": "*La semaine du support*\n"
        "{asked} demandes, {answered} réponses, {solved} résolues, {person} à une personne.",
        "es": "*La semana del equipo*\n"
        "{asked} preguntas, {answered} respuestas, {solved} resueltas, {person} a personas.",
    },
    "digest_silent": {
        "en": "Not answered: {reasons}.",
        "de": "Nicht beantwortet: {reasons}.",
        "fr": "Sans réponse : {reasons}.",
        "es": "Sin respuesta: {reasons}.",
    },
    "new_card": {
        "en": "A new ticket",
        "de": "Ein neues Ticket",
        "fr": "Un nouveau ticket",
        "es": "Una nueva solicitud",
    },
    "no_text": {"en": "(no text)", "de": "(kein Text)", "fr": "(sans texte)", "es": "(sin texto)"},
    "perhaps": {
        "en": "perhaps {values}",
        "de": "vielleicht {values}",
        "fr": "peut-être {values}",
        "es": "quizás {values}",
    },
    "one_of": {
        "en": "one of {values}",
        "de": "eines von {values}",
        "fr": "l’un de {values}",
        "es": "uno de {values}",
    },
    "left_alone": {"en": "left alone", "de": "nicht angerührt", "fr": "laissé tel quel", "es": "sin tocar"},
    "was_answered": {
        "en": "Knowledge base: answered, {sure} sure.",
        "de": "Wissensdatenbank: beantwortet, {sure} sicher.",
        "fr": "Base de connaissances : réponse donnée, sûre à {sure}.",
        "es": "Base de conocimiento: respondida, segura al {sure}.",
    },
    "not_answered": {
        "en": "Knowledge base: not answered. {why}",
        "de": "Wissensdatenbank: nicht beantwortet. {why}",
        "fr": "Base de connaissances : pas de réponse. {why}",
        "es": "Base de conocimiento: sin respuesta. {why}",
    },
    "similar": {
        "en": "Similar past tickets: {tickets}",
        "de": "Ähnliche frühere Tickets: {tickets}",
        "fr": "Tickets passés semblables : {tickets}",
        "es": "Solicitudes pasadas parecidas: {tickets}",
    },
    "open_thread": {"en": "Open the thread", "de": "Thread öffnen", "fr": "Ouvrir le fil", "es": "Abrir el hilo"},
    "accept": {"en": "Accept", "de": "Annehmen", "fr": "Accepter", "es": "Aceptar"},
    "change": {"en": "Change…", "de": "Ändern…", "fr": "Modifier…", "es": "Cambiar…"},
    "take": {"en": "Take it", "de": "Übernehmen", "fr": "Je m’en occupe", "es": "Me ocupo"},
    "accepted_by": {
        "en": "Accepted by {agent}.",
        "de": "Angenommen von {agent}.",
        "fr": "Accepté par {agent}.",
        "es": "Aceptado por {agent}.",
    },
    "changed_by": {
        "en": "Changed by {agent}.",
        "de": "Geändert von {agent}.",
        "fr": "Modifié par {agent}.",
        "es": "Cambiado por {agent}.",
    },
    "taken_by": {
        "en": "Taken by {agent}.",
        "de": "Übernommen von {agent}.",
        "fr": "Pris en charge par {agent}.",
        "es": "A cargo de {agent}.",
    },
    "asks_for_person": {
        "en": "Somebody asks for a person: ticket {ticket}.",
        "de": "Jemand möchte mit einem Menschen sprechen: Ticket {ticket}.",
        "fr": "Quelqu’un demande à parler à une personne : ticket {ticket}.",
        "es": "Alguien pide hablar con una persona: solicitud {ticket}.",
    },
    "untold": {
        "en": "The requester could not be told: {why}",
        "de": "Der anfragenden Person konnte nichts gesagt werden: {why}",
        "fr": "La personne n’a pas pu être prévenue : {why}",
        "es": "No se pudo avisar a quien preguntó: {why}",
    },
    "why_nothing_found": {
        "en": "Nothing fits.",
        "de": "Es passt nichts.",
        "fr": "Rien ne correspond.",
        "es": "No hay nada que corresponda.",
    },
    "why_not_sure": {
        "en": "What I found answers this with a probability of {sure} only.",
        "de": "Was ich gefunden habe, beantwortet das nur mit einer Wahrscheinlichkeit von {sure}.",
        "fr": "Ce que j’ai trouvé n’y répond qu’avec une probabilité de {sure}.",
        "es": "Lo que encontré lo responde solo con una probabilidad del {sure}.",
    },
    "why_several": {
        "en": "Several articles fit equally well.",
        "de": "Mehrere Artikel passen gleich gut.",
        "fr": "Plusieurs articles conviennent aussi bien.",
        "es": "Varios artículos encajan igual de bien.",
    },
    "why_out_of_date": {
        "en": "The article that fits is overdue for review.",
        "de": "Der passende Artikel müsste erst überprüft werden.",
        "fr": "L’article qui convient doit d’abord être revu.",
        "es": "El artículo que encaja está pendiente de revisión.",
    },
    "why_only_internal": {
        "en": "What fits is not for everybody.",
        "de": "Was passt, ist nicht für alle bestimmt.",
        "fr": "Ce qui convient n’est pas destiné à tous.",
        "es": "Lo que encaja no es para todos.",
    },
    "why_empty_question": {
        "en": "There was nothing to look for.",
        "de": "Es gab nichts, wonach zu suchen wäre.",
        "fr": "Il n’y avait rien à chercher.",
        "es": "No había nada que buscar.",
    },
    "why_empty_knowledge_base": {
        "en": "The knowledge base is empty.",
        "de": "Die Wissensdatenbank ist leer.",
        "fr": "La base de connaissances est vide.",
        "es": "La base de conocimiento está vacía.",
    },
    "why_duplicate": {
        "en": "It repeats an open ticket.",
        "de": "Es wiederholt ein offenes Ticket.",
        "fr": "Cela répète un ticket ouvert.",
        "es": "Repite una solicitud abierta.",
    },
    "silent_nothing_found": {
        "en": "nothing found",
        "de": "nichts gefunden",
        "fr": "rien trouvé",
        "es": "nada encontrado",
    },
    "silent_not_sure": {"en": "not sure", "de": "nicht sicher", "fr": "pas sûr", "es": "no seguro"},
    "silent_several": {
        "en": "several fitted",
        "de": "mehrere passten",
        "fr": "plusieurs convenaient",
        "es": "varios encajaban",
    },
    "silent_out_of_date": {
        "en": "overdue for review",
        "de": "Prüfung überfällig",
        "fr": "à revoir",
        "es": "por revisar",
    },
    "silent_only_internal": {
        "en": "internal only",
        "de": "nur intern",
        "fr": "interne seulement",
        "es": "solo interno",
    },
    "silent_empty_question": {"en": "no question", "de": "keine Frage", "fr": "sans question", "es": "sin pregunta"},
    "silent_empty_knowledge_base": {
        "en": "no articles",
        "de": "keine Artikel",
        "fr": "aucun article",
        "es": "sin artículos",
    },
    "silent_duplicate": {"en": "repeated", "de": "wiederholt", "fr": "répété", "es": "repetido"},
    "greeting": {
        "en": "How can I help?",
        "de": "Wie kann ich helfen?",
        "fr": "Comment puis-je vous aider ?",
        "es": "¿En qué puedo ayudarle?",
    },
    "thinking": {
        "en": "is reading the knowledge base …",
        "de": "liest die Wissensdatenbank …",
        "fr": "lit la base de connaissances …",
        "es": "está leyendo la base de conocimiento …",
    },
}


def say(key: str, language: str | None = None, **values: str) -> str:
    """The sentence in that language, or in English where we do not have it; raises ``KeyError`` for an unknown key."""
    texts = TEXTS[key]
    return texts.get((language or "en")[:2], texts["en"]).format(**values)


def why_not(reason: str, probability: float | None, language: str | None) -> str:
    """Why there is no answer, with the number where there is one."""
    return say(f"why_{reason}", language, sure=f"{probability or 0.0:.0%}")
