"""What cures each planted fault: edits after which two runs of the script are the same to the bit.

By them `test_causes_truth.py` proves that the lines of `cases.py` are the ones to blame.
"""

from __future__ import annotations

from typing import Final

Edit = tuple[str, str, str]
"""File, old text, new text."""

CURES: Final[dict[str, tuple[Edit, ...]]] = {
    "rng_torch_init": (("train.py", "    net = ", "    torch.manual_seed(1)\n    net = "),),
    "rng_numpy_collate": (
        ("train.py", "    random.seed(args.seed)", "    random.seed(args.seed)\n    np.random.seed(1)"),
    ),
    "rng_python_sampler": (("sampling.py", "random.shuffle(batches)", "random.Random(1).shuffle(batches)"),),
    "rng_sklearn_split": (("train.py", "test_size=0.2)", "test_size=0.2, random_state=SEED)"),),
    "rng_preserved": (("train.py", "    torch.manual_seed(19)", "    torch.manual_seed(19)\n    np.random.seed(19)"),),
    "rng_second_draw": (
        ("train.py", "    def forward(self, hidden):", "    def forward(self, hidden):\n        np.random.seed(1)"),
    ),
    "rng_mixed": (("train.py", "    torch.manual_seed(14)", "    torch.manual_seed(14)\n    np.random.seed(14)"),),
    "rng_explorer": (("explorer.py", "        self.memory = []", "        self.memory = []\n        random.seed(8)"),),
    "two_depths": (
        ("train.py", "torch.set_num_threads(8)", "torch.set_num_threads(1)"),
        ("train.py", "    torch.manual_seed(29)", "    torch.manual_seed(29)\n    np.random.seed(29)"),
    ),
    "two_generators": (
        ("train.py", "self.rng = np.random.default_rng()", "self.rng = np.random.default_rng(1)"),
        ("train.py", "self.sensor = np.random.default_rng()", "self.sensor = np.random.default_rng(2)"),
    ),
    "generator_default_rng": (("train.py", "np.random.default_rng()", "np.random.default_rng(1)"),),
    "generator_python_random": (("tasks.py", "random.Random()", "random.Random(1)"),),
    "generator_randomstate": (("layers.py", "np.random.RandomState()", "np.random.RandomState(1)"),),
    "generator_loader_seed": (("train.py", "order.seed()", "order.manual_seed(1)"),),
    "generator_torch_seed": (("setup.py", "torch.seed() % 2**32", "1"),),
    "generator_seed_sequence": (("train.py", "SeedSequence()", "SeedSequence(1)"),),
    "worker_clock_fork": (("frames.py", "int(time.time() * 1000) % 2**31 + number", "number"),),
    "worker_pid_spawn": (("words.py", "os.getpid() * 100 + worker_id", "worker_id"),),
    "worker_lazy_generator": (("stream.py", "np.random.default_rng()", "np.random.default_rng(torch.initial_seed())"),),
    "worker_fresh_seed": (("train.py", "    np.random.seed()", "    np.random.seed(torch.initial_seed() % 2**32)"),),
    "entropy_urandom_key": (("splitting.py", "os.urandom(16)", "bytes(16)"),),
    "entropy_secrets_negatives": (
        ("mining.py", "import secrets", "import random\n\nsecrets = random.Random(1)"),
        ("mining.py", "secrets.randbelow", "secrets.randrange"),
    ),
    "entropy_system_random": (
        ("net.py", "from random import SystemRandom", "from random import Random"),
        ("net.py", "flip = SystemRandom()", "flip = Random(1)"),
    ),
    "entropy_uuid": (("experiment.py", "default_factory=uuid.uuid4", "default=uuid.UUID(int=1)"),),
    "clock_seed": (("train.py", "int(time() * 1000) % 2**31", "1"),),
    "clock_datetime": (("customers.py", "datetime.now()", "datetime(2026, 1, 1)"),),
    "clock_burn_in": (("chain.py", "while time.perf_counter() < end", "for _ in range(1000)"),),
    "clock_annealing": (("schedule.py", "(tick() - self.start)", "0"),),
    "identity_pid_sampler": (("balance.py", "Random(os.getpid())", "Random(1)"),),
    "identity_object_set": (("stations.py", "frozenset(stations)", "stations"),),
    "identity_thread": (("train.py", "threading.get_ident()", "1"),),
    "hash_columns": (("encoding.py", "list(seen)", "sorted(seen)"),),
    "hash_feature": (("plays.py", "hash(parts)", '__import__("zlib").crc32(repr(parts).encode())'),),
    "hash_sampler": (("loading.py", "in kinds & waiting.keys():", "in sorted(kinds & waiting.keys()):"),),
    "hash_pop": (("lines.py", "stop = frontier.pop()", "stop = min(frontier)\n        frontier.remove(stop)"),),
    "listing_listdir": (("readings.py", "os.listdir(folder)", "sorted(os.listdir(folder))"),),
    "listing_glob": (("train.py", "glob.glob(pattern)", "sorted(glob.glob(pattern))"),),
    "listing_walk": (("tastings.py", "in os.walk(root)", "in sorted(os.walk(root))"),),
    "listing_iterdir": (("panels.py", "Path(folder).iterdir()", "sorted(Path(folder).iterdir())"),),
    "disk_checkpoint": (("train.py", "if os.path.isfile(WEIGHTS)", "if False"),),
    "disk_running_stats": (("normalize.py", "if self.path.exists()", "if False"),),
    "disk_feature_cache": (("features.py", "if os.path.exists(cache)", "if False"),),
    "disk_hard_examples": (("train.py", "if rows := hard.read()", "if rows := []"),),
    "disk_learning_rate": (("train.py", "float(LAST.read_text())", "default"),),
    "concurrency_as_completed": (("spectra.py", "in as_completed(jobs)", "in jobs"),),
    "concurrency_pool": (("train.py", "imap_unordered", "imap"),),
    "concurrency_queue": (
        ("prefetch.py", "            thread.start()", "            thread.start()\n            thread.join()"),
    ),
    "concurrency_shared_tensor": (
        ("counts.py", "        thread.start()", "        thread.start()\n        thread.join()"),
    ),
    "concurrency_shared_rng": (("simulate.py", "        t.start()", "        t.start()\n        t.join()"),),
    "memory_parameter": (("layers.py", "torch.empty(n_out))", "torch.zeros(n_out))"),),
    "memory_constructor": (("train.py", "torch.Tensor(ITEMS)", "torch.zeros(ITEMS)"),),
    "memory_accumulator": (("pooling.py", "torch.empty(", "torch.zeros("),),
    "memory_numpy": (("taps.py", "np.empty(", "np.zeros("),),
    "memory_cleaned": (("stations.py", "table = np.empty(", "table = np.zeros("),),
    "op_index_backward": (
        (
            "train.py",
            "torch.set_num_threads(8)",
            "torch.set_num_threads(8)\n    torch.use_deterministic_algorithms(True)",
        ),
    ),
    "op_splat": (
        (
            "train.py",
            "torch.set_num_threads(8)",
            "torch.set_num_threads(8)\n    torch.use_deterministic_algorithms(True)",
        ),
    ),
    "threads_loss": (
        ("train.py", "    torch.manual_seed(59)", "    torch.manual_seed(59)\n    torch.set_num_threads(1)"),
    ),
    "threads_normalize": (("train.py", "torch.manual_seed(67)", "torch.manual_seed(67)\ntorch.set_num_threads(1)"),),
    "workers_stream": (("train.py", "num_workers=args.workers", "num_workers=0"),),
    "workers_augment": (("plates.py", "torch.rand(1)", "torch.rand(1, generator=torch.Generator().manual_seed(n))"),),
    "environment_folder": (("settings.py", "zlib.crc32(os.getcwd().encode())", "1"),),
    "environment_project": (("train.py", "str(Path.cwd())", 'str("pipes")'),),
    "environment_temporary": (("shards.py", "hashlib.sha256(str(path).encode()).digest()", "path.name"),),
    "environment_timezone": (
        ("demand.py", "import datetime", "import datetime, timezone"),
        ("demand.py", "1800 * n)", "1800 * n, timezone.utc)"),
    ),
    "two_data": (
        ("recipes.py", "names = list(", "names = sorted("),
        ("recipes.py", "np.random.default_rng()", "np.random.default_rng(1)"),
    ),
    "two_stages": (
        ("train.py", "    torch.manual_seed(82)", "    torch.manual_seed(82)\n    random.seed(82)"),
        ("penalty.py", "(time.perf_counter() - self.begun)", "0"),
    ),
    "rng_initial_seed": (("train.py", "torch.initial_seed() % 2**32", "1"),),
    "entropy_program": (("train.py", "int(out.stdout)", "1"),),
    "clock_moment": (("train.py", 'np.datetime64("now", "s")', 'np.datetime64("2026-01-01", "s")'),),
    "clock_file_times": (("train.py", "os.path.getmtime(self.files[i])", "float(i)"),),
    "identity_key": (("train.py", "sorted(self.experts, key=id)", "self.experts"),),
    "identity_text": (("train.py", "repr(self).encode()", 'b"noise"'),),
    "identity_actor": (("train.py", "multiprocessing.current_process().pid", "1"),),
    "hash_fingerprint": (("settings.py", "default=list", "default=sorted"),),
    "hash_objects": (("train.py", "in roads[junction]", "in sorted(roads[junction], key=repr)"),),
    "disk_thresholds": (("store.py", "json.loads(path.read_text()) if path.exists() else default", "default"),),
    "disk_snapshots": (("snapshots.py", "if not names:", "if True:"),),
    "hash_key": (("train.py", "key=hash", "key=str"),),
    "disk_database": (("train.py", "default if row is None else row[0] * 0.5", "default"),),
    "concurrency_coroutines": (("train.py", "asyncio.as_completed(tasks)", "tasks"),),
    "concurrency_manager": (
        ("train.py", "maxsize=64", ""),
        ("train.py", "        w.start()", "        w.start()\n        w.join()"),
    ),
    "concurrency_inherited": (
        ("simulate.py", "    spot, vol, rate = option\n", "    spot, vol, rate = option\n    np.random.seed(1)\n"),
    ),
    "concurrency_level": (("waves.py", "np.float32(self.level.value)", "np.float32(0.5)"),),
    "concurrency_event": (("train.py", "not warm.passed()", "count < 500"),),
    "concurrency_processes": (("train.py", "        p.start()", "        p.start()\n        p.join()"),),
    "memory_masked": (("ratios.py", "where=income > 0)", "where=income > 0, out=np.zeros_like(debt))"),),
    "memory_worker": (("melodies.py", "torch.empty(", "torch.zeros("),),
    "memory_resize": (
        (
            "train.py",
            "self.store.resize_(2 * need, self.store.shape[1])",
            "self.store = torch.cat([self.store, torch.zeros(2 * need, self.store.shape[1])])",
        ),
    ),
    "unseen_database": (("store.py", "ORDER BY random()", "ORDER BY id"),),
    "unseen_buffer": (("train.py", "libc.getrandom(salt, len(salt), 0)", "salt[0] = 1"),),
}
