"""How much of what is personal is masked, and how much else?

    PYTHONPATH=. python bench/privacy.py --data DIR [--seed 1] [--plants 400] [--sample 200] [--json]

Recall: made-up items of every kind, each in many written forms, are planted into real tickets and mails (one to a
text, between two words), and it is counted how many are masked to the last character. A name counts where
the requester's record names the person. Precision: what is found in the texts as they came; `--sample` prints that
many finds, drawn by kind, for a person to judge, for nobody has labelled these texts.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import re
import string
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from triage.privacy import Kind, find_personal, mask, names_of
from triage.privacy.checksums import satisfies_luhn

CONTEXT = 45
MAILS = {".txt", ".eml", ".html"}
FIRST, LAST, WORDS = (
    names.split()
    for names in (
        "Ana Jörg Chloé Íñigo Priya Oluwaseun Katarzyna Fatima Günther Siobhan Matteo Zoë Thomas Linh Søren",
        "Müller Grünwald Lefèvre Núñez Chaudhary Okonkwo Wiśniewska Haddad Großmann Gallagher Bianchi Tran Ångström",
        "sunshine dragon Schatzi football princesse Tequiero monkey",
    )
)


@dataclass(frozen=True, slots=True)
class Plant:
    """What is put into a text: ``around`` holds ``{}`` where the item stands; only the item must be masked."""

    kind: Kind
    form: str
    around: str
    item: str
    requester: str = ""


def digits(rng: random.Random, pattern: str) -> str:
    """The pattern with each ``#`` a digit and each ``N`` a digit from 2 to 9."""
    return re.sub("[#N]", lambda mark: rng.choice("0123456789" if mark[0] == "#" else "23456789"), pattern)


