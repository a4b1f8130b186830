"""What a policy's artifact says about itself, and the reading of a passport whose kind of model is not known yet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from deploy.errors import BadInput
from deploy.passport import Passport
from deploy.sealed_passport import SealedPassport, content_of, kind_of

POLICY_METADATA = "eyehand.policy"


class PolicyPassport(SealedPassport):
    """The passport of a policy's artifact; its parity is that against the framework that trained it.

    What the tensors mean stands in the model file itself, under `eyehand.policy`; here is a copy, for people and so
    that a file whose description was changed is told.

    Attributes:
        kind: `policy`.
        inputs: Shapes of the inputs by name, such as `1x10`.
        outputs: Shapes of the outputs by name.
        policy: What it reads and writes: names, units, times, limits.
    """

    KIND: ClassVar[str] = "policy"

    kind: Literal["policy"] = "policy"
    inputs: dict[str, str]
    outputs: dict[str, str]
    policy: dict[str, Any]

    def check_metadata(self, metadata: Mapping[str, str]) -> None:
        """Refuse a model that describes itself in another way.

        Args:
            metadata: What the model says about itself.

        Raises:
            BadInput: Naming the first entry that differs.
        """
        try:
            found = json.loads(metadata.get(POLICY_METADATA, "{}"))
        except ValueError:
            found = {}
        if found == self.policy:
            return
        said = found if isinstance(found, dict) else {}
        name = next(key for key in (*self.policy, *said, "content") if self.policy.get(key) != said.get(key))
        raise BadInput(
            f"the passport of {self.name} ({self.precision}) says {name} {self.policy.get(name)!r} and the model "
            f"itself says {said.get(name)!r}: make the artifact again"
        )


AnyPassport = Passport | PolicyPassport


def read_passport(path: Path) -> AnyPassport:
    """Read a passport of any kind.

    Raises:
        BadInput: If it is no passport, or was edited since it was written.
    """
    kind: type[AnyPassport] = PolicyPassport if kind_of(content_of(path)) == PolicyPassport.KIND else Passport
    return kind.read(path)


def as_detector(passport: AnyPassport | None, model: str) -> Passport | None:
    """The passport of a model that has to be a detector.

    Raises:
        BadInput: If the model is a policy.
    """
    if isinstance(passport, PolicyPassport):
        raise BadInput(f"model {model} is a policy, and a detector is needed here: name a detector's model")
    return passport


def as_policy(passport: AnyPassport | None, model: str) -> PolicyPassport | None:
    """The passport of a model that has to be a policy.

    Raises:
        BadInput: If the model is a detector.
    """
    if isinstance(passport, Passport):
        raise BadInput(f"model {model} is a detector, and a policy is needed here: name a policy's model")
    return passport
