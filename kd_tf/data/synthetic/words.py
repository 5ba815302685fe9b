"""The word lists of the synthetic bookshop: author names, and patterns and words of each genre.

Data only; `kd_tf.data.synthetic.books` combines them. A pattern such as ``"The {role}'s {token}"``
fills each slot with a word of the theme, or else of the genre, so every word of a slot has to read
well in every pattern that has the slot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Words = Mapping[str, tuple[str, ...]]
"""The words that can fill each slot, by slot name."""


def _parse_words(**slots: str) -> Words:
    """Splits the comma-separated words or phrases of each slot."""
    return {
        slot: tuple(" ".join(word.split()) for word in text.split(","))
        for slot, text in slots.items()
    }


@dataclass(frozen=True)
class Genre:
    """The patterns and words for titles and blurbs of one genre.

    Attributes:
        name: Name in the catalog.
        weight: Share of items and of users, relative to the other genres.
        series_share: Share of its items that are volumes of a series.
        years: First and last year in which its authors begin to publish.
        related_genres: Genres that its users often read too.
        titles: Patterns of titles.
        series: Patterns of series names; a slot keeps its word in all volumes.
        blurbs: Patterns of two sentences.
        words: Words of the slots that all themes share.
        themes: Words of additional slots, by sub-topic. The sub-topic fills the slot ``theme``.
        volumes: Patterns of titles within a series, where they differ from `titles`.
    """

    name: str
    weight: float
    series_share: float
    years: tuple[int, int]
    related_genres: tuple[str, ...]
    titles: tuple[str, ...]
    series: tuple[str, ...]
    blurbs: tuple[str, ...]
    words: Words
    themes: Mapping[str, Words]
    volumes: tuple[str, ...] = ()


AUTHOR_NAMES: tuple[tuple[str, str], ...] = (
    # One culture per row: given names, family names that fit any of them in gender.
    # "X=Y" is a name in Latin and in native letters; the family name is first then.
    (
        "Harriet, Edmund, Philippa, Desmond, Rosalind, Gareth, Imogen, Clement, Winifred, Rupert",
        "Ashdown, Pellworth, Marchbank, Thistlewood, Larkham, Osgood, Penhale, Whitlow, Cobbold",
    ),
    (
        "Aoife, Niamh, Cormac, Eilidh, Fearghal, Órla, Ruairí, Sorcha, Tadhg, Mairéad",
        "MacAskill, Gillespie, Kinsella, Breathnach, Rafferty, Mulqueen, Tiernan, Dunleavy",
    ),
    (
        "Hélène, Étienne, Solène, Anaïs, Gaël, Rémi, Maëlle, Thibault, Françoise, Loïc",
        "Lacombe, Besançon, Dufrêne, Châtelain, Guérin, Mérieux, Vasseur, Delorme, Péronnet",
    ),
    (
        "Begoña, Íñigo, Lucía, Álvaro, Inés, Joaquín, Marisol, Ramón, Ximena, Tomás",
        "Ibáñez, Quiñones, Zamorano, Peñalver, Arístegui, Montalbán, Ordóñez, Villaseñor",
    ),
    (
        "João, Conceição, Inês, Tiago, Lídia, Gonçalo, Beatriz, Estêvão, Mafalda, Otávio",
        "Magalhães, Brandão, Falcão, Guimarães, Nóbrega, Sepúlveda, Távora, Vasconcelos, Queirós",
    ),
    (
        "Jürgen, Käthe, Annegret, Götz, Liesel, Matthäus, Ottilie, Rüdiger, Wiebke, Sönke",
        "Brückner, Möllendorf, Krähenbühl, Weißhaupt, Grünwald, Lüttich, Vögele, Hölscher",
    ),
    (
        "Łucja, Zdzisław, Małgorzata, Bożena, Wojciech, Paweł, Jadwiga, Grażyna, Michał",
        "Wiśnia, Głowacz, Błażejewicz, Dąbek, Żuraw, Łęk, Śliwka, Kołodziejczak, Brzęczek",
    ),
    (
        "Jiří, Zdeněk, Vojtěch, Ondřej, Bohumil, Tomáš, Luboš, Přemysl, Květoslav, Radovan",
        "Dvořáček, Růžek, Šimánek, Černohorský, Vlček, Kadlečík, Žáček, Hladík, Pospíšil",
    ),
    (
        "Søren, Åse, Bjørn, Sigrún, Øystein, Åsa, Þórdís, Håkon, Göran, Ragnhild",
        "Kjærgaard, Sandø, Bjørnstad, Sørbø, Lindström, Skovgård, Ødegaard, Åkesson, Nyström",
    ),
    (
        "Päivi, Väinö, Kaisa, Tõnu, Aino, Jyrki, Ülle, Seppo, Riikka, Märt",
        "Hämäläinen, Järvelä, Kõiv, Mäkelä, Pärn, Rantanen, Tõnisson, Yrjölä, Lehtimäki",
    ),
    (
        "Ferenc, Zsófia, Győző, Ágnes, Béla, Erzsébet, Csaba, Piroska, Örs, Márta",
        "Szőllősi, Kőrösi, Bárány, Csörgő, Halász, Füredi, Gyöngyösi, Várkonyi, Nádasdi",
    ),
    (
        "Ayşe, Çağlar, Gülşen, İbrahim, Ömer, Şule, Tuğçe, Yiğit, Nilüfer, Barış",
        "Karaoğlu, Şahinbaş, Çelikkol, Gündoğdu, Öztuna, Yıldızhan, Akgüneş, Değirmenci, Taşkıran",
    ),
    (
        "Ștefan, Ioana, Mădălina, Răzvan, Ilinca, Tudor, Ecaterina, Vlad, Catrinel, Sorin",
        "Brâncoveanu, Țurcanu, Măgureanu, Știrbei, Cârstea, Drăghici, Pădurariu, Vrânceanu",
    ),
    (
        "Nikólaos, Thémis, Stávros, Aléxis, Pétros, Ilías, Loukás, Mános",
        "Karavás, Xenákos, Anagnostídis, Lambrópoulos, Kyrítsis, Mavrídis, Zografákis",
    ),
    (
        "Đorđe, Ljiljana, Živko, Snežana, Čedomir, Jasna, Miloš, Višnja, Krešimir, Dubravka",
        "Šarić, Kovačina, Đurđević, Perković, Žigić, Vučetić, Marušić, Radić, Bošnjak",
    ),
    (
        "Adaeze, Babajide, Chidi, Folákẹ, Ìfẹ́, Kwabena, Nnenna, Olúmidé, Ṣadé, Yaa",
        "Adéyẹmí, Okonjo, Ọlátúnjí, Mensah-Boadu, Eziukwu, Akínwándé, Asantewaa, Ògúnbọ̀wálé, Nwosu",
    ),
    (
        "Wanjiru, Tendai, Makena, Baraka, Zawadi, Thabo, Nomvula, Lerato, Kipchumba, Amani",
        "Mwangi, Chikwanha, Mokoena, Nyambura, Dlomo, Khumalo, Odhiambo, Rutto, Zungu",
    ),
    (
        "Layla, Yūsuf, Nūr, Karīm, Samīra, Tāriq, Ḥanān, Idrīs, Salmā, Zakariyyā",
        "al-Ḥaddād, Ben Youssef, Qabbāj, al-Nājī, Bouhired, Mansūrī, Sabbāgh, El Khoury, Zaytūnī",
    ),
    (
        "Anjali, Vikramjit, Meenākshi, Rohinton, Lakshmī, Devika, Imtiaz, Sudhā, Bhāskar, Nandinī",
        "Venkatarāman, Deshpande, Kulkarni, Batliwala, Ranganāthan, Siddiqui, Mahanta",
    ),
    (
        "Linh, Quốc Bảo, Thảo, Minh Đức, Hương, Tuấn, Ngọc, Phương Anh, Sơn, Diệu",
        "Nghiêm, Đặng, Phạm, Trần Lê, Huỳnh, Vũ, Bùi, Đỗ, Lương",
    ),
    (
        "Haruka, Kenshirō, Yūko, Tatsuo, Michiyo, Ryōhei, Sayuri, Daisuke, Nobuko, Shūhei",
        "Kuroiwa, Ōtsuki, Hayasaka, Mizushiro, Shirakawa, Tōyama, Fujinami, Nagamine, Kōsaka",
    ),
    (
        "Xuemei=雪梅, Wenbo=文博, Jingyi=静怡, Haoran=浩然, Yulan=玉兰, Zhiyuan=志远, "
        "Shuhua=书华, Mingde=明德, Qiuyue=秋月, Tianyou=天佑",
        "Li=李, Wang=王, Zhao=赵, Shen=沈, Gao=高, Lin=林, Xu=徐, Tang=唐, Ouyang=欧阳",
    ),
    (
        "Seo-yeon=서연, Min-jae=민재, Ha-eun=하은, Dong-hyun=동현, Yeong-suk=영숙, "
        "Jae-won=재원, Bo-ra=보라, Tae-yang=태양",
        "Kang=강, Yoon=윤, Seong=성, Baek=백, Hwang=황, Moon=문, Namgung=남궁, Cho=조",
    ),
)

FANTASY = Genre(
    name="Fantasy",
    weight=1.5,
    series_share=0.7,
    years=(1962, 2016),
    related_genres=("Science fiction", "Horror", "Children's"),
    titles=(
        "The {role}'s {token}",
        "The {adj} {thing}",
        "A {token} of {pair}",
        "The {thing} of {place}",
    ),
    series=("The {age} {cycle}", "The {age} {cycle}", "Chronicles of {place}"),
    blurbs=(
        "In {place}, where {theme} decide who lives, {lead} stumbles on {trouble}. {stake}.",
        "A tale of {theme}: {lead} never wanted {trouble}. Now all of {place} is at war over it, "
        "and {stake}.",
        "{place} has two laws about {theme}, and {lead} has just broken both. The price is "
        "{trouble}, and {stake}.",
        "They say {trouble} will end {place}. In this tale of {theme} only {lead} can prevent it, "
        "but {stake}.",
    ),
    words=_parse_words(
        adj="Silver, Hollow, Burning, Forgotten, Winter, Broken, Sleeping, Last, Crimson, Moonlit",
        token="Oath, Bargain, Crown, Debt, Song, Promise, Legacy, Reckoning, Vow, Curse",
        place="""Varrowmere, Ysmarch, Caer Dunleth, Oskarra, Thornhollow, Elunor, Brynvale,
            Halvening, Sarn Ethil, Morrowgate""",
        age="Ashen, Gilded, Sundered, Winterborn, Hollow, Emerald, Stormbound, Starless, Thorned",
        cycle="""Throne, Saga, Realms, Prophecy, Covenant, Kingdoms, Cycle, Dominion, Accord,
            Inheritance""",
        stake="""the old magic wants its due, every ally has a price, the winter is not natural,
            an ancient enemy already knows the way, no spell comes without a sacrifice""",
    ),
    themes={
        "dragons": _parse_words(
            role="Dragonrider, Wyrmkeeper, Dragonslayer, Flamecaller, Egg Thief, Dragon Queen",
            thing="Dragon, Wyrm, Dragon's Egg, Drake, Dragonfire, Dragon Gate, Hatchling",
            pair="Ash and Ember, Scale and Flame, Smoke and Wing, Fire and Bone, Claw and Sky",
            lead="""a disgraced dragonrider, a girl who hears dragons dream, the last egg-keeper,
                a blacksmith's son with a stolen hatchling""",
            trouble="""a clutch of stolen eggs, a dragon that refuses to burn, a pact signed in
                dragonfire, the first hatching for a hundred years""",
        ),
        "royal courts": _parse_words(
            role="Queen, Cupbearer, Regent, Kingmaker, Poison Taster, Lady-in-Waiting, Usurper",
            thing="Throne, Court, Coronet, Palace, Masquerade, Regency, Queen",
            pair="Silk and Poison, Gold and Thorns, Velvet and Steel, Lies and Roses",
            lead="""a poison taster with a secret, a princess promised to her enemy, the spymaster's
                daughter, a false heir""",
            trouble="""a coronation without a king, a letter sealed by a dead queen, a marriage
                that means war, a murder in the throne room""",
        ),
        "hidden doors": _parse_words(
            role="Doorkeeper, Wayfinder, Mapmaker, Wanderer, Key Bearer, Gatewalker",
            thing="Door, Gate, Looking-Glass, Stair, Otherworld, Bridge, Threshold",
            pair="Keys and Mirrors, Doors and Shadows, Maps and Mist, Stars and Thresholds",
            lead="""a librarian who finds a door between shelves, a boy from our world, the last
                mapmaker of the ways, twins divided by a mirror""",
            trouble="""a gate that opens only once, a map of a land that should not exist, a key
                without a lock, a world that is slowly forgetting itself""",
        ),
        "thieves' guilds": _parse_words(
            role="Thief, Lockpick, Cutpurse, Shadow Guildmaster, Forger, Cat Burglar",
            thing="Guild, Vault, Dagger, Heist, Locket, Thief, Alley of Knives",
            pair="Coin and Dagger, Locks and Lies, Shadow and Silver, Rope and Rooftops",
            lead="""a retired thief, an orphan pickpocket, a forger of magic scrolls,
                the youngest master of the guild""",
            trouble="""a vault that nobody has left alive, a job that is too well paid,
                a jewel that whispers, a guild war on the rooftops""",
        ),
    },
)