def word(rng: random.Random, size: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Random characters; of every sort one, as generated secrets have."""
    while True:
        made = "".join(rng.choice(alphabet) for _ in range(size))
        if any(c.isdigit() for c in made) and any(c.isalpha() for c in made):
            return made


def person(rng: random.Random) -> tuple[str, str]:
    """First and last name."""
    return rng.choice(FIRST), rng.choice(LAST)


def an_email(rng: random.Random) -> Plant:
    """An address in one of the forms of mails, forms and links."""
    first, last = (re.sub("[^a-z]", "", name.lower()) for name in person(rng))
    local = rng.choice([f"{first}.{last}", f"{first[:1]}{last}", f"{first}_{last}{rng.randint(1, 99)}", f"{first}+it"])
    domain = rng.choice(
        ["fennvale.example", "mail.corp.example.org", "web-de.example", "uni.example.ac.uk", "firma.büro"]
    )
    forms = {
        "plain": ("{}", f"{local}@{domain}"),
        "capitals": ("{}", f"{local}@{domain}".upper()),
        "angle": ("From: Someone <{}>", f"{local}@{domain}"),
        "mailto": ("<a href='mailto:{}?subject=x'>", f"{local}@{domain}"),
        "quoted by comma": ("cc:{};", f"{local}@{domain}"),
        "at and dot": ("{}", f"{local} [at] {domain.replace('.', ' [dot] ')}"),
        "at in brackets": ("{}", f"{local}(at){domain}"),
        "link": ("https://x.example/?u={}&v=2", f"{local}%40{domain}"),
        "full width": ("{}", f"{local}＠{domain}"),
    }
    return pick(rng, Kind.EMAIL, forms)


def a_phone(rng: random.Random) -> Plant:
    """A number as people in the US, Germany, France, Spain and the UK write it."""
    forms = {
        "+1": (
            "{}",
            digits(rng, rng.choice(["+1 N## N##-####", "+1-N##-N##-####", "+1 (N##) N## ####", "+1N##N######"])),
        ),
        "us": ("{}", digits(rng, rng.choice(["(N##) N##-####", "N##-N##-####", "N##.N##.####", "(N##)N##-####"]))),
        "us labelled": (rng.choice(["Phone: {}", "my cell is {}", "call me on {}"]), digits(rng, "N##N######")),
        "+49": (
            "{}",
            digits(rng, rng.choice(["+49 89 #######", "+49 (0)30/######", "+4915########", "+49-711-####-##"])),
        ),
        "de": (
            "{}",
            digits(rng, rng.choice(["0151 #######N", "089/#######", "0711-######", "(0221) ######", "030 ## ## ##-#"])),
        ),
        "de labelled": (rng.choice(["Tel.: {}", "Handy {}", "erreichbar unter Mobil: {}"]), digits(rng, "017########")),
        "00": ("{}", digits(rng, rng.choice(["0049 170 #######", "0033 6 ## ## ## ##", "0044 20 #### ####"]))),
        "+33": ("{}", digits(rng, rng.choice(["+33 1 ## ## ## ##", "+33(0)6 ## ## ## ##", "+336########"]))),
        "fr": ("{}", digits(rng, rng.choice(["06 ## ## ## ##", "01.##.##.##.##", "04-##-##-##-##", "07########"]))),
        "+34": ("{}", digits(rng, rng.choice(["+34 6## ### ###", "+34 91 ### ## ##", "+346########"]))),
        "es": ("{}", digits(rng, rng.choice(["6## ### ###", "91 ### ## ##", "9## ## ## ##"]))),
        "es labelled": (rng.choice(["móvil {}", "teléfono: {}", "llámame al {}"]), digits(rng, "6########")),
        "+44": ("{}", digits(rng, rng.choice(["+44 7### ######", "+44 20 #### ####", "+44 (0)161 ### ####"]))),
        "uk": ("{}", digits(rng, rng.choice(["07### ######", "020 #### ####", "(0161) ### ####", "01632 ######"]))),
    }
    return pick(rng, Kind.PHONE, forms)


def a_card(rng: random.Random) -> Plant:
    """A number that satisfies Luhn, of one of five issuers."""
    begin, size = rng.choice([("4", 16), ("53", 16), ("2221", 16), ("37", 15), ("6011", 16), ("36", 14)])
    while True:
        number = begin + "".join(rng.choice(string.digits) for _ in range(size - len(begin)))
        if satisfies_luhn(number):
            break
    cuts = [4, 10] if size < 16 else [4, 8, 12]
    grouped = [number[a:b] for a, b in zip([0, *cuts], [*cuts, size], strict=True)]
    forms = {
        "in one": ("card no {}", number),
        "in one, bare": ("{}", number),
        "spaces": ("{}", " ".join(grouped)),
        "dashes": ("{}", "-".join(grouped)),
        "expiry": ("{} 09/27", " ".join(grouped)),
        "no-break spaces": ("{}", "\u00a0".join(grouped)),
        "comma behind": ("Visa {}, name", number),
    }
    return pick(rng, Kind.CARD, forms)


def an_iban(rng: random.Random) -> Plant:
    """A number with a right checksum of one of six countries."""
    country, bban = rng.choice(
        [
            ("DE", "#" * 18),
            ("FR", "#" * 23),
            ("ES", "#" * 20),
            ("GB", "NWBK" + "#" * 14),
            ("NL", "ABNA" + "#" * 10),
            ("AT", "#" * 16),
        ]
    )
    account = re.sub("#", lambda _: rng.choice(string.digits), bban)
    check = 98 - int("".join(str(int(c, 36)) for c in f"{account}{country}00")) % 97
    compact = f"{country}{check:02}{account}"
    grouped = " ".join(compact[i : i + 4] for i in range(0, len(compact), 4))
    forms = {
        "in one": ("{}", compact),
        "groups": ("{}", grouped),
        "labelled": ("IBAN: {}.", grouped),
        "small letters": ("iban {}", compact.lower()),
        "dashes": ("{}", grouped.replace(" ", "-")),
    }
    return pick(rng, Kind.IBAN, forms)


def an_ip(rng: random.Random) -> Plant:
    """An address of version 4 or 6 that is no loopback."""
    four = ".".join(str(rng.randint(low, 254)) for low in (11, 0, 0, 1)).replace("127.", "128.")
    groups = [f"{rng.randint(4096, 65535):x}" for _ in range(4)]
    forms = {
        "bare": ("{}", four),
        "port": ("{}:8443", four),
        "link": ("http://{}/admin", four),
        "network": ("{}/24", four),
        "brackets": ("srv01 [{}]", four),
        "sentence": ("the server is {}.", four),
        "v6 short": ("{}", f"2001:db8::{groups[0]}:{groups[1]}"),
        "v6 whole": ("{}", ":".join(["2a02", "8109", *groups, "1", "7f"])),
        "v6 local": ("{}", f"fe80::{':'.join(groups)}%eth0"),
    }
    return pick(rng, Kind.IP, forms)


def a_token(rng: random.Random) -> Plant:
    """A key of some service, or one that only the word beside it gives away."""
    part = base64.urlsafe_b64encode(rng.randbytes(30)).decode().rstrip("=")
    forms = {
        "AWS": ("{}", "AKIA" + "".join(rng.choice(string.ascii_uppercase + string.digits) for _ in range(16))),
        "GitHub": ("{}", "ghp_" + word(rng, 36)),
        "Slack": ("{}", f"xoxp-{rng.randint(10**11, 10**12 - 1)}-{word(rng, 24)}"),
        "JWT": ("{}", f"eyJ{word(rng, 20)}.eyJ{word(rng, 60)}.{part}"),
        "bearer": ("Authorization: Bearer {}", word(rng, 32)),
        "ours": ("X-Api-Key: {}", f"trg_{part}"),
        "api_key=": ("https://x.example/v1?api_key={}&a=1", word(rng, 24)),
        "client secret": ("client_secret: {}", word(rng, 40)),
        "access token": ('"access_token": "{}",', word(rng, 40)),
        "hex secret": ("the secret key is {}", rng.randbytes(20).hex()),
        "base64 token": ("use this token {} please", word(rng, 43)),
        "PEM": ("{}", f"-----BEGIN EC PRIVATE KEY-----\n{part}\n{part}\n-----END EC PRIVATE KEY-----"),
        "BitLocker": ("recovery key {}", "-".join(digits(rng, "######") for _ in range(8))),
    }
    return pick(rng, Kind.TOKEN, forms)


def a_password(rng: random.Random) -> Plant:
    """A password after a label in one of four languages; weak ones are what people choose."""
    strong = rng.choice(
        [word(rng, 10), rng.choice(WORDS).title() + str(rng.randint(10, 2025)) + "!", "x9$kLm#2", "Tr0ub4dor&3"]
    )
    forms = {
        "en colon": (rng.choice(["password: {}", "Password : {}", "pwd: {}", "temp password - PW: {}"]), strong),
        "en is": (rng.choice(["my password is {}", "the new password is now {}", "password was {}"]), strong),
        "en set to": (
            rng.choice(["password has been reset to {}", "I changed the password to {} and it failed"]),
            strong,
        ),
        "en bare": (rng.choice(["login bob password {}", "user bob, pw {}"]), strong),
        "en equals": (rng.choice(["password={}", "pw = {}", "DB_PASSWORD={}", "--password={}"]), strong),
        "en weak, colon": ("\npassword: {}\n", rng.choice(WORDS)),
        "en weak, is": ("my password is {}", rng.choice(WORDS)),
        "de": (
            rng.choice(["Passwort: {}", "Das Kennwort lautet {}", "mein Passwort ist {}", "Initialpasswort {}"]),
            strong,
        ),
        "fr": (rng.choice(["mot de passe : {}", "mon mot de passe est {}", "mdp: {}", "MDP={}"]), strong),
        "es": (rng.choice(["contraseña: {}", "mi contraseña es {}", "la contraseña era {}", "clave: {}"]), strong),
        "json": ('{{"user": "bob", "password": "{}"}}', strong),
        "html": ("<b>Password:</b> {}<br>", strong),
        "link": ("ftp://bob:{}@files.example.org/x", word(rng, 10)),
        "next line": ("\nPassword:\n{}\n", strong),
        "pin": (rng.choice(["PIN: {}", "my pin is {}", "verification code is {}"]), digits(rng, "######")),
    }
    return pick(rng, Kind.PASSWORD, forms)


def a_name(rng: random.Random) -> Plant:
    """The requester's own name, as it stands in signatures, greetings and paths."""
    first, last = person(rng)
    plain = re.sub("[^a-z.]", "", f"{first}.{last}".lower())
    record = rng.choice([f"{first} {last} <{plain}@fennvale.example>", f"{last}, {first}", f"{first} {last}"])
    forms = {
        "full": ("{}", f"{first} {last}"),
        "turned": ("{}", f"{last}, {first}"),
        "first, signed": ("\nThanks,\n{}\n", first),
        "first, within": ("this is {} from sales", first),
        "last": ("Mr {} here", last),
        "capitals": ("{}", f"{first} {last}".upper()),
        "small letters": ("{}", f"{first} {last}".lower()),
        "umlauts spelt out": ("{}", spelt_out(f"{first} {last}")),
        "path": ("C:\\Users\\{}\\Desktop", spelt_out(f"{first}.{last}".lower())),
        "possessive": ("{}'s laptop", first),
    }
    return pick(rng, Kind.NAME, forms, requester=record)


def spelt_out(name: str) -> str:
    """The name without umlauts, as in accounts."""
    table = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "Å": "Aa"}
    return "".join(table.get(c, c) for c in name)


