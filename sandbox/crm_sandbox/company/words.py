"""The words that the company's records are made of."""

from __future__ import annotations

from crm_sandbox.company.dice import weighted

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

STEMS = (
    "Acorn", "Adler", "Albion", "Alder", "Amber", "Anchor", "Apex", "Aquila", "Arbor", "Arcadia",
    "Argent", "Ashford", "Aspen", "Aster", "Atlas", "Aurora", "Avalon", "Axis", "Azure", "Badger",
    "Baltic", "Banyan", "Barley", "Basalt", "Bayview", "Beacon", "Beech", "Bellwether", "Birch",
    "Bison", "Blackthorn", "Bluebell", "Bluestone", "Bonsai", "Borealis", "Boulder", "Bramble",
    "Brightwater", "Bristlecone", "Buckeye", "Butte", "Calder", "Caldera", "Canopy", "Canyon",
    "Cardinal", "Caribou", "Carrick", "Cascade", "Castor", "Catalpa", "Cavalier", "Cedar", "Celtic",
    "Cinder", "Citadel", "Citrine", "Clarion", "Cliffside", "Clover", "Cobalt", "Comet", "Compass",
    "Condor", "Conifer", "Copper", "Coral", "Cornerstone", "Corona", "Coyote", "Crane", "Crestview",
    "Crown", "Crystal", "Cumulus", "Cypress", "Dahlia", "Dawson", "Delta", "Dogwood", "Dolomite",
    "Drift", "Dune", "Eastgate", "Ebony", "Echo", "Edelweiss", "Egret", "Elder", "Elmwood", "Ember",
    "Emerald", "Endeavor", "Equinox", "Evergreen", "Everest", "Fairview", "Falcon", "Fathom", "Fern",
    "Finch", "Firth", "Fjord", "Flint", "Foxglove", "Frontier", "Galena", "Garnet", "Gateway",
    "Gazelle", "Geyser", "Ginkgo", "Glacier", "Glenwood", "Goldfinch", "Granite", "Greenfield", "Grove",
    "Gullwing", "Halcyon", "Harbor", "Harrier", "Hawthorn", "Hazel", "Heather", "Helix", "Hemlock",
    "Heritage", "Heron", "Hickory", "Highland", "Holly", "Horizon", "Hyacinth", "Ibis", "Indigo",
    "Inland", "Iris", "Ironwood", "Islander", "Ivory", "Jade", "Jasper", "Juniper", "Jupiter",
    "Kestrel", "Keystone", "Kingfisher", "Kite", "Lagoon", "Lakeshore", "Lantern", "Larch", "Larkspur",
    "Laurel", "Lighthouse", "Lilac", "Linden", "Lodestar", "Lotus", "Lumen", "Lunar", "Lynx",
    "Magnolia", "Mallard", "Maple", "Marble", "Mariner", "Marlin", "Meadow", "Meridian", "Mesa",
    "Midland", "Millstone", "Mistral", "Monarch", "Moorland", "Mosaic", "Mulberry", "Nimbus", "Nordic",
    "Northgate", "Northstar", "Nova", "Oakline", "Obsidian", "Ocean", "Olive", "Onyx", "Opal", "Orbit",
    "Orchard", "Oriole", "Osprey", "Otter", "Pacific", "Palisade", "Paragon", "Parkway", "Pebble",
    "Pegasus", "Pelican", "Peregrine", "Petrel", "Pinnacle", "Pioneer", "Plover", "Polaris", "Poplar",
    "Prairie", "Primrose", "Prism", "Quarry", "Quartz", "Quill", "Rainier", "Rampart", "Raven",
    "Redstone", "Redwood", "Ridgeway", "Riverside", "Robin", "Rockport", "Rosewood", "Rowan", "Sable",
    "Saffron", "Sage", "Sandstone", "Sapphire", "Sequoia", "Sentinel", "Shoreline", "Sierra",
    "Silverlake", "Skylark", "Slate", "Solstice", "Sparrow", "Spruce", "Starling", "Sterling",
    "Stonegate", "Strand", "Summit", "Sunrise", "Swallow", "Sycamore", "Tamarack", "Tempest", "Terrace",
    "Thicket", "Thistle", "Tidewater", "Timber", "Topaz", "Torrent", "Trellis", "Trident", "Tundra",
    "Turquoise", "Umber", "Union", "Upland", "Vantage", "Verdant", "Vertex", "Vista", "Walnut",
    "Waterford", "Wayfarer", "Westbrook", "Westwind", "Wheatland", "Wildwood", "Willow", "Windward",
    "Woodland", "Wren", "Yarrow", "Yellowstone", "Zenith", "Zephyr",
)  # fmt: skip