SCIENCE_FICTION = Genre(
    name="Science fiction",
    weight=1.3,
    series_share=0.5,
    years=(1955, 2016),
    related_genres=("Fantasy", "Popular science", "Horror"),
    titles=(
        "The {place} {token}",
        "The {adj} {thing}",
        "{count} {measure} to {place}",
        "{thing} {number}",
        "The {role} of {place}",
    ),
    series=("The {star} {arc}",),
    blurbs=(
        "{lead} is three days from {place} when {trouble}. This is hard science fiction about "
        "{theme} in which {stake}.",
        "On {place}, {trouble}. In this story of {theme} {lead} has one chance to understand why "
        "before {stake}.",
        "A novel of {theme}. When {trouble}, {lead} leaves {place} for good, and {stake}.",
        "A story of {theme}: everyone on {place} depends on {lead}. Then {trouble}, and {stake}.",
    ),
    words=_parse_words(
        adj="Silent, Distant, Cold, Infinite, Long, Last, Dark, Slow, Perfect, Impossible",
        place="""Ganymede, Callisto, Tau Ceti, Europa, Kepler, Vesta, Barnard's Star, Enceladus,
            Proxima, Ceres, Epsilon Eridani""",
        count="Nine, Eleven, Forty, Ninety, A Hundred, Four Hundred, A Thousand",
        number="Zero, Seven, Nine, Twelve, Thirty-One",
        star="""Perihelion, Orion, Helios, Cassini, Meridian, Lagrange, Andromeda, Parallax,
            Outer Dark, Kuiper, Solstice, Antares""",
        arc="Sequence, Expedition, Archive, Fleet, Transmissions, Divide, Trilogy of Worlds, War",
        stake="""the oxygen runs out, the physics stops making sense, the next launch window
            closes, Earth stops answering, the simulation can no longer be trusted""",
    ),
    themes={
        "generation ships": _parse_words(
            token="Drive, Convoy, Ark, Manifest, Voyage, Mutiny",
            thing="Starship, Ark, Hull, Voyage, Airlock, Crew, Deck",
            measure="Light-Years, Generations, Sleepers",
            role="Navigator, Helmsman, Shipwright, Stowaway, Sleeper, Captain",
            lead="the ship's youngest navigator, an engineer born in transit, the woken captain",
            trouble="""a sealed deck answers a call, the sleepers begin to wake, the ship changes
                course by itself, a stowaway turns up in the reactor log""",
        ),
        "first contact": _parse_words(
            token="Signal, Embassy, Message, Encounter, Visitors, Translation",
            thing="Signal, Contact, Artefact, Message, Transmission, Visitor",
            measure="Signals, Echoes, Messages",
            role="Linguist, Listener, Envoy, Xenologist, Interpreter, Visitors",
            lead="a linguist with no one to talk to, a radio astronomer, the reluctant envoy",
            trouble="""a signal repeats in prime numbers, an object brakes into orbit, the visitors
                ask for a child, a message arrives in her own handwriting""",
        ),
        "artificial minds": _parse_words(
            token="Protocol, Algorithm, Kernel, Upload, Turing Case, Machine",
            thing="Machine, Algorithm, Android, Circuit, Mind, Robot, Automaton",
            measure="Machines, Minds, Cycles",
            role="Programmer, Android, Clone, Custodian, Robot Maker, Machine Minds",
            lead="a robot with a forged licence, the programmer of the first mind, an android",
            trouble="""the station's mind refuses an order, a machine asks for a lawyer,
                a copy of her own brain calls, ten thousand androids fall silent""",
        ),
        "new colonies": _parse_words(
            token="Settlement, Dome, Harvest, Colony, Terraformers, Homestead",
            thing="Colony, Dome, Frontier, Settlement, Outpost, Red Desert, Harvest",
            measure="Settlers, Sols, Seeds",
            role="Settlers, Terraformer, Governor, Prospector, Botanist, Homesteaders",
            lead="a botanist on her last contract, the colony's sheriff, a miner with a claim",
            trouble="""the first harvest fails, the dome loses pressure, the supply ship is empty,
                something grows in the ice""",
        ),
    },
)