def pick(rng: random.Random, kind: Kind, forms: dict[str, tuple[str, str]], requester: str = "") -> Plant:
    """One of the forms, drawn at random."""
    form = rng.choice(sorted(forms))
    around, item = forms[form]
    return Plant(kind, form, around, item, requester)


MAKERS: tuple[Callable[[random.Random], Plant], ...] = (
    an_email, a_phone, a_card, an_iban, an_ip, a_token, a_password, a_name,
)  # fmt: skip


def carriers(folder: Path) -> Iterator[tuple[str, str]]:
    """(text, requester) of the real tickets and mails; exact repeats left out."""
    with (folder / "tickets" / "assignment_train.jsonl").open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if not row["dup_of"]:
                yield f"{row['subject'] or ''}\n{row['body'] or ''}", row["caller"] or ""
    for path in sorted((folder / "mail").rglob("*")):
        if path.suffix in MAILS:
            yield path.read_text(encoding="utf-8", errors="replace"), ""


def planted(rng: random.Random, text: str, plant: Plant) -> tuple[str, int, int]:
    """The text with the item between two of its words, and where the item stands."""
    gaps = [match.start() for match in re.finditer(r"(?<=\S)\s", text[:20_000])]
    place = rng.choice(gaps or [0])
    before, after = plant.around.replace("{{", "{").replace("}}", "}").split("{}")
    start = place + 1 + len(before)
    return f"{text[:place]} {before}{plant.item}{after} {text[place:]}", start, start + len(plant.item)


