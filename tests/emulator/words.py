"""Words that made-up people are made of: names in many scripts, firms, places, jobs, notes."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Script:
    """Given names and surnames of one script, each with its Latin spelling and, in Japanese, its reading."""

    given: tuple[tuple[str, str, str], ...]
    surnames: tuple[tuple[str, str, str], ...]
    surname_first: bool = False


def _names(text: str) -> tuple[tuple[str, str, str], ...]:
    """Names from `name:latin:reading` words; a missing spelling is the name itself in small letters."""
    triples = []
    for word in text.split():
        name, _, rest = word.partition(":")
        latin, _, reading = rest.partition(":")
        triples.append((name, latin or name.lower(), reading))
    return tuple(triples)


SCRIPTS: Final = (
    Script(
        _names(
            "Anna Ben Carla David Emma Frank Grace Henry Ida James Kate Louis Mary Noah Olga Paul Ruth Sam Tina Will"
        ),
        _names(
            "Adams Baker Clark Davies Evans Fischer Green Hughes Irving Jones King Lewis Moore Novak Owens Parker Smith"
        ),
    ),
    Script(
        _names("Zoë:zoe Jürgen:juergen François:francois Łukasz:lukasz Åsa:asa Søren:soren Iñaki:inaki Çağla:cagla"),
        _names("Müller:mueller Ångström:angstrom Nuñez:nunez Dvořák:dvorak Çelik:celik O'Brien:obrien Weiß:weiss"),
    ),
    Script(
        _names("Дмитрий:dmitri Ольга:olga Сергей:sergei Анна:anna Юрий:yuri Наталья:natalia"),
        _names("Иванов:ivanov Петрова:petrova Смирнов:smirnov Кузнецова:kuznetsova Шевченко:shevchenko"),
    ),
    Script(
        _names("Γιώργος:giorgos Ελένη:eleni Νίκος:nikos Σοφία:sofia"),
        _names("Παπαδόπουλος:papadopoulos Γεωργίου:georgiou Νικολάου:nikolaou"),
    ),
    Script(
        _names("محمد:mohamed فاطمة:fatima يوسف:yusuf ليلى:layla"), _names("الأحمد:alahmad حسن:hassan النجار:alnajjar")
    ),
    Script(_names("דוד:david שרה:sarah יעל:yael נועם:noam"), _names("כהן:cohen לוי:levi מזרחי:mizrahi")),
    Script(
        _names("伟:wei 芳:fang 秀英:xiuying 强:qiang"), _names("王:wang 李:li 张:zhang 陈:chen"), surname_first=True
    ),
    Script(
        _names("花子:hanako:はなこ 太郎:taro:たろう 健:ken:けん 美咲:misaki:みさき"),
        _names("山田:yamada:やまだ 佐藤:sato:さとう 鈴木:suzuki:すずき 高橋:takahashi:たかはし"),
        surname_first=True,
    ),
    Script(_names("민준:minjun 서연:seoyeon 지훈:jihun"), _names("김:kim 이:lee 박:park 최:choi"), surname_first=True),
    Script(_names("Robin🌟:robin Alex🎸:alex Sam🏔️:sam"), _names("Rivers Stone👩‍💻:stone Wood")),
)
COMPANIES: Final = (
    "Northwind Traders", "Fabrikam GmbH", "Litware, Inc.", "Añejo & Söhne", "Компания «Восток»", "東京商事株式会社",
    "Adventure Works", "Proseware", "Wide World Importers", "Τεχνική Α.Ε.", "شركة النور",
)  # fmt: skip
DOMAINS: Final = (
    "northwind.example",
    "fabrikam.example",
    "litware.example",
    "anejo.example",
    "vostok.example",
    "tokyo.example",
)
JOBS: Final = (
    "Engineer",
    "Head of Sales",
    "Buyer",
    "Geschäftsführerin",
    "Directeur général",
    "営業部長",
    "Менеджер",
    "CTO",
)
DEPARTMENTS: Final = ("Sales", "Einkauf", "R&D", "Finance", "Marketing / PR")
CITIES: Final = (
    ("Köln", "NRW", "50667", "Deutschland"), ("Zürich", "ZH", "8001", "Schweiz"), ("Reykjavík", "", "101", "Ísland"),
    ("São Paulo", "SP", "01310-100", "Brasil"), ("東京都", "千代田区", "100-0001", "日本"),
    ("New York", "NY", "10001", "USA"),
)  # fmt: skip
STREETS: Final = ("Hauptstraße", "Main St.", "Rue de l'Église", "Østergade", "Vía Láctea", "Bahnhofplatz")
CATEGORIES: Final = ("Customer", "Supplier", "Friends & family", "Fournisseur", "VIP ⭐")
NOTES: Final = (
    "Met at the trade fair.",
    "Prefers e-mail.\r\n\r\nNever calls back before noon.",
    "Paid in full;\r\nSyncId is what the other system calls the customer number.",
    "  two blanks at either end  ",
    "Likes 🍎.\r\nКофе без сахара.",
)
LEADING_BREAK_NOTE: Final = "\r\n\r\nWritten below an empty line.\r\n" + "A long story about a long journey. " * 12