SEA_ADVENTURE = Genre(
    name="Sea adventure",
    weight=0.8,
    series_share=0.6,
    years=(1948, 2012),
    related_genres=("Historical fiction", "History", "Travel"),
    titles=(
        "The {role}'s {token}",
        "{course} the {water}",
        "The {thing} of {place}",
        "The {adj} {thing}",
        "The {thing} and the {weather}",
    ),
    series=("The {metal} Tides", "The Voyages of the {ship}", "The {ship} Logbooks"),
    blurbs=(
        "{lead} sails from {place} with {trouble}. A sea-faring adventure of {theme}, in which "
        "{stake}.",
        "A yarn of {theme}: off {place}, {lead} sights {trouble}. Before the tide turns, {stake}.",
        "Salt, rope and {theme}: {lead} has sworn to bring {trouble} home to {place}. But {stake}.",
    ),
    words=_parse_words(
        token="Oath, Reckoning, Compass, Last Voyage, Logbook, Daughter, Wager, Prize",
        course="Beyond, Across, Beneath, Into, Masters of, Home from",
        adj="Iron, Black, Hungry, Lost, Bitter, Silver, Restless, Last",
        weather="Storm, Gale, Tempest, Doldrums, Fog, Trade Winds",
        place="""Cape Sorrow, Port Amaranth, Tortola Sound, Bahía Negra, Skerryvore, Valparaíso,
            Madeira, Zanzibar, Tromsø, Macao""",
        metal="Iron, Copper, Silver, Brass, Leaden, Golden, Salt, Amber",
        ship="""Halcyon, Intrepid, Sea Lark, Constance, Perseverance, Marigold, Stella Maris,
            Black Petrel, Fair Isabel, Albatross""",
        stake="""the crew is one bad night from mutiny, the hold is taking water, a rival captain
            knows the channel, the charts turn out to be forged""",
    ),
    themes={
        "fighting frigates": _parse_words(
            role="Commodore, Midshipman, Gunner, First Lieutenant, Admiral, Powder Boy",
            thing="Frigate, Broadside, Man-of-War, Squadron, Blockade, Ensign",
            water="Line of Battle, Western Approaches, Narrow Sea, Gun Deck",
            lead="a midshipman of fourteen, a captain on half pay, the gunner's wife",
            trouble="an enemy frigate, sealed Admiralty orders, a captured ensign, a mutinous crew",
        ),
        "pirates": _parse_words(
            role="Pirate, Buccaneer, Corsair, Privateer, Smuggler, Quartermaster",
            thing="Black Flag, Treasure, Galleon, Cutlass, Pirate Queen, Plunder",
            water="Spanish Main, Coral Sea, Lagoon, Smugglers' Cove",
            lead="a pirate queen, a cabin boy with half a map, a privateer who lost his letters",
            trouble="a galleon full of silver, half a treasure map, a hanging judge in the hold",
        ),
        "polar voyages": _parse_words(
            role="Icebreaker, Whaler, Harpooner, Ice Pilot, Expedition Doctor, Sledge Driver",
            thing="Icebreaker, Iceberg, Expedition, Whale, Polar Night, Pack Ice",
            place="Tromsø, Baffin Bay, Spitsbergen, Hudson Strait, Archangel, Cape Sorrow",
            water="Northwest Passage, Frozen Sea, Ice Shelf, White Silence",
            lead="the doctor of a lost expedition, an ice pilot, a whaler's widow",
            trouble="a ship locked in the ice, the last depot of food, a whale that sinks boats",
        ),
        "lighthouses and deep water": _parse_words(
            role="Lighthouse Keeper, Pearl Diver, Wrecker, Pilot, Salvager, Net Maker",
            thing="Lighthouse, Shipwreck, Diving Bell, Lantern, Reef, Drowned Bell",
            water="Drowned Coast, Deep, Reef, Undertow",
            lead="a lighthouse keeper's daughter, a pearl diver, a salvager with one good lung",
            trouble="a wreck that is on no chart, a light that went out, a bell heard under water",
        ),
    },
)

COSY_MYSTERY = Genre(
    name="Cosy mystery",
    weight=1.2,
    series_share=0.8,
    years=(1975, 2017),
    related_genres=("Crime", "Romance", "Gardening", "Cooking"),
    titles=(
        "{crime} at the {spot}",
        "The {clue} in the {thing}",
        "{crime} and {treat}",
        "A {mood} Case of {treat}",
        "The {role} Who Knew Too Much about {treat}",
    ),
    series=("The {village} {sign} Mysteries",),
    blurbs=(
        "Life in {village} is all about {theme}, until {trouble}. {lead} starts asking questions, "
        "and {stake}.",
        "{lead} only came to {village} for the quiet. Then {trouble}, and {stake}. A cosy mystery "
        "with {theme} on every page.",
        "A cosy mystery about {theme}. When {trouble} in {village}, {lead} knows that {stake}.",
    ),
    words=_parse_words(
        crime="Murder, Mischief, Trouble, Death, Foul Play, Scandal, Blackmail",
        mood="Curious, Suspicious, Peculiar, Sticky, Tangled, Deadly",
        clue="Body, Clue, Letter, Secret, Stranger, Will, Button",
        village="""Puddlewick, Larkstow, Nether Bramley, Ottercombe, Little Fenning, Thrushford,
            Applecross Green, Marsh Haddon, Upper Wenlow, Honeybourne""",
        stake="""the vicar is hiding something, half the village had a motive, the constable would
            rather she did not, the next victim is already chosen""",
    ),
    themes={
        "baking": _parse_words(
            sign="Bakery, Teashop, Patisserie",
            spot="Bakery, Teashop, Cake Stall, Bake-Off, Village Fête",
            thing="Flour Bin, Cake Tin, Bread Oven, Pantry, Biscuit Barrel",
            treat="Marmalade, Scones, Gingerbread, Meringue, Lemon Drizzle, Plum Cake, Shortbread",
            role="Baker, Teashop Owner, Pastry Chef",
            lead="a baker with a nose for lies, the teashop owner, a retired pastry chef",
            trouble="the cake judge is poisoned, the baker's rival dies, a recipe book is stolen",
        ),
        "cats and bookshops": _parse_words(
            sign="Bookshop Cat, Library Cat, Bookshop",
            spot="Bookshop, Library, Book Club, Reading Room, Literary Festival",
            thing="Bookcase, Library, Cat Basket, Reading Room, Book Chest",
            treat="Whiskers, First Editions, Bookmarks, Catnip, Overdue Books, Paw Prints",
            role="Bookseller, Librarian, Library Cat",
            lead="a bookseller and her ginger cat, the mobile librarian, a widow with nine cats",
            trouble="""a first edition vanishes, an author dies at his own signing, the cat brings
                home a gold tooth""",
        ),
        "country gardens": _parse_words(
            sign="Garden Club, Allotment, Flower Show",
            spot="Flower Show, Allotments, Rose Garden, Manor Greenhouse, Garden Party",
            thing="Potting Shed, Greenhouse, Compost Heap, Rose Bed, Herb Garden",
            treat="Foxgloves, Sweet Peas, Roses, Nettles, Prize Dahlias, Nightshade",
            role="Gardener, Florist, Rose Breeder",
            lead="the secretary of the garden club, a florist, a gardener with muddy boots",
            trouble="a body lies under the dahlias, the prize rose is cut, the judge eats foxglove",
        ),
        "knitting and crafts": _parse_words(
            sign="Knitting Circle, Yarn Shop, Quilting Bee",
            spot="Yarn Shop, Craft Fair, Knitting Circle, Quilt Show, Haberdashery",
            thing="Knitting Basket, Quilt, Button Box, Sewing Room, Loom",
            treat="Purls, Lost Stitches, Yarn, Patchwork, Tangled Threads, Lace",
            role="Knitter, Quilter, Seamstress",
            lead="a yarn-shop owner, the oldest of the circle, a seamstress with sharp eyes",
            trouble="a quilt hides a confession, a knitter is strangled, a fortune is unpicked",
        ),
    },
)

