"""Pictures of the simulated cell as a labelled set: for evaluation, on seeds that no training has seen."""

from __future__ import annotations

import math
import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import count, islice
from typing import Final, get_args

from deploy.errors import BadInput
from perception.evaluation.labelled import LabelledImage
from robot.sim.dataset import IMAGES_PER_SCENE, VARIED, Sample, scene_samples
from robot.sim.layout import CLASS_NAMES
from robot.sim.render import Renderer, RendererName, make_renderer
from robot.sim.scene import SceneParameters

DEFAULT_SEED: Final = 900_000
# Ranges of the scene, and the strength of the camera's effects.
DOMAINS: Final[dict[str, tuple[SceneParameters, float]]] = {"varied": (VARIED, 1.0), "task": (SceneParameters(), 0.3)}


class RenderedSet:
    """Rendered pictures with labels; each depends on the seed and its number only.

    An object that shows too little to be demanded is ignored (`Labels.clear`).

    Args:
        renderer: Who renders; a name takes one of its own for each iteration.
        images: Number of pictures.
        seed: Seed of the scenes; training sets use small ones.
        domain: `varied` is what detectors are trained on, `task` what an episode shows.
        processes: Worker processes, if the renderer is named.

    Raises:
        BadInput: If the number, the domain or the renderer's name is wrong.
    """

    def __init__(
        self,
        renderer: Renderer | RendererName = "auto",
        images: int = 300,
        seed: int = DEFAULT_SEED,
        domain: str = "varied",
        processes: int = 1,
    ) -> None:
        if images < 1:
            raise BadInput(f"set of {images} pictures: expected at least 1")
        if domain not in DOMAINS:
            raise BadInput(f"domain {domain!r}: expected {' or '.join(DOMAINS)}")
        if isinstance(renderer, str) and renderer not in get_args(RendererName):
            raise BadInput(f"renderer {renderer!r}: expected one of {', '.join(get_args(RendererName))}")
        self._renderer = renderer
        self._images, self._seed, self._domain, self._processes = images, seed, domain, processes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return CLASS_NAMES

    def __len__(self) -> int:
        return self._images

    def __iter__(self) -> Iterator[LabelledImage]:
        for number, sample in enumerate(self.samples()):
            yield labelled_image(sample, f"{number:06d}")

    def samples(self) -> Iterator[Sample]:
        """The pictures with all that is known of their labels, and depth."""
        scenes = self._scenes() if self._processes <= 1 else self._scenes_of_processes()
        return islice((sample for scene in scenes for sample in scene), self._images)

    def _scenes(self) -> Iterator[list[Sample]]:
        if isinstance(self._renderer, str):
            with _own(self._renderer) as renderer:
                yield from (self._scene(number, renderer) for number in count())
        else:
            yield from (self._scene(number, self._renderer) for number in count())

    def _scene(self, number: int, renderer: Renderer) -> list[Sample]:
        return _render(self._seed, number, min(IMAGES_PER_SCENE, self._images), renderer, self._domain)

    def _scenes_of_processes(self) -> Iterator[list[Sample]]:
        """Scenes in order, rendered a few ahead by processes of their own."""
        if not isinstance(self._renderer, str):
            raise BadInput("a renderer at hand cannot be shared by processes: name one")
        images = min(IMAGES_PER_SCENE, self._images)
        wanted = math.ceil(self._images / IMAGES_PER_SCENE)  # a scene may give fewer; then the next ones follow
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(self._processes, wanted), mp_context=context) as pool:
            ahead: deque[Future[list[Sample]]] = deque()
            submitted = 0
            try:
                while True:
                    while not ahead or (submitted < wanted and len(ahead) < 2 * self._processes):
                        ahead.append(pool.submit(_work, self._seed, submitted, images, self._renderer, self._domain))
                        submitted += 1
                    yield ahead.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def labelled_image(sample: Sample, name: str) -> LabelledImage:
    """A rendered picture as any other labelled one."""
    labels = sample.labels
    return LabelledImage(name, sample.image, labels.boxes, labels.class_ids, ignore=~labels.clear())


def _render(seed: int, scene: int, images: int, renderer: Renderer, domain: str) -> list[Sample]:
    parameters, strength = DOMAINS[domain]
    return scene_samples(seed, scene, images, renderer, parameters, strength)


@contextmanager
def _own(name: RendererName) -> Iterator[Renderer]:
    renderer = make_renderer(name)
    try:
        yield renderer
    finally:
        renderer.close()


_RENDERERS: dict[RendererName, Renderer] = {}


def _work(seed: int, scene: int, images: int, name: RendererName, domain: str) -> list[Sample]:
    """Render a scene in a process that keeps its renderer."""
    if name not in _RENDERERS:
        _RENDERERS[name] = make_renderer(name)
    return _render(seed, scene, images, _RENDERERS[name], domain)
