"""Middle: which C++ type, name and rule each shape gets, and which family owns it."""

import re

_KEYWORDS = set("""
alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const constexpr
continue decltype default delete do double else enum explicit export extern false float for friend goto if inline int
long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register requires
return short signed sizeof static struct switch template this throw true try typedef typename union unsigned using
virtual void volatile while xor xor_eq
""".split())

SCALARS = {
    "string": "std::string", "integer": "std::int32_t", "long": "std::int64_t", "double": "double",
    "float": "double", "boolean": "bool", "timestamp": "Timestamp", "blob": "std::string",
}


def snake(name: str) -> str:
    """thingName -> thing_name, caCertificatePem -> ca_certificate_pem, CACertificate -> ca_certificate."""
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text).replace("-", "_").lower()
    return text + "_" if text in _KEYWORDS else text


def pascal(name: str) -> str:
    return name[0].upper() + name[1:]


def constant(value: str) -> str:
    """TRUE_POSITIVE -> kTruePositive, in-cidr-set -> kInCidrSet."""
    words = [w for w in re.split(r"[^A-Za-z0-9]+", value) if w]
    return "k" + "".join(w.capitalize() if w.isupper() or w.islower() else pascal(w) for w in words)


def re2_pattern(pattern: str) -> str:
    """The model's patterns are Java's; RE2 lacks the names of the POSIX classes in braces."""
    names = {"Graph": "graph", "Upper": "upper", "Lower": "lower", "Digit": "digit", "Cntrl": "cntrl",
             "Alnum": "alnum", "Alpha": "alpha", "Print": "print", "Punct": "punct", "Blank": "blank",
             "Space": "space", "XDigit": "xdigit"}
    for java, posix in names.items():
        pattern = pattern.replace("\\p{%s}" % java, "[:%s:]" % posix)
    return pattern


class Types:
    """Types of one service."""

    def __init__(self, service):
        self.service = service
        self.shapes = service.shapes
        self._owner = self._assign_families()
        self.inputs = self._top_level("input")
        self.outputs = self._top_level("output")
        self.nested = self._nested()

    def _top_level(self, side):
        return {self.service.operations[op][side]["shape"] for op in self.service.offered()
                if side in self.service.operations[op]}

    def _nested(self):
        """Structures that others refer to."""
        found = set()
        for name in self._owner:
            for child in self.children(name):
                found.add(child)
        return found

    def children(self, name):
        shape = self.shapes[name]
        kind = shape["type"]
        if kind == "structure":
            return [m["shape"] for m in shape["members"].values()]
        if kind == "list":
            return [shape["member"]["shape"]]
        if kind == "map":
            return [shape["key"]["shape"], shape["value"]["shape"]]
        return []

    def reachable(self, roots):
        seen, todo = set(), list(roots)
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo.extend(self.children(name))
        return seen

    def roots(self, family):
        result = []
        for op in self.service.families[family]:
            for side in ("input", "output"):
                if side in self.service.operations[op]:
                    result.append(self.service.operations[op][side]["shape"])
        return result

    def _assign_families(self):
        """Each shape belongs to the family that uses it, or to `common` when several do."""
        users = {}
        for family in self.service.families:
            for name in self.reachable(self.roots(family)):
                users.setdefault(name, []).append(family)
        return {name: (families[0] if len(families) == 1 else "common") for name, families in users.items()}

    def owned(self, family):
        """Enums and structures of a family, each after what it consists of."""
        ordered, seen = [], set()

        def visit(name, trail):
            if name in trail:
                raise ValueError(f"{self.service.name}: shape {name} contains itself")
            if name in seen:
                return
            seen.add(name)
            for child in self.children(name):
                visit(child, trail | {name})
            if self._owner[name] == family and (self.is_enum(name) or self.is_struct(name)):
                ordered.append(name)

        for name in sorted(n for n, owner in self._owner.items() if owner == family):
            visit(name, frozenset())
        return ordered

    def families(self):
        """Families in the order of their dependence: common comes first, if there is any."""
        names = list(self.service.families)
        return (["common"] if "common" in self._owner.values() else []) + names

    def kind(self, name):
        return self.shapes[name]["type"]

    def is_enum(self, name):
        return self.kind(name) == "string" and "enum" in self.shapes[name]

    def is_struct(self, name):
        return self.kind(name) == "structure"

    def cpp(self, name):
        """C++ type of a shape."""
        shape, kind = self.shapes[name], self.kind(name)
        if self.is_enum(name) or kind == "structure":
            return pascal(name)
        if kind == "list":
            inner = self.cpp(shape["member"]["shape"])
            if inner == "bool":
                raise ValueError(f"{name}: std::vector<bool> is no container")
            return f"std::vector<{inner}>"
        if kind == "map":
            return f"std::map<{self.cpp(shape['key']['shape'])}, {self.cpp(shape['value']['shape'])}>"
        return SCALARS[kind]

    def required(self, name):
        return set(self.shapes[name].get("required", []))
