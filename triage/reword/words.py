"""Which words decide whether two sentences may say the same? English, German, French and Spanish."""

from __future__ import annotations

import re


def words_of(written: str) -> frozenset[str]:
    """A list of words as a set."""
    return frozenset(written.split())


# Counted, not only looked for: a sentence with two of them and one with one do not say the same. French and Spanish
# double their negation ("ne … pas", "no … nunca"): of the French pair the second word counts.
NEGATION = re.compile(
    r"\b(?:not|no|never|none|nothing|nobody|neither|nor|without|cannot|avoid|unless|except|"
    r"nicht|kein(?:e|en|em|er|es)?|nie|niemals|nichts|niemand|ohne|weder|vermeiden|außer|"
    r"pas|jamais|aucun(?:e)?|rien|personne|sans|sauf|évite[rz]?|"
    r"nunca|jamás|ningún|ninguno|ninguna|nada|nadie|sin|tampoco|evite|evitar|salvo|excepto)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)

# A capital at the beginning of a sentence makes a word no name if it is one of these; any other has to be in the span.
OPENERS = words_of(
    """a an the this that these those it its he she they we you your our their there here if when while once after
    before then next first second third finally last now to from for of on in at by with within without as and or but
    so because since until unless use using open close click select choose press enter type go run start restart stop
    turn switch check make do don't does not no never always please try wait let keep set see sign log sure remove
    delete add install update change find look follow confirm ask contact call send save copy move return repeat connect
    reconnect disconnect both each every all any some most only also otherwise instead should can may must will what why
    how where who which under over during via through into

    der die das den dem des ein eine einen einem einer dies diese dieser dieses sie ihr ihre wir es er falls wenn sobald
    nachdem bevor dann danach zuerst zuletzt jetzt nun um von für auf in im am an bei mit ohne als und oder aber weil 
    bis öffnen schließen klicken wählen drücken geben gehen starten stoppen prüfen bitte warten lassen melden entfernen
    löschen fügen installieren aktualisieren ändern suchen folgen bestätigen fragen rufen senden speichern kopieren
    verbinden trennen alle jede jeder jedes nur auch sonst stattdessen sollte kann muss was warum wie wo wer nicht kein
    keine nie immer

    le la les un une des du de ce cette ces il elle ils nous vous votre vos si quand lorsque après avant puis ensuite
    d'abord enfin maintenant pour sur dans en à par avec sans comme et ou mais car ouvrez fermez cliquez sélectionnez
    choisissez appuyez saisissez allez lancez redémarrez arrêtez vérifiez veuillez attendez supprimez ajoutez installez
    changez suivez confirmez contactez appelez envoyez enregistrez copiez connectez déconnectez tous toutes chaque aussi
    sinon que pourquoi comment où qui ne n'utilisez pas jamais

    el los las uno unos unas lo al del este esta estos estas su sus usted ustedes cuando después antes luego primero
    finalmente ahora para por con como y o pero porque hasta abra cierre haga elija seleccione pulse presione introduzca
    escriba vaya ejecute inicie reinicie detenga compruebe espere elimine añada instale actualice cambie busque siga
    confirme pregunte contacte llame envíe guarde copie conecte desconecte todos todas cada solo también si no nunca qué
    cómo dónde quién"""
)

# In small letters these are too common to say anything about whether a sentence is covered by its span.
_COMMON = words_of(
    """this that these those then than with from into onto your you're have has will would should could must when where
    which what while after before once again also just only over under here there they them their been being does done
    make sure need needs please able about more most some such very dann auch aber oder wenn dass eine einen einem einer
    diese dieser dieses sich nach noch schon wird werden wurde sind sein ihre ihren ihrem können müssen sollte bitte
    cette votre vous nous leur pour avec dans puis aussi mais plus très être avoir fait faire cela veuillez
    este esta estos estas para pero como cuando donde desde hasta sobre también debe puede luego usted"""
)

# What nobody is to be asked for, whoever says it: a sentence may name it only where its span does.
SECRETS = re.compile(
    r"\b(?:passwords?|passphrases?|passcodes?|pins?|credentials?|one-time codes?|credit cards?|gift cards?|bank|"
    r"kennw(?:ort|örter)|passw(?:ort|örter)|zugangsdaten|kreditkarten?|geschenkkarten?|"
    r"mots? de passe|identifiants?|cartes? (?:bancaires?|cadeaux?)|"
    r"contraseñas?|claves?|credenciales|tarjetas? de (?:crédito|regalo))\b",
    re.IGNORECASE,
)

_UNITS = {
    "second": "s sec secs second seconds sekunde sekunden seconde secondes segundo segundos",
    "minute": "min mins minute minutes minuten minuto minutos",
    "hour": "h hr hrs hour hours stunde stunden heure heures hora horas",
    "day": "day days tag tage tagen jour jours día días",
    "week": "week weeks woche wochen semaine semaines semana semanas",
    "month": "month months monat monate monaten mois mes meses",
    "year": "year years jahr jahre jahren an ans année années año años",
    "percent": "% percent prozent pourcent porciento",
    "kilobyte": "kb kilobyte kilobytes ko",
    "megabyte": "mb megabyte megabytes mo",
    "gigabyte": "gb gigabyte gigabytes go",
}
UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}

_NUMBERS = {
    "2": "two both twice zwei beide zweimal deux dos",
    "3": "three drei trois tres",
    "4": "four vier quatre cuatro",
    "5": "five fünf cinq cinco",
    "6": "six sechs seis",
    "7": "seven sieben sept siete",
    "8": "eight acht huit ocho",
    "9": "nine neun neuf nueve",
    "10": "ten zehn dix diez",
    "12": "twelve zwölf douze doce",
    "15": "fifteen fünfzehn quinze quince",
    "20": "twenty zwanzig vingt veinte",
    "30": "thirty dreißig trente treinta",
    "100": "hundred hundert cent cien",
    "1000": "thousand tausend mille mil",
}
NUMBER_OF = {word: number for number, words in _NUMBERS.items() for word in words.split()}

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
STEM = 5  # characters: "connect", "connects" and "connection" are one


def stems_of(text: str) -> frozenset[str]:
    """The beginnings of the words that carry the meaning: four letters or more, and not the commonest."""
    words = (word.casefold() for word in _WORD.findall(text))
    return frozenset(word[:STEM] for word in words if len(word) >= 4 and word not in _COMMON)


def negations(text: str) -> int:
    """How many words of the text deny something."""
    return len(NEGATION.findall(text))