SECONDS = (
    "Ridge", "Valley", "Point", "Bay", "Park", "Gate", "Hill", "Creek", "Bridge", "Field", "Stone",
    "Lane", "Crest", "Shore", "Brook", "Cove", "Glen", "Grove", "Heights", "Island", "Junction",
    "Landing", "Mill", "Mountain", "Pass", "Peak", "Pier", "Plains", "River", "Road", "Rock", "Run",
    "Springs", "Square", "Station", "Street", "Terrace", "Tower", "Trail", "View", "Village", "Way",
    "Wharf", "Wood", "Yard", "Spur", "Ford", "Reach", "Haven", "Falls", "Coast", "Harbour", "Lake",
    "Meadows", "Green", "Gardens", "Canyon", "Cross", "Lock", "Moor",
)  # fmt: skip

KINDS: tuple[tuple[str, int], ...] = (
    ("Logistics", 30), ("Foods", 17), ("Engineering", 12), ("Health", 11), ("Systems", 6), ("Textiles", 22),
    ("Energy", 31), ("Media", 3), ("Instruments", 12), ("Partners", 7), ("Retail", 25), ("Machinery", 12),
    ("Consulting", 7), ("Insurance", 20), ("Capital", 16), ("Design", 9), ("Builders", 5), ("Supply", 10),
    ("Freight", 30), ("Kitchens", 13), ("Clinics", 11), ("Software", 6), ("Motors", 32), ("Wholesale", 33),
    ("Printing", 3), ("Rentals", 15), ("Legal", 21), ("Dairy", 17), ("Farms", 2), ("Properties", 29),
    ("Services", 19), ("Robotics", 12), ("Pharma", 11), ("Packaging", 10), ("Chemicals", 18),
    ("Aerospace", 12),
    ("Education", 27), ("Hotels", 23), ("Outfitters", 14), ("Bakery", 13), ("Analytics", 6), ("Networks", 6),
    ("Furniture", 22), ("Optics", 12), ("Ceramics", 12), ("Shipping", 30), ("Water", 31), ("Brewing", 17),
    ("Accounting", 1), ("Brokers", 4), ("Electric", 28), ("Toys", 14),
)  # fmt: skip
"""What a company does, with the industry (industrycode) that it belongs to."""

JOB_TITLES: tuple[tuple[str, str], ...] = (
    ("Purchasing Manager", "Purchasing"),
    ("Chief Executive Officer", "Management"),
    ("Chief Financial Officer", "Finance"),
    ("IT Director", "IT"),
    ("Office Manager", "Administration"),
    ("Operations Manager", "Operations"),
    ("Head of Procurement", "Purchasing"),
    ("Owner", "Management"),
    ("Project Manager", "Operations"),
    ("Sales Director", "Sales"),
    ("Plant Manager", "Production"),
    ("Systems Administrator", "IT"),
    ("Buyer", "Purchasing"),
    ("Controller", "Finance"),
    ("Head of Training", "Human Resources"),
    ("Warehouse Manager", "Logistics"),
    ("Facilities Manager", "Administration"),
    ("Quality Manager", "Production"),
    ("Managing Director", "Management"),
    ("Executive Assistant", "Management"),
)
"""Job titles with their departments."""

OFFERS = (
    ("licences", 240.0, 20, 600),
    ("support hours", 130.0, 40, 400),
    ("training days", 1_400.0, 3, 40),
    ("espresso machines", 2_900.0, 2, 60),
    ("barcode scanners", 380.0, 10, 300),
    ("tablets", 520.0, 10, 250),
    ("consulting days", 1_600.0, 5, 90),
    ("label printers", 640.0, 4, 120),
    ("service contracts", 950.0, 5, 80),
    ("workstations", 1_850.0, 5, 140),
)
"""What is sold: name, price of one, fewest and most of them in a deal."""

PRODUCTS = (
    ("Licence, named user", 240.0), ("Licence, device", 310.0), ("Licence, server", 4_800.0),
    ("Support hour", 130.0), ("Support hour, out of hours", 210.0), ("Training day, on site", 1_400.0),
    ("Training day, online", 900.0), ("Consulting day", 1_600.0), ("Project management day", 1_750.0),
    ("Espresso machine, two groups", 2_900.0), ("Espresso machine, office", 1_150.0),
    ("Barcode scanner, handheld", 380.0), ("Barcode scanner, fixed", 720.0), ("Tablet, 10 inch", 520.0),
    ("Tablet, rugged", 980.0), ("Label printer", 640.0), ("Label printer, mobile", 560.0),
    ("Service contract, one year", 950.0), ("Workstation", 1_850.0), ("Docking station", 190.0),
)  # fmt: skip
"""The product list: name and price."""

STAGES = ("1-Qualify", "2-Develop", "3-Propose", "4-Close")

LEAD_SOURCES = weighted({1: 6, 2: 8, 3: 10, 4: 12, 5: 3, 6: 9, 7: 14, 8: 26, 9: 9, 10: 3})
"""Values of leadsourcecode, the web most often."""
