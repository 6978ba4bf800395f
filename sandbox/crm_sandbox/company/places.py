"""Where the company's customers are, and what addresses and telephone numbers look like there.

Telephone numbers are of the ranges that are kept free for fiction, or have 555 01 in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crm_sandbox.company.dice import weighted


@dataclass(frozen=True, slots=True)
class Country:
    """A country: how addresses are written, which legal forms and cultures of names there are.

    ``street`` has the fields ``number`` and ``street``; ``mobile`` the field ``digits`` (three digits).
    ``cultures`` are names of :data:`crm_sandbox.company.person_names.CULTURES`, repeated by their weights.
    """

    name: str
    currency: str
    streets: tuple[str, ...]
    street: str
    forms: tuple[str, ...]
    mobile: str
    cultures: tuple[str, ...]
    in_europe: bool = True


@dataclass(frozen=True, slots=True)
class City:
    """A city. ``phone`` is the form of a telephone number there, with the field ``digits`` (three digits)."""

    name: str
    region: str
    country: Country
    postal_codes: tuple[str, ...]
    phone: str


_NUMBER_FIRST = "{number} {street}"
_STREET_FIRST = "{street} {number}"
_AMERICAN_STREETS = (
    "Main Street", "Pine Street", "Market Street", "Lake Avenue", "Oak Street", "Union Street", "2nd Avenue",
    "5th Avenue", "Elm Street", "Washington Street", "Mill Road", "Commerce Drive", "Industrial Way",
    "Harbor Boulevard", "Cedar Street", "River Road",
)  # fmt: skip
_AMERICAN = weighted({"english": 11, "spanish": 3, "asian": 2, "indian": 2, "arabic": 1, "german": 1})
_BRITISH = weighted({"english": 14, "indian": 3, "polish": 1, "arabic": 1, "african": 1})

_US = Country(
    "United States", "USD", _AMERICAN_STREETS, _NUMBER_FIRST, ("Inc.", "LLC", "Corp.", "Group"),
    "+1 555 0{digits}", _AMERICAN, in_europe=False,
)  # fmt: skip
_CANADA = Country(
    "Canada", "USD", ("King Street West", "Bay Street", "Queen Street", "Front Street", "Granville Street"),
    _NUMBER_FIRST, ("Inc.", "Ltd."), "+1 555 0{digits}",
    weighted({"english": 10, "french": 4, "asian": 3, "indian": 3}), in_europe=False,
)  # fmt: skip
_UK = Country(
    "United Kingdom", "GBP",
    ("High Street", "Station Road", "Church Lane", "Victoria Road", "Mill Lane", "King Street", "Park Road",
     "Queens Road", "London Road", "Bridge Street"),
    _NUMBER_FIRST, ("Ltd", "plc", "LLP"), "+44 7700 900{digits}", _BRITISH,
)  # fmt: skip
_IRELAND = Country(
    "Ireland", "EUR", ("O'Connell Street", "Patrick Street", "Dame Street", "Main Street"), _NUMBER_FIRST,
    ("Ltd", "DAC"), "+353 85 555 0{digits}", weighted({"english": 8, "polish": 1}),
)  # fmt: skip
_GERMANY = Country(
    "Germany", "EUR",
    ("Hauptstraße", "Bahnhofstraße", "Lindenallee", "Gartenstraße", "Industriestraße", "Schillerstraße",
     "Goethestraße", "Am Markt", "Ringstraße"),
    _STREET_FIRST, ("GmbH", "AG", "GmbH & Co. KG", "KG"), "+49 171 39200{digits}",
    weighted({"german": 14, "turkish": 2, "polish": 2, "italian": 1}),
)  # fmt: skip
_AUSTRIA = Country(
    "Austria", "EUR", ("Mariahilfer Straße", "Wiedner Hauptstraße", "Ringstraße", "Schulgasse"), _STREET_FIRST,
    ("GmbH", "AG"), "+43 660 555 0{digits}", weighted({"german": 10, "turkish": 1, "polish": 1}),
)  # fmt: skip
_SWITZERLAND = Country(
    "Switzerland", "EUR", ("Bahnhofstrasse", "Seestrasse", "Löwenstrasse", "Hauptstrasse"), _STREET_FIRST,
    ("AG", "GmbH", "SA"), "+41 79 555 0{digits}", weighted({"german": 6, "french": 3, "italian": 2}),
)  # fmt: skip
_FRANCE = Country(
    "France", "EUR",
    ("rue de la Gare", "avenue Victor Hugo", "rue des Lilas", "rue du Commerce", "boulevard Voltaire",
     "rue Pasteur", "avenue de la République", "place du Marché"),
    "{number}, {street}", ("SA", "SARL", "SAS"), "+33 6 39 98 0{digits}",
    weighted({"french": 12, "arabic": 3, "african": 1}),
)  # fmt: skip
_BELGIUM = Country(
    "Belgium", "EUR", ("Avenue Louise", "Rue Neuve", "Kerkstraat", "Stationsstraat"), _STREET_FIRST,
    ("NV", "SA", "BV"), "+32 470 555 0{digits}", weighted({"dutch": 5, "french": 5, "arabic": 1}),
)  # fmt: skip
_NETHERLANDS = Country(
    "Netherlands", "EUR", ("Kerkstraat", "Dorpsstraat", "Stationsweg", "Industrieweg", "Molenlaan"),
    _STREET_FIRST, ("B.V.", "N.V."), "+31 6 5550 1{digits}", weighted({"dutch": 10, "turkish": 1, "arabic": 1}),
)  # fmt: skip
_DENMARK = Country(
    "Denmark", "EUR", ("Hovedgaden", "Nørregade", "Vestergade", "Strandvejen", "Søndergade"), _STREET_FIRST,
    ("ApS", "A/S"), "+45 20 55 50 {digits}", weighted({"nordic": 12, "arabic": 1}),
)  # fmt: skip
_SWEDEN = Country(
    "Sweden", "EUR", ("Storgatan", "Drottninggatan", "Kungsgatan", "Skolgatan"), _STREET_FIRST, ("AB",),
    "+46 70 555 0{digits}", weighted({"nordic": 12, "arabic": 1, "polish": 1}),
)  # fmt: skip
_SPAIN = Country(
    "Spain", "EUR", ("Calle Mayor", "Calle Real", "Avenida de la Constitución", "Calle del Prado"),
    "{street}, {number}", ("S.L.", "S.A."), "+34 600 555 {digits}", weighted({"spanish": 10, "arabic": 1}),
)  # fmt: skip
_ITALY = Country(
    "Italy", "EUR", ("Via Roma", "Via Garibaldi", "Corso Italia", "Via Mazzini", "Via Verdi"),
    "{street}, {number}", ("S.r.l.", "S.p.A."), "+39 320 555 0{digits}", weighted({"italian": 12, "african": 1}),
)  # fmt: skip
_POLAND = Country(
    "Poland", "EUR", ("ul. Polna", "ul. Leśna", "ul. Krótka", "ul. Ogrodowa"), _STREET_FIRST,
    ("Sp. z o.o.", "S.A."), "+48 600 555 {digits}", weighted({"polish": 1}),
)  # fmt: skip

_WEIGHTS: Mapping[City, int] = {
    City("Seattle", "WA", _US, ("98101", "98104", "98109", "98121"), "+1 206 555 0{digits}"): 14,
    City("Redmond", "WA", _US, ("98052", "98053"), "+1 425 555 0{digits}"): 7,
    City("Bellevue", "WA", _US, ("98004", "98005"), "+1 425 555 0{digits}"): 5,
    City("Portland", "OR", _US, ("97204", "97205", "97209"), "+1 503 555 0{digits}"): 6,
    City("San Francisco", "CA", _US, ("94103", "94105", "94107"), "+1 415 555 0{digits}"): 8,
    City("Los Angeles", "CA", _US, ("90012", "90017", "90021"), "+1 213 555 0{digits}"): 5,
    City("Denver", "CO", _US, ("80202", "80205"), "+1 303 555 0{digits}"): 6,
    City("Austin", "TX", _US, ("78701", "78704"), "+1 512 555 0{digits}"): 4,
    City("Minneapolis", "MN", _US, ("55401", "55415"), "+1 612 555 0{digits}"): 3,
    City("Chicago", "IL", _US, ("60602", "60607", "60654"), "+1 312 555 0{digits}"): 8,
    City("Atlanta", "GA", _US, ("30303", "30308"), "+1 404 555 0{digits}"): 3,
    City("New York", "NY", _US, ("10001", "10007", "10016", "10036"), "+1 212 555 0{digits}"): 9,
    City("Boston", "MA", _US, ("02108", "02110"), "+1 617 555 0{digits}"): 5,
    City("Toronto", "ON", _CANADA, ("M5H 2N2", "M5J 2N8"), "+1 416 555 0{digits}"): 5,
    City("Vancouver", "BC", _CANADA, ("V6B 1A1", "V6C 3L2"), "+1 604 555 0{digits}"): 3,
    City("London", "England", _UK, ("EC1A 1BB", "SE1 9GF", "W1F 7LD"), "+44 20 7946 0{digits}"): 8,
    City("Manchester", "England", _UK, ("M1 1AE", "M2 5DB"), "+44 161 496 0{digits}"): 4,
    City("Leeds", "England", _UK, ("LS1 4AP", "LS2 8LY"), "+44 113 496 0{digits}"): 2,
    City("Edinburgh", "Scotland", _UK, ("EH1 1YZ", "EH2 2BY"), "+44 131 496 0{digits}"): 2,
    City("Dublin", "Leinster", _IRELAND, ("D01 F5P2", "D02 X285"), "+353 1 555 0{digits}"): 2,
    City("Paris", "Île-de-France", _FRANCE, ("75002", "75009", "75012"), "+33 1 99 00 0{digits}"): 6,
    City("Lyon", "Auvergne-Rhône-Alpes", _FRANCE, ("69002", "69003"), "+33 4 65 71 0{digits}"): 3,
    City("Lille", "Hauts-de-France", _FRANCE, ("59000", "59800"), "+33 3 53 01 0{digits}"): 1,
    City("Brussels", "Brussels", _BELGIUM, ("1000", "1050"), "+32 2 555 0{digits}"): 2,
    City("Amsterdam", "North Holland", _NETHERLANDS, ("1012 AB", "1017 BZ"), "+31 20 555 0{digits}"): 3,
    City("Rotterdam", "South Holland", _NETHERLANDS, ("3011 AA", "3012 KM"), "+31 10 555 0{digits}"): 1,
    City("Berlin", "Berlin", _GERMANY, ("10115", "10243", "10785"), "+49 30 23125{digits}"): 6,
    City("Munich", "Bavaria", _GERMANY, ("80331", "80469", "81667"), "+49 89 99998{digits}"): 6,
    City("Hamburg", "Hamburg", _GERMANY, ("20095", "20457"), "+49 40 66969{digits}"): 4,
    City("Cologne", "North Rhine-Westphalia", _GERMANY, ("50667", "50672"), "+49 221 4710{digits}"): 2,
    City("Frankfurt", "Hesse", _GERMANY, ("60311", "60325"), "+49 69 90009{digits}"): 3,
    City("Vienna", "Vienna", _AUSTRIA, ("1010", "1040", "1070"), "+43 1 555 0{digits}"): 2,
    City("Zurich", "Zurich", _SWITZERLAND, ("8001", "8005"), "+41 44 555 0{digits}"): 2,
    City("Copenhagen", "Capital Region", _DENMARK, ("1050", "1620", "2100"), "+45 33 55 50 {digits}"): 4,
    City("Stockholm", "Stockholm", _SWEDEN, ("111 20", "113 30"), "+46 8 555 0{digits}"): 2,
    City("Madrid", "Madrid", _SPAIN, ("28001", "28013"), "+34 91 555 0{digits}"): 2,
    City("Barcelona", "Catalonia", _SPAIN, ("08001", "08036"), "+34 93 555 0{digits}"): 2,
    City("Milan", "Lombardy", _ITALY, ("20121", "20124"), "+39 02 555 0{digits}"): 2,
    City("Warsaw", "Masovia", _POLAND, ("00-001", "00-110"), "+48 22 555 0{digits}"): 1,
}

CITIES = weighted(_WEIGHTS)
"""Cities, repeated by how many customers are there."""

HOME_CITIES = tuple(city for city in CITIES if city.country is _US)
"""Those of the country that the company is from."""
