"""Plainly fictitious names; the same number gives the same name each time."""

from models.text import fold


def _words(text: str) -> list[str]:
    return text.split()


_FIRST = _words(
    "Amélie Björn Chidi Daria Emeka Fátima Gonçalo Hana Idris Jolanta Kofi Lúcia Mateo Noor Oluwaseun Paloma Quirin Ruža Søren "
    "Tomáš Ulrike Valeria Wanjiru Ximena Yusuf Zoë Anouk Bram Ciara Dmitri Elif Farah Greta Håkon Inês Jarek Keiko Łucja Minh "
    "Nadège Ondřej Priya Rosalind Selim Tamsin Uri Vikram Willa Yara Zdeněk"
)
_LAST = _words(
    "Ashgrove Birchmere Cloverly Dunhallow Elmsworth Fernsby Goldmoor Hazelrigg Ivywood Juniperus Kestrelby Larchmont-Vale "
    "Mossfield Nettlecombe Oakenshire Pinewhistle Quillfeather Rowanberg Sorrelstein Thistledown Umberleigh Vetchling Willowmere "
    "Yarrowby Zinnwald Ambrolio Brambilla Coriandero Dillmann Estragón Fenchelová Ginsterski Holunderová Immergrün Jasminière "
    "Kamillová Lavendel Majoranu Nelkenborg Origanini Petersilie Quendelson Rosmarinho Salbeiová Thymianos Verbena Waldmeister "
    "Ysopi Zitronella"
)
_HEAD = _words(
    "Amber Brisk Copper Dapple Ember Fable Glimmer Hollow Indigo Jolly Kindle Lunar Marble Nimble Opal Puddle Quaint Russet "
    "Saffron Tidal Umber Velvet Whimsy Yonder Zephyr"
)
_BODY = _words(
    "Badger Comet Dormouse Egret Falcon Gecko Heron Ibex Jackdaw Koala Lynx Marmot Newt Otter Puffin Quail Raven Stoat Turtle "
    "Urchin Vole Wombat Yak Zebra"
)
_TAIL = _words(
    "Bakery Bikes Books Brewery Ceramics Chocolate Clinics Coffee Cycling Dental Energy Farms Fitness Florists Furniture Games "
    "Gardens Hotels Ice-cream Insurance Kitchens Lighting Logistics Museums Optics Outdoors Pottery Robotics Sailing Schools "
    "Shoes Software Solar Tea Theatres Toys Travel Vets Watches Wind"
)

_TRADE = _words("Agency Studio Partners Consulting Digital Media Collective Works Lab Growth")


def person_name(number: int) -> tuple[str, str]:
    """Returns first and last name; 2,450 different ones."""
    return _FIRST[number % len(_FIRST)], _LAST[(number // len(_FIRST) + number * 7) % len(_LAST)]


def person_email(number: int, first_name: str, last_name: str, domain: str) -> str:
    """Returns an address that no other number has."""
    local = f"{fold(first_name)}.{fold(last_name)}".replace(" ", "")
    return f"{local}.{number}@{domain}"


def company_name(number: int) -> str:
    """Returns a company's name; 24,000 different ones, later ones with a number."""
    head, rest = number % len(_HEAD), number // len(_HEAD)
    body, rest = (rest + head) % len(_BODY), rest // len(_BODY)
    tail, rest = (rest + head * 3 + body) % len(_TAIL), rest // len(_TAIL)
    name = f"{_HEAD[head]} {_BODY[body]} {_TAIL[tail]}"
    return f"{name} {rest + 1}" if rest else name


def agency_name(number: int) -> str:
    """Returns an agency's name; 6,000 different ones, later ones with a number."""
    head, rest = number % len(_HEAD), number // len(_HEAD)
    body, rest = (rest + head) % len(_BODY), rest // len(_BODY)
    trade, rest = (rest + head * 3 + body) % len(_TRADE), rest // len(_TRADE)
    name = f"{_HEAD[head]} {_BODY[body]} {_TRADE[trade]}"
    return f"{name} {rest + 1}" if rest else name


def company_domain(name: str) -> str:
    """Returns a domain that cannot exist."""
    return f"{fold(name).replace(' ', '-')}.example"
