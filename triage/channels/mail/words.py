"""What do mails say besides the answer? In the languages that replies are worded in."""

from __future__ import annotations

# What a requester gets where no answer could be given: {token} is what stands in the subject.
RECEIPT = {
    "en": "Hello,\n\nwe have received your message and filed it as {token}.{queue} A person will look at it.\n\n"
    "To add something, answer this mail and leave the subject as it is. This mail was written automatically.",
    "de": "Guten Tag,\n\nwir haben Ihre Nachricht erhalten und unter {token} abgelegt.{queue} Ein Mensch sieht sie "
    "sich an.\n\nUm etwas zu ergänzen, antworten Sie auf diese Mail und lassen Sie den Betreff stehen. Diese Mail "
    "wurde automatisch geschrieben.",
    "fr": "Bonjour,\n\nnous avons reçu votre message et l’avons enregistré sous {token}.{queue} Une personne s’en "
    "occupera.\n\nPour ajouter quelque chose, répondez à ce message sans changer l’objet. Ce message a été écrit "
    "automatiquement.",
    "es": "Hola:\n\nhemos recibido su mensaje y lo hemos registrado como {token}.{queue} Una persona lo revisará.\n\n"
    "Para añadir algo, responda a este correo sin cambiar el asunto. Este correo se escribió automáticamente.",
}
QUEUE = {
    "en": " It is with: {queue}.",
    "de": " Zuständig: {queue}.",
    "fr": " Service : {queue}.",
    "es": " Departamento: {queue}.",
}
NO_SUBJECT = {"en": "Your message", "de": "Ihre Nachricht", "fr": "Votre message", "es": "Su mensaje"}
# Stands at the end of an internal note, which agents read and may be tempted to answer.
NOTE_END = "This note is for the desk only. An answer to it does not reach {requester}."


def in_language(words: dict[str, str], language: str | None) -> str:
    """The words in that language, else in English."""
    return words.get(language or "en", words["en"])
