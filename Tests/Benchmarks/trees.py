"""The rows of dependency caches: a folder like node_modules, saved and restored by the client, and by tar and curl."""

import hashlib
import itertools
import os
import random
import stat

from servers import KIB, MIB, RowFailed, say
from table import Line, shown

TREE_NAMES = ["tree-save", "tree-save-changed", "tree-restore", "tree-restore-over"]
FILES, SIZE = 20_000, 200_000_000  # of a tree, in bytes
LARGE_FILES, LARGE_SIZES = 260, (50 * KIB, 2 * MIB)
SMALL_MEDIAN, SMALL_SIGMA, SMALL_SIZES = 1.6 * KIB, 1.1, (100, 48 * KIB)  # of a log-normal distribution
FILES_PER_PACKAGE, PROGRAMS = 25, 150
NOISE = 0.04  # so much of the files can't be compressed
CHANGED = FILES // 100
CHANGED_BYTES = 5.0  # percent of the tree that may be sent for them
SAVE, SAVE_CHANGED, RESTORE, RESTORE_OVER = 1.0, 0.25, 1.0, 0.3  # times what tar and curl take
PEER = "tar+curl"
WRITTEN = 512 * MIB  # more than client and server write in one timed run
ENDINGS = [".js"] * 10 + [".d.ts"] * 4 + [".js.map"] * 3 + [".json"] * 2 + [".md"]
FOLDERS = ["", "", "lib", "lib", "lib", "dist", "src", "lib/internal", "dist/esm", "dist/cjs/helpers", "src/util/types"]
LINES = [
    "export function {}({}, {}) {{", "    const {} = {}.{}({}, {{ {}: {} }});", "    if ({} === undefined) {{",
    "        throw new TypeError(`{} of ${{{}}} is no {}`);", "    return {}.{}.map(({}) => {}.{}({}));",
    "}}", "    }}",
    " * @param {{{}}} {} The {} of the {} that {} has.", "/** Returns the {} of {}, or {}. */", "",
    "import {{ {}, {} }} from '../{}/{}.js';", "        this.{} = {}.{} ?? {};", "    for (const {} of {}.{}()) {{",
    "exports.{} = {};", "    {}: {{ {}: '{}', {}: {} }},", "module.exports = {{ ...require('./{}'), {} }};",
]
TREE_KEY, CHANGED_KEY = "deps-first", "deps-changed"


class Text:
    """Text like that of programs, made from a seed, which gzip makes a third or a fourth of."""

    LENGTH = 4 * MIB

    def __init__(self, seed):
        random_ = random.Random(f"{seed} text")
        syllables = ["".join(pair) for pair in itertools.product("bcdfgklmnprstvw", "aeiou")]
        names = ["".join(random_.choices(syllables, k=random_.randint(1, 3))) for _ in range(1000)]
        names += [first + second.capitalize() for first, second in zip(names[:500], names[500:])]
        names += [f"{random_.randrange(1 << 20):x}" for _ in range(300)]
        pieces, length = [], 0
        while length < self.LENGTH:
            # What belongs together speaks of the same things.
            local = random_.sample(names, 120)
            weights = list(itertools.accumulate(1 / (rank + 4) for rank in range(len(local))))
            lines = random_.choices(LINES, k=400)
            words = iter(random_.choices(local, cum_weights=weights, k=6 * len(lines)))
            text = "\n".join(line.format(*itertools.islice(words, 6)) for line in lines) + "\n"
            pieces.append(text.encode())
            length += len(text)
        self.content = b"".join(pieces)

    def piece(self, random_, size):
        begin = random_.randrange(len(self.content) - size)
        return self.content[begin:begin + size]