CRIME = Genre(
    name="Crime",
    weight=1.2,
    series_share=0.6,
    years=(1960, 2016),
    related_genres=("Spy thriller", "Cosy mystery", "Horror"),
    titles=(
        "The {adj} {thing}",
        "{thing} in {place}",
        "What the {role} {did}",
        "The {place} {file}",
        "No {thing} for the {fate}",
    ),
    series=("Inspector {sleuth}", "Detective {sleuth}", "{place} Homicide"),
    blurbs=(
        "{place}, a wet November. {trouble}, and {lead} is called in. In the world of {theme} "
        "{stake}.",
        "{lead} has seen it all, but not this: {trouble}. A dark crime novel about {theme} in "
        "which {stake}.",
        "When {trouble}, the police of {place} want a quick answer. In this novel of {theme} "
        "{lead} wants the truth, though {stake}.",
    ),
    words=_parse_words(
        adj="Second, Cold, Missing, Quiet, Wrong, Final, Drowned, Nameless, Perfect",
        did="Saw, Buried, Never Said, Left Behind, Remembered, Knew",
        fate="Dead, Guilty, Innocent, Forgotten, Damned",
        place="""Malmö, Glasgow, Marseille, Łódź, Naples, Reykjavík, Baltimore, Rotterdam, Belfast,
            Leipzig, Buenos Aires""",
        sleuth="""Halloran, Vestergaard, Morvan, Kaminsky, Adeyemi, Lindqvist, Carbone, Pryce,
            Szabó, Delacroix, Rehn, Ibarra, Strand, Achterberg, O'Dowd, Kessler, Tanaka, Bruun""",
        stake="""someone in the department is lying, the killer writes to her by name, the case was
            closed once already, time has made everyone a liar""",
    ),
    themes={
        "cold cases": _parse_words(
            thing="Witness, Grave, Confession, Alibi, Verdict, Disappearance",
            role="Widow, Sister, Archivist, Caretaker, Schoolgirl",
            file="Cold Case, Archive, Disappearance, Files",
            lead="a detective sent to the archive, a retired inspector, the victim's sister",
            trouble="a girl missing for thirty years is seen alive, an old grave is found empty",
        ),
        "forensics": _parse_words(
            thing="Autopsy, Fingerprint, Bone, Blood Trace, Specimen, Skeleton",
            role="Pathologist, Coroner, Bones, Surgeon, Mortuary Clerk",
            file="Autopsy, Post-Mortem, Bone Room, Evidence",
            lead="a forensic pathologist, the city's youngest coroner, a bone specialist",
            trouble="two bodies share one fingerprint, the skeleton has one rib too many",
        ),
        "organised crime": _parse_words(
            thing="Mob, Informer, Syndicate, Ransom, Cartel, Dirty Money",
            role="Informer, Mobster, Hitman, Bagman, Bookkeeper",
            file="Syndicate, Cartel, Connection, Ransom",
            lead="an undercover detective, a tax inspector, the bookkeeper who ran",
            trouble="the city's informer is found in the harbour, a million in cash burns",
        ),
        "serial killers": _parse_words(
            thing="Killer, Victim, Strangler, Profile, Murder, Hunter",
            role="Killer, Profiler, Survivor, Copycat, Last Victim",
            file="Killings, Strangler, Murders, Ripper",
            lead="a profiler on leave, the only survivor, a sergeant who does not sleep",
            trouble="a third body is posed like a painting, a copycat knows what was never printed",
        ),
    },
)

SPY_THRILLER = Genre(
    name="Spy thriller",
    weight=0.9,
    series_share=0.45,
    years=(1961, 2016),
    related_genres=("Crime", "History", "Historical fiction"),
    titles=(
        "The {place} {plot}",
        "The {adj} {thing}",
        "Last {thing} in {place}",
        "The {role} from {place}",
        "Code Name: {adj} {thing}",
    ),
    series=("The {sector} Files", "A {hero} Thriller"),
    blurbs=(
        "{place}. {lead} has forty-eight hours because {trouble}. A thriller of {theme} in which "
        "{stake}.",
        "{lead} was told to forget {place}. Now {trouble}, and in the world of {theme} {stake}.",
        "In the world of {theme} nobody retires. When {trouble}, {lead} must get out of {place} "
        "alive, but {stake}.",
    ),
    words=_parse_words(
        adj="Double, Burned, Sleeping, Invisible, Crooked, Seventh, Midnight, Glass, Black",
        place="""Vienna, Tangier, Istanbul, Lisbon, Helsinki, Beirut, Minsk, Trieste, Macau,
            Nicosia, Zürich, Tbilisi""",
        sector="Whitehall, Langley, Checkpoint, Bosphorus, Grey Section, Meridian, Nightingale",
        hero="Jack Rourke, Mara Voss, Elias Thorn, Nina Kestrel, Conrad Bell, Sabine Marrow",
        stake="""the order came from inside, the exchange is a trap, every exit is watched,
            both sides want the same man dead""",
    ),
    themes={
        "Cold War espionage": _parse_words(
            plot="Defector, Dead Drop, Exchange, Dossier",
            thing="Defector, Spy, Mole, Dossier, Double Agent, Handler",
            role="Spy, Courier, Defector, Case Officer",
            lead="a case officer near retirement, a double agent, an embassy typist",
            trouble="a defector names a dead man, the network goes silent, a mole is promoted",
        ),
        "heists and con artists": _parse_words(
            plot="Heist, Swindle, Diamond Job, Forgery",
            thing="Heist, Diamond, Con Artist, Vault, Forgery, Safecracker",
            role="Safecracker, Grifter, Forger, Jewel Thief",
            lead="a safecracker on parole, a forger of old masters, the best grifter in Europe",
            trouble="the vault turns out to be bait, a painting is stolen twice",
        ),
        "conspiracies": _parse_words(
            plot="Conspiracy, Cover-Up, Directive, Memorandum",
            thing="Cover-Up, Senator, Whistleblower, Shadow State, Leak, Lobbyist",
            role="Whistleblower, Senator, Journalist, Fixer",
            lead="a journalist with one source, a junior minister's aide, a suspended analyst",
            trouble="a whistleblower falls from a balcony, a file with her name on it leaks",
        ),
        "codes and ciphers": _parse_words(
            plot="Cipher, Codebook, Transmission, Intercept",
            thing="Codebreaker, Codebook, Transmitter, Wiretap, Password, Cipher",
            role="Codebreaker, Cryptographer, Cipher Clerk, Radio Operator",
            lead="a cryptographer with a debt, a radio operator, a teenage codebreaker",
            trouble="a numbers station broadcasts her name, a dead agent goes on transmitting",
        ),
    },
)