def recall(texts: list[str], rng: random.Random, plants: int) -> dict[str, dict[str, list[bool]]]:
    """For each kind and form, which of the planted items were masked whole."""
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for make in MAKERS:
        for _ in range(plants):
            plant = make(rng)
            text, start, end = planted(rng, rng.choice(texts), plant)
            covered = set()
            for span in find_personal(text, names_of(plant.requester)):
                covered.update(range(max(span.start, start), min(span.end, end)))
            found[plant.kind][plant.form].append(len(covered) == end - start)
    return found


def finds(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """What is masked in texts that nothing was planted into, with its surroundings, by kind."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for text, requester in pairs:
        for span in find_personal(text, names_of(requester)):
            left, right = text[max(0, span.start - CONTEXT) : span.start], text[span.end : span.end + CONTEXT // 2]
            by_kind[span.kind].append(f"{left}«{text[span.start : span.end]}»{right}".replace("\n", "⏎"))
    return by_kind


def share(of: list[bool]) -> float:
    """How many are true."""
    return sum(of) / len(of)


def shares(forms: dict[str, list[bool]]) -> dict[str, float]:
    """The share of each form."""
    return {form: round(share(hits), 3) for form, hits in sorted(forms.items())}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plants", type=int, default=400, help="planted items of each kind")
    parser.add_argument("--sample", type=int, default=0, help="finds to print for a person to judge")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    pairs = list(carriers(given.data))
    texts = [text for text, _ in pairs if text.strip()]

    began = time.perf_counter()
    for text in texts:
        mask(text)
    seconds = time.perf_counter() - began
    by_form = recall(texts, rng, given.plants)
    found = finds(pairs)
    report = {
        "texts": len(texts),
        "characters": sum(map(len, texts)),
        "characters_per_second": round(sum(map(len, texts)) / seconds),
        "recall": {kind: round(share([*chain(*forms.values())]), 4) for kind, forms in by_form.items()},
        "recall_by_form": {kind: shares(forms) for kind, forms in by_form.items()},
        "finds_in_texts_as_they_came": {kind: len(by_kind) for kind, by_kind in found.items()},
        "texts_with_a_find": Counter(bool(find_personal(t, names_of(r))) for t, r in pairs)[True],
    }  # fmt: skip
    print(json.dumps(report, indent=2 if not given.json else None, ensure_ascii=False))
    each = given.sample // max(1, len(found))
    for kind, by_kind in found.items() if given.sample else ():
        print(f"\n## {kind}: {len(by_kind)} finds")
        for line in rng.sample(by_kind, min(len(by_kind), max(each, given.sample // 4))):
            print("  ", line)


if __name__ == "__main__":
    main()
