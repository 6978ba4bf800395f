"""The words that the sample company is made of. Mail addresses use .example, telephones the fictional 555 01xx."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class City:
    """A city with what an address there looks like. ``weight`` is how often it is chosen."""

    name: str
    region: str
    country: str
    postal_code: str
    prefix: str
    streets: tuple[str, ...]
    weight: int


_US = ("Main Street", "Pine Street", "Market Street", "Lake Avenue")
_UK = ("High Street", "Station Road", "Church Lane")
_DE = ("Hauptstraße", "Bahnhofstraße", "Lindenallee")
_FR = ("rue de la Gare", "avenue Victor Hugo", "rue des Lilas")
_DK = ("Hovedgaden", "Nørregade")

CITIES = (
    City("Seattle", "WA", "United States", "98101", "+1 206", _US, 14),
    City("Redmond", "WA", "United States", "98052", "+1 425", _US, 9),
    City("Bellevue", "WA", "United States", "98004", "+1 425", _US, 6),
    City("Portland", "OR", "United States", "97204", "+1 503", _US, 6),
    City("San Francisco", "CA", "United States", "94103", "+1 415", _US, 9),
    City("Denver", "CO", "United States", "80202", "+1 303", _US, 6),
    City("Chicago", "IL", "United States", "60602", "+1 312", _US, 9),
    City("New York", "NY", "United States", "10007", "+1 212", _US, 10),
    City("Boston", "MA", "United States", "02108", "+1 617", _US, 6),
    City("Toronto", "ON", "Canada", "M5H 2N2", "+1 416", _US, 6),
    City("London", "England", "United Kingdom", "EC1A 1BB", "+44 20", _UK, 10),
    City("Manchester", "England", "United Kingdom", "M1 1AE", "+44 161", _UK, 4),
    City("Paris", "Île-de-France", "France", "75002", "+33 1", _FR, 7),
    City("Lyon", "Auvergne-Rhône-Alpes", "France", "69002", "+33 4", _FR, 3),
    City("Berlin", "Berlin", "Germany", "10115", "+49 30", _DE, 7),
    City("Munich", "Bavaria", "Germany", "80331", "+49 89", _DE, 7),
    City("Hamburg", "Hamburg", "Germany", "20095", "+49 40", _DE, 4),
    City("Copenhagen", "Capital Region", "Denmark", "1050", "+45 33", _DK, 5),
)

KNOWN_COMPANIES = (
    "Fabrikam, Inc.",
    "Contoso Ltd",
    "Adatum Corporation",
    "Northwind Traders",
    "Litware, Inc.",
    "A. Datum",
    "Fourth Coffee (sample)",
    "Alpine Ski House",
    "Tailspin Toys",
    "Wide World Importers",
    "Trey Research",
    "Proseware, Inc.",
    "Coho Winery",
    "City Power & Light",
    "Blue Yonder Airlines",
    "Graphic Design Institute",
    "Humongous Insurance",
    "Lucerne Publishing",
    "Margie's Travel",
    "School of Fine Art",
    "Southridge Video",
    "The Phone Company",
    "VanArsdel, Ltd.",
    "Wingtip Toys",
    "Woodgrove Bank",
)

COMPANY_WORDS = (
    "Adler", "Birch", "Cascade", "Cedar", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Juniper", "Kestrel",
    "Larch", "Meridian", "Northgate", "Oakline", "Pinnacle", "Quarry", "Rainier", "Sable", "Tidewater", "Umber",
    "Vantage", "Westbrook", "Yarrow", "Zephyr",
)  # fmt: skip

COMPANY_KINDS = (
    "Logistics", "Foods", "Engineering", "Health", "Systems", "Textiles", "Energy", "Media", "Instruments",
    "Partners", "Retail", "Machinery",
)  # fmt: skip

FIRST_NAMES = (
    "Aisha", "Ana", "Anders", "Ben", "Camille", "Carlos", "Chloe", "Daniel", "Elena", "Emil", "Fatima", "Felix",
    "Grace", "Hana", "Henrik", "Ines", "Isaac", "Jana", "Jonas", "Julia", "Kenji", "Lars", "Laura", "Lina", "Luc",
    "Maria", "Marcus", "Mei", "Mia", "Nadia", "Nancy", "Noah", "Olga", "Omar", "Patricia", "Paul", "Priya",
    "Rachel", "Rafael", "Rui", "Samir", "Sara", "Sofia", "Stefan", "Tara", "Thomas", "Victor", "Yuki", "Yvonne",
    "Zoe",
)  # fmt: skip

LAST_NAMES = (
    "Andersen", "Bauer", "Becker", "Brown", "Campbell", "Chen", "Clark", "Costa", "Dubois", "Evans", "Fischer",
    "Garcia", "Haddad", "Hansen", "Hill", "Ito", "Jensen", "Johnson", "Kapoor", "Keller", "Khan", "Kim", "Lambert",
    "Larsen", "Lopez", "Martin", "Meyer", "Mitchell", "Moreau", "Nguyen", "Novak", "O'Neil", "Okafor", "Olsen",
    "Park", "Patel", "Petrov", "Price", "Reyes", "Rossi", "Roux", "Sato", "Schmidt", "Silva", "Singh", "Smith",
    "Tanaka", "Turner", "Weber", "Wright",
)  # fmt: skip

JOB_TITLES = (
    "Purchasing Manager", "Chief Executive Officer", "Chief Financial Officer", "IT Director", "Office Manager",
    "Operations Manager", "Head of Procurement", "Owner", "Project Manager", "Sales Director", "Plant Manager",
    "Systems Administrator",
)  # fmt: skip

PRODUCTS = (
    ("licences", 240.0, 20, 600),
    ("support hours", 130.0, 40, 400),
    ("training days", 1_400.0, 3, 40),
    ("espresso machines", 2_900.0, 2, 60),
    ("barcode scanners", 380.0, 10, 300),
    ("tablets", 520.0, 10, 250),
    ("consulting days", 1_600.0, 5, 90),
)
"""What is sold: name, price of one, fewest and most of them in a deal."""

STAGES = ("1-Qualify", "2-Develop", "3-Propose", "4-Close")