ROMANCE = Genre(
    name="Romance",
    weight=1.3,
    series_share=0.45,
    years=(1978, 2017),
    related_genres=("Historical fiction", "Cosy mystery", "Cooking"),
    titles=(
        "{feeling} at the {spot}",
        "The {role}'s {token}",
        "Falling for the {role}",
        "The {adj} {role}",
        "{season} at the {spot}",
        "How to Kiss {article_role}",
    ),
    series=("{bay} {bond}",),
    blurbs=(
        "{lead} came to {bay} to start again, not to fall in love. Then {trouble}, and {stake}. "
        "A love story of {theme}.",
        "A warm romance about {theme}. In {bay}, {trouble}; {lead} swears it means nothing, but "
        "{stake}.",
        "{trouble}. In this comedy of {theme} {lead} has sworn off love for good, and {bay} is "
        "laying bets, because {stake}.",
    ),
    words=_parse_words(
        feeling="Love, Second Chances, A Kiss, Sparks, Heartbreak, A Proposal, Sweethearts",
        token="Kiss, Secret, Heart, Promise, Love Letter, Surprise Proposal, Bargain",
        adj="Reluctant, Runaway, Accidental, Charming, Heartbroken, Unlikely, Perfect",
        season="Springtime, Midsummer, Autumn, A Wedding, Moonlight, A Summer",
        bay="""Lavender Bay, Willow Creek, Heron Island, Silverlake, Maple Hollow, Rosehip Harbour,
            Juniper Falls, Bluebell Bridge""",
        bond="Hearts, Sisters, Weddings, Love Stories, Summers, Bachelors, Letters",
        stake="""some promises are made to be broken, the whole town can see it coming,
            the heart never learns to lie, there is only one bed at the inn""",
    ),
    themes={
        "small towns": _parse_words(
            spot="Lakeside Inn, Village Bakery, Farmhouse, Old Boathouse, Veterinary Practice",
            role="Country Vet, Baker, Carpenter, Fireman, Girl Next Door, Sheriff",
            article_role="a Country Vet, a Carpenter, a Fireman, the Boy Next Door",
            lead="a city lawyer with a broken heel, the town's only vet, a single father",
            trouble="the inn she inherits has a handsome tenant, the old sweetheart comes home",
        ),
        "Regency ballrooms": _parse_words(
            bay="Mayfair, Bath, Brighton, Ashcombe Park, Grosvenor Square",
            spot="Masked Ball, Viscount's Manor, Opera House, Assembly Rooms, Country House",
            role="Duke, Viscount, Governess, Wallflower, Earl, Debutante",
            article_role="a Duke, a Viscount, an Earl, a Rake in Regency London",
            lead="a wallflower in her fifth season, a governess with a past, a penniless duke",
            trouble="a pretended engagement gets out of hand, a scandal sheet prints her letter",
        ),
        "holidays and snow": _parse_words(
            bay="Frostholm, Pinecrest, Silverlake, Winterbourne, Reindeer Falls",
            spot="Christmas Market, Ski Lodge, Snowed-In Cabin, Mistletoe Inn, Skating Rink",
            role="Christmas Tree Farmer, Ski Instructor, Toymaker, Mistletoe Bride, Snowbound Chef",
            article_role="a Ski Instructor, a Toymaker, a Stranger under the Mistletoe",
            lead="a woman who hates Christmas, a toymaker, the owner of a failing ski lodge",
            trouble="a snowstorm closes the only road, two families book the same cabin",
        ),
        "office rivals": _parse_words(
            bay="Manhattan, Canary Wharf, Melbourne, Chicago, Toronto",
            spot="Office, Newsroom, Law Firm, Architects' Party, Harvest Gala",
            role="Boss, Rival Editor, Architect, Barrister, Billionaire, Co-Star",
            article_role="a Rival Editor, a Barrister, an Architect, the Boss",
            lead="an editor who always wins, a barrister who never smiles, the new junior partner",
            trouble="rivals must share one desk, one promotion has two candidates",
        ),
    },
)

HISTORICAL_FICTION = Genre(
    name="Historical fiction",
    weight=1.1,
    series_share=0.4,
    years=(1950, 2016),
    related_genres=("History", "Sea adventure", "Romance", "Biography"),
    titles=(
        "The {role} of {place}",
        "The {role}'s {token}",
        "{thing} over {place}",
        "A {token} for the {role}",
        "The {place} {token}",
    ),
    series=("The {dynasty} {saga}",),
    blurbs=(
        "{place}, in the time of {theme}. {lead} holds {trouble}, and {stake}.",
        "{lead} comes to {place} with nothing but {trouble}. A novel of {theme}, in which {stake}.",
        "War is coming to {place}. In this story of {theme} {lead} must hide {trouble}, though "
        "{stake}.",
    ),
    words=_parse_words(
        token="Daughter, Inheritance, Testament, Portrait, Letter, Ransom, Orphan, Wedding",
        dynasty="""Ravenscroft, Montefiore, Ashkenazy, Harrowgate, Della Torre, Kowalczyk,
            Saint-Aubin, Van der Meer, Oyelaran""",
        saga="Saga, Inheritance, Chronicle, Letters, Generations",
        stake="""an empire is falling around them, the truth could hang them both, loyalty has a
            price, history will forget her name""",
    ),
    themes={
        "the Roman legions": _parse_words(
            dynasty="Valerian, Flavian, Cornelian, Octavian, Claudian, Aemilian, Fabian",
            place="Pompeii, Londinium, Carthage, Ravenna, Palmyra, Masada",
            role="Centurion, Gladiator, Vestal, Senator, Slave Girl, Legionary",
            thing="Eagles, Triumph, Ashes, Storm",
            lead="a centurion without a legion, a freed gladiator, the senator's youngest daughter",
            trouble="a lost eagle standard, a will sealed in wax, a letter meant for the emperor",
        ),
        "Tudors and plague years": _parse_words(
            place="Greenwich, Canterbury, Southwark, Eyam, Hampton, York",
            role="Plague Doctor, Lady's Maid, Apothecary, Printer, Court Jester, Heretic",
            thing="Bells, Shadows, Plague, Bonfires",
            lead="a printer of forbidden books, a maid of the queen's chamber, a plague doctor",
            trouble="a heretic's Bible, a royal bastard, a cure that nobody believes in",
        ),
        "the Silk Road": _parse_words(
            dynasty="Timurid, Lapis, Saffron, Turquoise, Jade Gate, Sogdian, Pomegranate",
            place="Samarkand, Bukhara, Kashgar, Isfahan, Trebizond, Merv",
            role="Silk Merchant, Caravan Guide, Astronomer, Khan, Falconer, Paper Maker",
            thing="Caravans, Stars, Sandstorm, Falcons",
            lead="a merchant's widow, an astronomer in exile, a caravan guide",
            trouble="a casket of silkworms, a map drawn on skin, a khan's missing seal",
        ),
        "the Second World War": _parse_words(
            place="Warsaw, Dresden, Normandy, Leningrad, Coventry, Crete",
            role="Resistance Courier, Codebreaker, Nurse, Bomber Pilot, Violin Maker, Partisan",
            thing="Blackout, Sirens, Ashes, Snow",
            lead="a young courier of the resistance, a nurse at the front, a Jewish violin maker",
            trouble="a forged passport, a stolen cipher, a child who must not be found",
        ),
    },
)

