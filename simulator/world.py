"""One seeded world: a Jenkins and a GitHub on one clock, behind one lock."""

import random
import threading

from simulator.github_world import GithubWorld
from simulator.jenkins_world import JenkinsWorld
from simulator.moments import Now
from simulator.server import wall_clock


class World:
    """`world.jenkins.job("team/api").build("FAILURE")`, `world.github.repo("acme/web").run("failure")`."""

    def __init__(self, seed: int = 0, now: Now = wall_clock) -> None:
        self.seed = seed
        self.now = now
        self.lock = threading.RLock()
        self.random = random.Random(seed)  # noqa: S311  (a story, not a secret)
        self.jenkins = JenkinsWorld(now=now, lock=self.lock, seed=seed)
        self.github = GithubWorld(now=now, lock=self.lock, seed=seed)
