"""What our source takes from NVIDIA's modules, found in its syntax tree.

Values are followed from the modules through names, attributes, calls, arguments and results, with the result types that
the modules document themselves. So `config = builder.create_builder_config()` makes each `config.x` an
`IBuilderConfig.x`, also where `config` is handed to another function.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODULES = {"trt": "tensorrt", "rt": "cuda"}  # the names under which our source holds the modules
HOLDERS = {"trt": "tensorrt", "runtime": "cuda", "_rt": "cuda"}  # and the attributes
ALIASES = {"nvonnxparser::IParserError": "ParserError"}  # types that the documentation names in C++
FACTORY = "make"  # make(machine, "Builder", ...): an instance of the class of that name


@dataclass(frozen=True)
class Value:
    """Something of NVIDIA's: a dotted path within a module, or an instance of the class there."""

    module: str
    path: str = ""
    instance: bool = False

    def member(self, name: str) -> Value:
        return Value(self.module, f"{self.path}.{name}" if self.path else name)


@dataclass(frozen=True)
class Call:
    """A call: what is called, and with which arguments."""

    path: str
    positional: int
    keywords: tuple[str, ...]
    where: str


@dataclass
class Used:
    """What a source uses.

    Attributes:
        paths: Dotted names by module.
        calls: Calls by module.
        dynamic: Places where a name is not told by the source.
        unknown: Attributes of what could not be followed: name, and where.
    """

    paths: dict[str, set[str]] = field(default_factory=lambda: {"tensorrt": set(), "cuda": set()})
    calls: dict[str, set[Call]] = field(default_factory=lambda: {"tensorrt": set(), "cuda": set()})
    dynamic: set[str] = field(default_factory=set)
    unknown: dict[str, set[str]] = field(default_factory=dict)


def scan(files: Mapping[str, str], offered: Mapping[str, Any]) -> Used:
    """Look through source files.

    Args:
        files: Text by name.
        offered: What the module `tensorrt` offers, of `contract_probe`, for results of calls.
    """
    package = _Package(offered)
    trees = {name: ast.parse(text) for name, text in files.items()}
    for name, tree in trees.items():
        package.register(name, tree)
    for _ in range(8):  # arguments and results go through functions that call each other
        package.used = Used()
        before = package.known()
        for name, tree in trees.items():
            _Walker(package, name).module(tree)
        if package.known() == before:
            return package.used
    raise AssertionError("types of the source do not settle")


def read(folder: Path, leave_out: tuple[str, ...] = ("api.py",)) -> dict[str, str]:
    """The source files of a folder."""
    return {path.name: path.read_text() for path in sorted(folder.glob("*.py")) if path.name not in leave_out}