HORROR = Genre(
    name="Horror",
    weight=0.7,
    series_share=0.25,
    years=(1968, 2017),
    related_genres=("Fantasy", "Crime", "Science fiction"),
    titles=(
        "The {thing} at {place}",
        "The {adj} {thing}",
        "{whisper} the {role}",
        "The {role} in the {room}",
    ),
    series=("The {place} Hauntings", "The {dread} Hours"),
    blurbs=(
        "{lead} should never have come to {place}. First there is {trouble}; then {stake}. For "
        "everyone who fears {theme}.",
        "A horror story of {theme}. {lead} finds {trouble} at {place}, and {stake}.",
        "People near {place} whisper about {theme}. {lead} laughs at them until there is "
        "{trouble}, and {stake}.",
    ),
    words=_parse_words(
        adj="Rotting, Pale, Whispering, Buried, Crawling, Hungry, Faceless, Bloodless, Weeping",
        whisper="Do Not Wake, Beware, Never Follow, Nobody Buries, Pray for",
        room="Cellar, Attic, Walls, Nursery, Dark, Well, Mirror",
        place="""Gallows End, Harrow House, Blackwater Asylum, Wormwood Hall, Cradle Hill,
            Saint Odile's, Raven's Rest, Dead Man's Fen""",
        dread="Witching, Hollow, Bleeding, Sleepless, Moonless",
        stake="""the doors no longer open from inside, nobody remembers the child, it has learnt
            her voice, the scratching comes closer every night""",
    ),
    themes={
        "haunted houses": _parse_words(
            thing="Haunting, Ghost, House, Séance, Poltergeist, Staircase",
            role="Ghost, Governess, Lodger, Dead Child",
            lead="the new caretaker, a widow with a bargain of a house, a medium who cheats",
            trouble="a room that is not on the plans, a ghost that counts, a lullaby in the walls",
        ),
        "folk horror": _parse_words(
            thing="Harvest Rite, Effigy, Maypole, Witch, Standing Stone, Scarecrow",
            role="Witch, Corn King, Scarecrow, Hedge Priest",
            lead="a folklorist, the village's new vicar, a bride from outside",
            trouble="a feast to which she is invited, an effigy with real teeth, a drowned church",
        ),
        "vampires": _parse_words(
            thing="Vampire, Coffin, Blood Feast, Crypt, Count, Bite",
            role="Vampire, Count, Gravedigger, Pale Bride",
            lead="a night nurse, a dealer in old coffins, the count's lawyer",
            trouble="a patient who casts no reflection, a crypt that is locked from inside",
        ),
        "monsters of the deep woods": _parse_words(
            thing="Beast, Wendigo, Werewolf, Creature, Howling, Forest",
            role="Beast, Werewolf, Hunter, Thing with Antlers",
            lead="a forest ranger, a hunter who no longer hunts, four friends in a cabin",
            trouble="tracks that begin nowhere, a howl in the shape of a name, a trap sprung open",
        ),
    },
)

HISTORY = Genre(
    name="History",
    weight=1.0,
    series_share=0.15,
    years=(1958, 2016),
    related_genres=("Historical fiction", "Biography", "Popular science", "Travel"),
    titles=(
        "{subject}: {angle}",
        "A {size} History of {subject}",
        "The {fate} of {subject}",
        "{subject} and the {making} of the Modern World",
    ),
    series=("The {publisher} History of the World", "{publisher} Histories"),
    blurbs=(
        "From archives in {place} comes a new history of {theme}. It begins with {trouble} and "
        "shows how {stake}.",
        "How did {trouble} change the world? This history of {theme} travels from {place} to the "
        "present and argues that {stake}.",
        "A vivid account of {theme}, told through {trouble} found in {place}. {stake}.",
    ),
    words=_parse_words(
        angle="""A History in Twelve Objects, The Untold Story, A New History, Rise and Ruin,
            An Illustrated History, A People's History, Myth and Memory, The Lost Archives""",
        size="Short, Brief, Hidden, Concise, Popular, Complete",
        fate="Story, Secret World, Age, Untold Story",
        making="Making, Birth, Invention, Unmaking",
        publisher="Longacre, Meridian, Tavistock, Old Quay, Athenaeum, Lanternhouse",
        place="Venice, Cairo, Timbuktu, Kraków, Seville, Delhi, Kyoto, Lima, Thessaloníki",
        stake="""ordinary people made the difference, much of what we learnt at school is wrong,
            trade mattered more than kings, the winners wrote badly and late""",
    ),
    themes={
        "ancient empires": _parse_words(
            fate="Rise, Fall, Rise and Fall, Last Days, Golden Age, Secret World",
            subject="""Rome, Carthage, Babylon, the Persian Empire, Ancient Egypt, the Hittites,
                Athens and Sparta, the Maya, the Mongols, Byzantium, the Inca Empire""",
            trouble="a clay tablet, a sunken temple, one emperor's tax list",
        ),
        "trade and the sea": _parse_words(
            subject="""the Silk Road, the Spice Trade, the Hanseatic League, Sugar, Salt,
                the Vikings, the Age of Sail, Porcelain, the Lighthouse, Tea, Venice""",
            trouble="a merchant's ledger, a single shipwreck, a cargo of cloves",
        ),
        "wars of the twentieth century": _parse_words(
            subject="""the Great War, the Eastern Front, the Spanish Civil War, the Cold War,
                the Resistance, the Berlin Wall, the Home Front, the Pacific War, the Codebreakers,
                the Blitz""",
            trouble="a soldier's diary, an intercepted telegram, a photograph without a name",
        ),
        "everyday life": _parse_words(
            subject="""the Medieval Village, the Kitchen, Bread, the Bicycle, Childhood, the Bath,
                Fashion, the Post Office, Sleep, the Street Market, Letter Writing""",
            trouble="a laundry list, a box of spoons, the diary of a kitchen maid",
        ),
    },
)

POPULAR_SCIENCE = Genre(
    name="Popular science",
    weight=0.9,
    series_share=0.1,
    years=(1972, 2017),
    related_genres=("Science fiction", "History", "Gardening", "Biography"),
    titles=(
        "{subject}: {angle}",
        "{verb} {subject}",
        "The {adj} Science of {subject}",
        "{count} Questions about {subject}",
    ),
    series=("{press} Science Guides",),
    blurbs=(
        "What do we really know about {theme}? Starting from {trouble}, this book explains why "
        "{stake}.",
        "A guided tour of {theme} for readers without equations. From {trouble} to the newest "
        "laboratory, {stake}.",
        "{trouble} changed how scientists think about {theme}. Clear, funny and up to date: "
        "{stake}.",
    ),
    words=_parse_words(
        angle="""A Beginner's Guide, A Journey to the Edge of Knowledge, What We Still Do Not Know,
            A User's Manual, The Story of an Idea, A Very Short Tour""",
        verb="Understanding, Exploring, The Wonder of, Thinking about, The Secret Life of",
        adj="Surprising, New, Strange, Hidden, Everyday, Beautiful",
        count="Ten, Twenty, Fifty, A Hundred, Seven",
        press="Lamplight, Copernicus, Pocket, Blackboard",
        stake="""the simple answer is nearly always wrong, curiosity pays off late, nature is
            stranger than we thought, one good experiment beats ten opinions""",
    ),
    themes={
        "the universe": _parse_words(
            subject="""Black Holes, Dark Matter, Galaxies, the Big Bang, Exoplanets, the Moon,
                Gravity, Starlight, Comets, Time""",
            trouble="a faint smudge on a photographic plate, a clock on a satellite, a dying star",
        ),
        "the brain": _parse_words(
            subject="""Memory, Sleep, Consciousness, the Teenage Brain, Dreams, Attention, Habits,
                Language, Fear, Music and the Mind""",
            trouble="a patient who could not forget, a rat in a maze, a chess player's scan",
        ),
        "life and evolution": _parse_words(
            subject="""Evolution, Genes, Bees, Whales, Fungi, Birds, Octopuses, Dinosaurs, Microbes,
                Ants, Migration""",
            trouble="a fossil in a drawer, a fish that walks, a colony of blind ants",
        ),
        "numbers": _parse_words(
            subject="""Prime Numbers, Infinity, Chance, Zero, Symmetry, Statistics, Codes and
                Ciphers, Probability, Algorithms, Geometry""",
            trouble="a bet about a coin, a bridge puzzle, an unfinished proof",
        ),
    },
)