class Tree:
    """A folder node_modules that is made from a seed: another seed gives other files, none of which are the same.

    Sizes are spread as in a real one: most files have 0.3 to 8 KiB, some hundred 50 KiB to 2 MiB. There are packages in
    packages, programs with links to them in .bin, and no two files are alike."""

    def __init__(self, folder, seed):
        self.folder, self.seed = folder, seed
        self.root, self.text = folder / "node_modules", Text(seed)
        random_ = random.Random(f"{seed} tree")
        self.files = dict(zip(self.paths(random_), self.sizes(random_)))
        self.noisy = {path for path in self.files if path.endswith((".png", ".wasm"))}
        for parent in {os.path.dirname(path) for path in self.files}:
            (self.root / parent).mkdir(parents=True, exist_ok=True)
        (self.root / ".bin").mkdir()
        for path, size in self.files.items():
            self.write(random_, path, size)
            if path.endswith("/bin/cli.js"):
                (self.root / path).chmod(0o755)
                name = path.removesuffix("/bin/cli.js").replace("/", "-")
                (self.root / ".bin" / name).symlink_to(f"../{path}")

    def paths(self, random_):
        """The paths of all files, without those of links."""
        packages = []
        for number in range(FILES // FILES_PER_PACKAGE):
            name = f"{random_.choice(['node', 'is', 'lib', 'core', 'babel'])}-{random_.randrange(1 << 24):06x}-{number}"
            if number % 5 == 4:
                name = f"@scope{number % 9}/{name}"
            if number % 7 == 6:
                name = f"{random_.choice(packages)}/node_modules/{name}"
            packages.append(name)
        yield from (f"{package}/package.json" for package in packages)
        yield from (f"{package}/bin/cli.js" for package in packages[:PROGRAMS])
        shares = list(itertools.accumulate(random_.paretovariate(1.2) for _ in packages))
        folders = {package: random_.choices(FOLDERS, k=3) for package in packages}
        for number in range(FILES - len(packages) - PROGRAMS):
            package = random_.choices(packages, cum_weights=shares)[0]
            ending = random_.choice([".png", ".wasm"] if random_.random() < NOISE else ENDINGS)
            name = f"{random_.choice(['index', 'util', 'parse', 'type'])}-{number}{ending}"
            yield os.path.join(package, random_.choice(folders[package]), name)

    def sizes(self, random_):
        """The sizes of all files, in no order, which are SIZE together."""
        small = [int(min(max(random_.lognormvariate(0, SMALL_SIGMA) * SMALL_MEDIAN, SMALL_SIZES[0]), SMALL_SIZES[1]))
                 for _ in range(FILES - LARGE_FILES)]
        low, high = LARGE_SIZES
        large = [low * (high / low) ** random_.random() for _ in range(LARGE_FILES)]
        factor = (SIZE - sum(small)) / sum(large)
        large = [int(size * factor) for size in large]
        large[0] += SIZE - sum(small) - sum(large)
        sizes = small + large
        random_.shuffle(sizes)
        return sizes

    def write(self, random_, path, size):
        if path in self.noisy:
            content = random_.randbytes(size)
        else:
            content = (f"// {path} {random_.randrange(1 << 64):x}\n".encode() + self.text.piece(random_, size))[:size]
        with open(self.root / path, "wb", buffering=0) as file:
            file.write(content)

    def change(self, number):
        """Writes new contents of the same sizes into one of a hundred files, others for every number."""
        random_ = random.Random(f"{self.seed} change {number}")
        for path in random_.sample(list(self.files), CHANGED):
            self.write(random_, path, self.files[path])


def described(root, times=True):
    """All that is in a folder, by path: what it is, its mode, its time of change (of files), and its contents."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                content = (os.readlink(path),)
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb", buffering=0) as file:
                    content = (status.st_mtime_ns if times else None, hashlib.sha256(file.read()).digest())
            else:
                content = ()
            found[os.path.relpath(path, root)] = (oct(status.st_mode), *content)
    return found


def check_same(wanted, found, whose):
    """Compares what described() gave."""
    if wanted == found:
        return
    paths = [path for path in sorted(wanted.keys() | found.keys()) if wanted.get(path) != found.get(path)]
    raise RowFailed(f"{whose} tree differs in {len(paths):,} places, at {paths[0]}: {found.get(paths[0])} where"
                    f" {wanted.get(paths[0])} was wanted")


class TreeRows:
    """The part of Benchmark that is about dependency caches."""

    stored_tree = None  # that of the rows that restore

    def tree(self, name):
        """A new tree with new contents."""
        folder = self.new_folder(f"tree-{name}")
        return Tree(folder, f"{self.options.seed} {folder.name}")

    def cache(self, row, verb, key, folder, home):
        """Saves the tree in a folder under a key, or restores it there; the outcome."""
        outcome = self.client(row, folder, home, "cache", verb, "--key", key, "--path", "node_modules",
                              "--repo", "bench", "--strict")
        wanted = "saved" if verb == "save" else "exact"
        if outcome.answer().get("outcome") != wanted:
            raise RowFailed(f"cache {verb} of {key} says something else than {wanted}: {outcome.output[:300]}")
        return outcome

    def archive_url(self, name):
        """Where the server takes any bytes under a name: the address of its WebDAV."""
        return f"http://{self.jobs_server().authority}/sccache/bench-archives/{name}.tar.gz"

    def pack(self, folder, name):
        return self.shell(folder, "tar cz node_modules | curl -sS -f -T - -o /dev/null \"$1\"", self.archive_url(name))

    def unpack(self, folder, name):
        return self.shell(folder, "curl -sS -f \"$1\" | tar xz", self.archive_url(name))

    def tree_row(self, line, measure, more=()):
        """Runs measure(run, contender) in turn for the client and for tar and curl."""
        if not self.needs_larder([line, *more]):
            return False
        with self.server_watched(self.row):
            self.alternate(line, {"larder": "larder", PEER: PEER}, measure)
        self.lines += more
        return True

    # Saving

    def tree_save(self):
        trees, line = [], Line(f"save, {FILES:,} files, all new", "s", [(PEER, SAVE)], at_most=True)

        def measure(run, contender):
            if run == len(trees):
                trees.append(self.tree("save"))
            tree, key = trees[run], f"save-{run}"
            home = self.new_folder("home")
            self.settle(WRITTEN, tree.folder)
            if contender == PEER:
                return self.pack(tree.folder, key)
            return self.cache(self.row, "save", key, tree.folder, home).seconds

        self.tree_row(line, measure)

    def tree_save_changed(self):
        line = Line(f"save, {CHANGED:,} of them changed", "s", [(PEER, SAVE_CHANGED)], at_most=True)
        sent = Line("save, changed, sent of the tree", "%", limit=CHANGED_BYTES)
        told, trees = [], []

        def measure(run, contender):
            if not trees:
                trees.append((self.tree("changed"), self.new_folder("home")))
                self.cache(self.row, "save", "changed", trees[0][0].folder, trees[0][1])
            tree, home = trees[0]
            if contender == PEER:
                self.settle(WRITTEN, tree.folder)
                return self.pack(tree.folder, f"changed-{run}")
            tree.change(run)
            self.settle(WRITTEN, tree.folder, home)
            before = self.received_bytes()
            outcome = self.cache(self.row, "save", f"changed-{run}", tree.folder, home)
            received = self.received_bytes() - before
            if received <= 0:
                raise RowFailed("the server's metrics tell of no bytes received")
            told.append((received, outcome.answer().get("transferredBytes")))
            sent.figures.setdefault("larder", []).append(100 * received / SIZE)
            return outcome.seconds

        if self.tree_row(line, measure, [sent]):
            sent.note = "received by the server (client's own count): " + ", ".join(
                f"{received / 1e6:.1f} MB ({'none' if own is None else f'{own / 1e6:.1f}'})" for received, own in told)

    # Restoring

    def stored(self):
        """A tree that is in the store, as a cache under TREE_KEY and as an archive, and with one of a hundred files
        changed as a cache under CHANGED_KEY; what is in it then and then."""
        if self.stored_tree is None:
            tree, home = self.tree("stored"), self.new_folder("home")
            self.cache(self.row, "save", TREE_KEY, tree.folder, home)
            seconds = self.pack(tree.folder, TREE_KEY)
            first = described(tree.root)
            tree.change(0)
            self.cache(self.row, "save", CHANGED_KEY, tree.folder, home)
            self.pack(tree.folder, CHANGED_KEY)
            say(f"a tree of {len(first):,} files, folders and links is stored; tar and curl took {shown(seconds, 's')}")
            self.stored_tree = {TREE_KEY: first, CHANGED_KEY: described(tree.root)}
        return self.stored_tree

    def unpack_new(self, run, key):
        """Restores with tar and curl into an empty folder."""
        folder, wanted = self.new_folder("unpacked"), self.stored()[key]
        self.settle(WRITTEN, self.jobs_server().folder)
        seconds = self.unpack(folder, key)
        if run == 0:
            found = described(folder / "node_modules", times=False)
            check_same({path: without_time(entry) for path, entry in wanted.items()}, found, "tar's")
        return seconds

    def tree_restore(self):
        line = Line("restore into an empty folder", "s", [(PEER, RESTORE)], at_most=True)

        def measure(run, contender):
            wanted = self.stored()[TREE_KEY]
            if contender == PEER:
                return self.unpack_new(run, TREE_KEY)
            if run == 0:
                self.wait_for_quick_creation(self.new_folder("probe"))
            folder, home = self.new_folder("restored"), self.new_folder("home")
            self.settle(WRITTEN, self.jobs_server().folder)
            seconds = self.cache(self.row, "restore", TREE_KEY, folder, home).seconds
            check_same(wanted, described(folder / "node_modules"), "the restored")
            return seconds

        self.tree_row(line, measure)

    def tree_restore_over(self):
        line = Line(f"restore over one, {CHANGED:,} changed", "s", [(PEER, RESTORE_OVER)], at_most=True)
        places, told = [], []

        def measure(run, contender):
            wanted = self.stored()
            if contender == PEER:
                return self.unpack_new(run, CHANGED_KEY)
            if not places:
                self.wait_for_quick_creation(self.new_folder("probe"))
                places.append((self.new_folder("kept"), self.new_folder("home")))
            folder, home = places[0]
            self.cache(self.row, "restore", TREE_KEY, folder, home)
            if run == 0:
                check_same(wanted[TREE_KEY], described(folder / "node_modules"), "the restored")
            self.settle(WRITTEN, self.jobs_server().folder, folder, home)
            outcome = self.cache(self.row, "restore", CHANGED_KEY, folder, home)
            check_same(wanted[CHANGED_KEY], described(folder / "node_modules"), "the restored")
            told.append(outcome.answer())
            return outcome.seconds

        if self.tree_row(line, measure):
            line.note = "received, as the client says: " + ", ".join(
                f"{answer.get('transferredFiles')} files, {answer.get('transferredBytes', 0) / 1e6:.1f} MB"
                for answer in told)


def without_time(entry):
    """An entry of described() as it is without times."""
    mode, *content = entry
    return (mode, None, content[1]) if len(content) == 2 else entry