class _Package:
    """What is known of the functions of all files."""

    def __init__(self, offered: Mapping[str, Any]) -> None:
        self.offered = offered
        self.functions: dict[str, ast.FunctionDef] = {}
        self.arguments: dict[tuple[str, str], Value] = {}
        self.results: dict[str, tuple[Value | None, ...]] = {}
        self.attributes: dict[tuple[str, str], Value] = {}
        self.used = Used()

    def register(self, name: str, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                self.functions.setdefault(node.name, node)

    def known(self) -> tuple[int, int, int]:
        return len(self.arguments), len(self.results), len(self.attributes)

    def result(self, module: str, path: str) -> Value | None:
        """What a documented function gives, if it is one of the module's own classes."""
        if module != "tensorrt":
            return None
        for signature in self.offered.get(path, {}).get("signatures", []):
            kind = ALIASES.get(signature["result"], signature["result"].rpartition(".")[2])
            if self.offered.get(kind, {}).get("kind") == "type":
                return Value("tensorrt", kind, instance=True)
        return None


class _Walker:
    """Follows values through one file."""

    def __init__(self, package: _Package, name: str) -> None:
        self.package, self.name = package, name
        self.scopes: list[dict[str, Value]] = [{}]
        self.function: str | None = None

    def module(self, tree: ast.Module) -> None:
        self.body(tree.body)

    def body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.FunctionDef):
            self.define(node)
        elif isinstance(node, ast.ClassDef):
            self.subclass(node)
        elif isinstance(node, ast.Assign):
            self.assign(node.targets, node.value)
        elif isinstance(node, ast.AnnAssign):
            self.assign([node.target], node.value)
        elif isinstance(node, ast.Return):
            self.give(node.value)
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.stmt):
                    self.statement(child)
                elif isinstance(child, ast.expr):
                    self.value(child)
                else:
                    self.parts(child)

    def parts(self, node: ast.AST) -> None:
        """What stands inside an except clause, a with item or a case."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self.statement(child)
            elif isinstance(child, ast.expr):
                self.value(child)

    def define(self, node: ast.FunctionDef) -> None:
        known = self.package.arguments
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        scope = {one.arg: known[node.name, one.arg] for one in arguments if (node.name, one.arg) in known}
        self.scopes.append(scope)
        outer, self.function = self.function, node.name
        self.body(node.body)
        self.function = outer
        self.scopes.pop()

    def subclass(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            value = self.value(base)
            if value is not None:
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and f"{value.path}.{method.name}" in self.package.offered:
                        self.use(value.member(method.name), method)
        self.body(node.body)

    def assign(self, targets: list[ast.expr], source: ast.expr | None) -> None:
        if source is None:
            return
        if isinstance(source, ast.Tuple):
            values = tuple(self.value(part) for part in source.elts)
        elif isinstance(source, ast.Call) and (name := self.own(source)) is not None:
            self.value(source)
            values = self.package.results.get(name, ())
        else:
            values = (self.value(source),)
        for target in targets:
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            for index, part in enumerate(parts):
                self.bind(part, values[index] if index < len(values) else None)

    def bind(self, target: ast.expr, value: Value | None) -> None:
        if isinstance(target, ast.Name):
            if value is None:
                self.scopes[-1].pop(target.id, None)
            else:
                self.scopes[-1][target.id] = value
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value)
            if owner is not None:  # a property of NVIDIA's is set
                self.use(owner.member(target.attr), target)
            elif value is not None:
                self.package.attributes[self.name, target.attr] = value

    def give(self, node: ast.expr | None) -> None:
        if node is None:
            return
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        values = tuple(self.value(part) for part in parts)
        if self.function is not None and any(values):
            self.package.results[self.function] = values

    def value(self, node: ast.expr) -> Value | None:
        """What an expression is; everything in it is looked at."""
        if isinstance(node, ast.Name):
            for scope in reversed(self.scopes):
                if node.id in scope:
                    return scope[node.id]
            return Value(MODULES[node.id]) if node.id in MODULES else None
        if isinstance(node, ast.Attribute):
            return self.attribute(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            self.comprehension(node)
            return None
        if isinstance(node, ast.NamedExpr):
            value = self.value(node.value)
            self.bind(node.target, value)
            return value
        if isinstance(node, (ast.IfExp, ast.BoolOp)):
            choices = [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values
            if isinstance(node, ast.IfExp):
                self.value(node.test)
            return next(iter([found for found in map(self.value, choices) if found is not None]), None)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)
        return None

    def attribute(self, node: ast.Attribute) -> Value | None:
        owner = self.value(node.value)
        if owner is not None:
            if owner.path and not self.exists(owner, node.attr):
                return None  # of our own subclass
            return self.use(owner.member(node.attr), node)
        if (self.name, node.attr) in self.package.attributes:
            return self.package.attributes[self.name, node.attr]
        if node.attr in HOLDERS:
            return Value(HOLDERS[node.attr])
        self.package.used.unknown.setdefault(node.attr, set()).add(self.where(node))
        return None

    def exists(self, owner: Value, name: str) -> bool:
        ours = owner.instance and owner.path == "ILogger"  # our log has members of its own
        return not ours or f"{owner.path}.{name}" in self.package.offered

    def use(self, value: Value, node: ast.AST) -> Value | None:
        """Note a use, and say what a property gives."""
        self.package.used.paths[value.module].add(value.path)
        entry = self.package.offered.get(value.path, {})
        if value.module == "tensorrt" and entry.get("kind") == "property":
            return self.package.result(value.module, value.path)
        return value

    def call(self, node: ast.Call) -> Value | None:
        called = self.value(node.func)
        arguments = [self.value(part) for part in node.args]
        keywords = {part.arg or "**": self.value(part.value) for part in node.keywords}
        if isinstance(node.func, ast.Name) and node.func.id == "getattr" and arguments[0] is not None:
            literal = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
            if isinstance(literal, str):
                return self.use(arguments[0].member(literal), node)
            self.package.used.dynamic.add(f"{self.name}: {ast.unparse(node)}")
            return None
        if isinstance(node.func, ast.Name) and node.func.id == FACTORY and isinstance(node.args[1], ast.Constant):
            path = str(node.args[1].value)
            self.called("tensorrt", path, len(node.args) - 2, (), node)
            return Value("tensorrt", path, instance=True)
        if called is not None and called.path:
            self.called(called.module, called.path, len(arguments), tuple(keywords), node)
            if self.package.offered.get(called.path, {}).get("kind") == "type" and called.module == "tensorrt":
                return Value("tensorrt", called.path, instance=True)
            return self.package.result(called.module, called.path)
        if (name := self.own(node)) is not None:
            self.hand_over(self.package.functions[name], arguments, keywords)
            results = self.package.results.get(name, ())
            return results[0] if len(results) == 1 else None
        return None

    def own(self, node: ast.Call) -> str | None:
        """Name of the function of ours that is called."""
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            name = node.func.attr
        return name if name in self.package.functions and name != FACTORY else None

    def hand_over(
        self, function: ast.FunctionDef, arguments: list[Value | None], keywords: Mapping[str, Value | None]
    ) -> None:
        names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        if names[:1] == ["self"]:
            names = names[1:]
        for name, value in (*zip(names, arguments, strict=False), *keywords.items()):
            if value is not None:
                self.package.arguments[function.name, name] = value

    def called(self, module: str, path: str, count: int, keywords: tuple[str, ...], node: ast.AST) -> None:
        self.package.used.calls[module].add(Call(path, count, keywords, self.where(node)))

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        self.scopes.append({})
        for part in node.generators:
            self.value(part.iter)
            for condition in part.ifs:
                self.value(condition)
        for one in _elements(node):
            self.value(one)
        self.scopes.pop()

    def where(self, node: ast.AST) -> str:
        return f"{self.name}:{getattr(node, 'lineno', 0)}"


def _elements(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.DictComp):
        yield from (node.key, node.value)
    elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        yield node.elt