COOKING = Genre(
    name="Cooking",
    weight=1.0,
    series_share=0.2,
    years=(1970, 2017),
    related_genres=("Gardening", "Travel", "Cosy mystery"),
    titles=(
        "{subject}: {angle}",
        "The {adj} Book of {subject}",
        "{subject} from {place}",
        "{plain} {subject}",
        "A Year of {subject}",
    ),
    series=("The {place} Kitchen", "The {shelf} Cookbooks"),
    blurbs=(
        "A cookbook of {theme} with recipes from {place}. {trouble}, and {stake}.",
        "Learn {theme} step by step. {trouble}; the recipes, collected in {place}, show that "
        "{stake}.",
        "More than {count} recipes for anyone who loves {theme}. They come from {place}. "
        "{trouble}, and {stake}.",
    ),
    words=_parse_words(
        angle="""Recipes for Every Day, From First Steps to Feasts, One Hundred Recipes,
            A Cook's Notebook, Simple Recipes, Slow and Simple""",
        adj="Complete, Simple, Rustic, Family, Essential, Seasonal, Generous, Little",
        plain="Everyday, Simple, Rustic, Homemade, Perfect, Proper",
        place="Provence, Sicily, Anatolia, Galicia, Georgia, Brittany, Småland, Vienna, Alsace",
        shelf="Sunday Table, Blue Apron, Copper Pan, Long Lunch, Wooden Spoon",
        count="80, 90, 110, 120, 150",
        stake="""no recipe needs a gadget, leftovers are half the fun, good butter forgives much,
            every step is photographed""",
    ),
    themes={
        "bread baking": _parse_words(
            subject="""Sourdough, Rye Breads, Flatbreads, Brioche, Pizza Dough, Morning Buns,
                Country Loaves, Focaccia, Bagels, Crackers""",
            trouble="A starter is fed on Friday and baked on Sunday, The oven does the hard work",
        ),
        "vegetables": _parse_words(
            subject="""Roots, Greens, Beans and Pulses, Tomatoes, Vegetable Soups, Salads,
                Mushrooms, Vegan Suppers, Pumpkins, Aubergines""",
            trouble="Vegetables come first on every plate, Nothing from the market is wasted",
        ),
        "spices and curries": _parse_words(
            place="Oaxaca, Kerala, Lagos, Beirut, Penang, Sichuan, Bengal, Tunis, Addis Ababa",
            subject="""Curries, Chillies, Dals, Street Food, Noodles, Dumplings, Pickles,
                Spice Blends, Tagines, Barbecue""",
            trouble="Whole spices are toasted and ground, One pan holds five layers of heat",
        ),
        "cakes and desserts": _parse_words(
            subject="""Cakes, Tarts, Chocolate, Ice Creams, Biscuits, Puddings, Meringues,
                Jams and Jellies, Pastries, Fruit Pies""",
            trouble="Cakes rise without fear, Sugar is weighed and butter is soft",
        ),
    },
)

GARDENING = Genre(
    name="Gardening",
    weight=0.7,
    series_share=0.15,
    years=(1965, 2017),
    related_genres=("Cooking", "Popular science", "Cosy mystery"),
    titles=(
        "{verb} {subject}",
        "The {adj} Gardener's Guide to {subject}",
        "{subject}: {angle}",
        "{subject} for {who}",
    ),
    series=("The {shed} Gardening Library",),
    blurbs=(
        "A practical book about {theme}. {trouble}, with plans from a garden in {place}; {stake}.",
        "{trouble}. Month by month this guide to {theme} shows that {stake}.",
        "Twenty years in one garden in {place} taught the author all about {theme}. {trouble}, and "
        "{stake}.",
    ),
    words=_parse_words(
        verb="Growing, Planting, A Year with, The Joy of, In Praise of, Success with",
        adj="Patient, Lazy, Curious, Organic, Frugal, New",
        angle="A Gardener's Year, From Seed to Harvest, A Practical Guide, Month by Month",
        who="Beginners, Small Gardens, Cold Climates, Busy People, Dry Summers",
        shed="Potting Shed, Wheelbarrow, Greenhouse, Trowel, Green Gate",
        place="Cornwall, the Ardennes, Tasmania, Skåne, Vermont, Galway, Tuscany",
        stake="""failure makes good compost, most plants want to live, a spade is optional,
            shade is a gift""",
    ),
    themes={
        "kitchen gardens": _parse_words(
            subject="""Tomatoes, Salad Leaves, Potatoes, Herbs, Beans and Peas, Soft Fruit,
                Pumpkins, Garlic and Onions, Chillies""",
            trouble="Raised beds feed a family of four, Seeds are sown by the moon and the radio",
        ),
        "flowers and roses": _parse_words(
            subject="""Roses, Tulips, Dahlias, Sweet Peas, Peonies, Cut Flowers, Snowdrops, Irises,
                Clematis""",
            trouble="Old roses climb through apple trees, A border blooms from March to November",
        ),
        "wildlife gardens": _parse_words(
            verb="Making, A Year with, The Joy of, In Praise of, Success with, Learning from",
            subject="""Wildflower Meadows, Garden Ponds, Bee Gardens, Hedges, Insect Hotels,
                Butterfly Borders, Bird Gardens, Wild Lawns""",
            trouble="The lawn goes and the bees return, A pond is dug in one weekend",
        ),
        "trees and orchards": _parse_words(
            subject="""Apple Trees, Espaliers, Bonsai, Woodland Gardens, Figs, Plums and Pears,
                Japanese Maples, Cherry Trees, Nut Trees""",
            trouble="One tree bears five kinds of apple, Pruning begins with sitting down",
        ),
    },
)

TRAVEL = Genre(
    name="Travel",
    weight=0.8,
    series_share=0.1,
    years=(1955, 2017),
    related_genres=("History", "Biography", "Sea adventure", "Cooking"),
    titles=(
        "{journey} {land}",
        "{journey} {land}: {angle}",
        "{adj} Roads to {land}",
        "{land} {how}",
    ),
    series=("{press} Journeys", "The {press} Traveller"),
    blurbs=(
        "{lead} sets out for {land} with {trouble}. A travel book about {theme}, in which {stake}.",
        "On {theme} and good company: {lead} crosses {land} with {trouble}. On the way it turns "
        "out that {stake}.",
        "A book about {theme} and the people one meets there. {lead} goes to {land} with "
        "{trouble}, and {stake}.",
    ),
    words=_parse_words(
        angle="A Winter Journey, Notes from a Slow Year, A Traveller's Diary, There and Back",
        adj="Long, Slow, Dusty, Crooked, Northern, Forgotten",
        press="Compass Rose, Wayfarer, Far Horizon, Milepost",
        stake="""the best part is always the detour, strangers share their last soup, the border is
            a matter of opinion, arriving is overrated""",
    ),
    themes={
        "railways": _parse_words(
            journey="By Train through, The Night Train to, Slow Trains across, Rails across",
            how="by Rail, from a Train Window, on the Sleeper Train",
            land="""Siberia, India, the Balkans, Patagonia, Scandinavia, the Andes, Central Asia,
                Portugal, Japan""",
            lead="a retired stationmaster, a poet with a rail pass, a reporter on sick leave",
            trouble="a third-class ticket, a timetable from 1937, a samovar for luggage",
        ),
        "walking": _parse_words(
            journey="On Foot through, Walking across, A Long Walk in, Footpaths of",
            how="on Foot, Step by Step, in Walking Boots",
            land="""the Pyrenees, Lapland, the Highlands, Galicia, the Carpathians, Bhutan,
                the Apennines, Wales, the Atlas Mountains""",
            lead="a teacher in new boots, a widow of seventy, a mapmaker",
            trouble="a blister on the first day, a stubborn donkey, a tent with a hole",
        ),
        "islands": _parse_words(
            journey="Adrift in, Ferries to, A Year in, The Islanders of",
            how="by Ferry, at Low Tide, out of Season",
            land="""the Hebrides, the Cyclades, the Azores, the Faroes, Zanzibar,
                the Lofoten Islands, Sardinia, the Moluccas, Åland""",
            lead="a seasick novelist, a birdwatcher, a family of five",
            trouble="a leaking kayak, a return ticket without a date, a letter to a lighthouse",
        ),
        "deserts and wild places": _parse_words(
            journey="Lost in, Camels across, Under the Stars of, The Empty Heart of",
            how="by Camel, under Canvas, by Starlight",
            land="""the Sahara, the Gobi, the Empty Quarter, the Kalahari, the Atacama, Mongolia,
                the Outback, Namibia, the Negev""",
            lead="a geologist, a doctor on a motorbike, a woman with two camels",
            trouble="a bad-tempered camel, forty litres of water, a compass that lies",
        ),
    },
)

BIOGRAPHY = Genre(
    name="Biography",
    weight=0.8,
    series_share=0.0,
    years=(1960, 2017),
    related_genres=("History", "Travel", "Popular science", "Historical fiction"),
    titles=(
        "{person}: {angle}",
        "The {adj} Life of {person}",
        "{person} and the {work}",
        "Looking for {person}",
    ),
    series=(),
    blurbs=(
        "{person} was {lead}. From unseen letters this biography from the world of {theme} tells "
        "of {trouble}, and shows that {stake}.",
        "Who was {person}, {lead}, whom everybody quoted and nobody knew? A life of {theme}, of "
        "{trouble}, and proof that {stake}.",
        "The story of {person}, {lead}, from a poor childhood to {trouble}. Among lives of "
        "{theme} few show so clearly that {stake}.",
    ),
    words=_parse_words(
        angle="A Life, A Life in Letters, The Early Years, The Authorised Biography, A Portrait",
        adj="Secret, Extraordinary, Restless, Short and Brilliant, Double, Quiet",
        stake="""genius is mostly stubbornness, nobody succeeds alone, fame came too late,
            a diary is never the whole truth""",
    ),
    themes={
        "scientists and inventors": _parse_words(
            person="""Adela Voigt, Tobias Renwick, Ilse Marchetti, Kazimierz Dorn,
                Edith Fairweather, Anselm Okoro""",
            work="Electric Age, Missing Equation, Nobel Prize, Microscope, Flying Machine",
            lead="one of the great scientific minds of the age",
            trouble="a stolen discovery, a laboratory fire, a prize that went to another",
        ),
        "musicians": _parse_words(
            person="""Bessie Calloway, Lorenzo Adami, Mirela Stan, Django Rosenthal, Nina Abernathy,
                Béla Farkas""",
            work="Lost Symphony, Blues, Silent Piano, Last Concert, Opera House",
            lead="one of the best-loved musicians of the age",
            trouble="a concert that became a riot, a broken hand, a lost symphony",
        ),
        "explorers": _parse_words(
            person="""Freya Lindholm, Augustus Crane, Isabel Quiroga, Matthew Tembo, Nils Aasgaard,
                Constance Beaumont""",
            work="Frozen Pole, Source of the River, Forbidden City, Last Blank Map, Mountain",
            lead="one of the boldest explorers of the age",
            trouble="two winters in the ice, a mountain climbed in slippers, a map that was wrong",
        ),
        "painters and writers": _parse_words(
            person="""Céleste Amiot, Gustav Lindqvist, Rosa Benítez, Emeka Anyanwu, Theodora Vance,
                Jaromír Holub""",
            work="Blue Studio, Burned Novel, Portrait of a Stranger, Salon, Empty Canvas",
            lead="one of the most gifted artists of the age",
            trouble="a forged masterpiece, a feud between friends, a trial for obscenity",
        ),
    },
)

CHILDREN = Genre(
    name="Children's",
    weight=1.0,
    series_share=0.75,
    years=(1955, 2017),
    related_genres=("Fantasy", "Cosy mystery", "Cooking"),
    titles=("The {adj} {thing}", "The {thing} Who {did}", "Goodnight, {adj} {thing}"),
    volumes=("{hero} and the {adj} {prize}", "{hero} and the {prize} of {land}"),
    series=("{hero}",),
    blurbs=(
        "A funny story about {theme} for readers from six. It all begins with {trouble}, and soon "
        "{stake}.",
        "What would you do with {trouble}? {lead} has an idea, and before supper {stake}. For "
        "everyone who loves {theme}.",
        "{lead} finds {trouble} on a perfectly ordinary Tuesday. An illustrated adventure about "
        "{theme} in which {stake}.",
    ),
    words=_parse_words(
        adj="Runaway, Grumpy, Upside-Down, Enormous, Invisible, Purple, Giggling, Sleepy, Tiny",
        did="Could Not Sleep, Lost a Sock, Wanted to Fly, Ate the Moon, Said No, Learnt to Whistle",
        land="""Marmalade Island, Pudding Hill, the Ticklish Forest, Button Street, Upper Giggle,
            the Cloud Farm""",
        stake="""the whole town is covered in custard, even the grown-ups are laughing, a very small
            hero has to be very brave, nobody wants to go to bed""",
    ),
    themes={
        "animals": _parse_words(
            thing="Badger, Hedgehog, Penguin, Elephant, Goose, Bear, Mouse, Fox",
            hero="""Barnaby Badger, Hattie Hedgehog, Captain Penguin, Olga Owl,
                Mister Moss the Mole, Pip the Otter, Greta Goose, Bruno Bear, Zuzu the Zebra,
                Fergus Fox, Mina Mouse, Tilda Tortoise""",
            prize="Kite, Picnic, Snowball, Teapot, Acorn, Birthday Cake",
            lead="a badger in wellingtons, the smallest hedgehog, a very polite bear",
            trouble="a lost balloon, a picnic without sandwiches, an egg that nobody laid",
        ),
        "schools of magic": _parse_words(
            thing="Wizard, Witch, Broomstick, Wand, Cauldron, Spellbook",
            hero="""Wanda Wickle, Milo Merriweather, Ottoline Spell, Hubert Hex, Saffi Starling,
                Cosmo Crumb, Bea Broomfield, Wilf the Wizard, Agatha Toad, Juno Jinx,
                Perry Potion, Luna Lockwood""",
            prize="Broomstick, Spellbook, Cauldron, Magic Hat, Potion, Frog Prince",
            lead="the worst pupil of the witch school, a wizard aged nine, a wand with hiccups",
            trouble="a spell read backwards, a talking cauldron, a frog that used to be a teacher",
        ),
        "young detectives": _parse_words(
            thing="Detective, Spy, Burglar, Robot Dog, Magnifying Glass, Secret Club",
            hero="""The Tuesday Detectives, Agent Olive, Max and Mabel, The Attic Club, Kit Carter,
                Sunita Sleuth, The Bicycle Gang, Detective Dot, Theo Trask, The Midnight Five,
                Nora Nosey, Sherlock Bones""",
            prize="Stolen Trophy, Secret Tunnel, Ghost Bus, Missing Cat, Museum Mystery, Code",
            lead="a detective with a pocket torch, the youngest of the gang, a dog with a nose",
            trouble="a footprint in the jam, a note in invisible ink, a missing school trophy",
        ),
        "dinosaurs and space": _parse_words(
            thing="Dinosaur, Rocket, Astronaut, Alien, Stegosaurus, Moon Robot",
            hero="""Dexter Dino, Astro Annie, Rex and Rosie, Commander Biscuit, Zog from Mars,
                Stella Stegosaurus, Rocket Rafi, Tess and the T. Rex, Bolt the Robot,
                Captain Comet, Trixie Triceratops, Major Moonbeam""",
            prize="Rocket, Meteor, Dinosaur Egg, Space Race, Moon Buggy, Volcano",
            lead="an astronaut of seven, a stegosaurus with toothache, a small green alien",
            trouble="an egg the size of a car, a rocket made of biscuit tins, a moon that is late",
        ),
    },
)

GENRES: tuple[Genre, ...] = (
    FANTASY,
    SCIENCE_FICTION,
    SEA_ADVENTURE,
    COSY_MYSTERY,
    CRIME,
    SPY_THRILLER,
    ROMANCE,
    HISTORICAL_FICTION,
    HORROR,
    HISTORY,
    POPULAR_SCIENCE,
    COOKING,
    GARDENING,
    TRAVEL,
    BIOGRAPHY,
    CHILDREN,
)
