"""Tags, the catalog, and names that look like routes."""

from functools import partial
from urllib.parse import unquote

from .content import INDEX
from .registry import query_of
from .runner import Step, demand, preparing, suite

TAGS = ["10", "9", "A", "Z.z", "_x", "a", "a-b", "a.b", "a_b", "v1", "v1.0"]


def push_tags(registry):
    """A repository with all of TAGS on one manifest; gives its name and the tags in the order of the registry."""
    repo = registry.fresh("pages")
    registry.push_image(repo, "pages", *reversed(TAGS))
    with preparing():
        names = registry.all_tags(repo)
        demand(sorted(names) == TAGS, f"demanded the tags {TAGS}, answered {names}")
    return repo, names


tagged = Step("pages", push_tags)


def check_page(registry, expected, *query):
    repo, _ = tagged.require(registry)
    answer = registry.get(registry.tags(repo, *query)).expect(200)
    names = registry.tag_names(answer, repo)
    if names != expected:
        answer.fail(f"the tags {expected}", names)
    return answer


@suite.test("pages/n", "1.1")
def exact_count(registry):
    _, names = tagged.require(registry)
    for count in (1, 4, len(names) - 1, len(names)):
        check_page(registry, names[:count], ("n", str(count)))


@suite.test("pages/last", "1.1")
def after_last(registry):
    _, names = tagged.require(registry)
    for position, name in enumerate(names):
        check_page(registry, names[position + 1:], ("last", name))


@suite.test("pages/n-and-last", "1.1")
def count_after_last(registry):
    _, names = tagged.require(registry)
    check_page(registry, names[3:5], ("n", "2"), ("last", names[2]))
    check_page(registry, names[-1:], ("n", "5"), ("last", names[-2]))
    check_page(registry, [], ("n", "5"), ("last", names[-1]))


@suite.test("pages/n-zero", "1.1")
def no_tags(registry):
    answer = check_page(registry, [], ("n", "0"))
    answer.expect_header("Link", None)


def follow(registry, count):
    """Link leads through all tags, in pages of exactly `count`, and ends with the last."""
    repo, names = tagged.require(registry)
    pages = [registry.tag_names(answer, repo) for answer in registry.pages(registry.tags(repo, ("n", str(count))))]
    demand(sum(pages, []) == names, f"GET tags/list?n={count}: demanded {names} over all pages, answered {pages}")
    full = len(names) // count + (1 if len(names) % count else 0)
    demand(len(pages) == full, f"GET tags/list?n={count}: demanded {full} pages, the last without Link, "
                               f"answered {len(pages)}")


for size in (1, 3, len(TAGS), len(TAGS) + 1):
    suite.add(f"pages/link-{size}-at-a-time", "larder", partial(follow, count=size))


@suite.test("pages/link-form", "larder")
def link_form(registry):
    repo, _ = tagged.require(registry)
    answer = check_page(registry, TAGS[:3], ("n", "3"))
    following = registry.next_page(answer) or ""
    if following.split("?")[0] != registry.tags(repo) or query_of(following) != {"n": "3", "last": TAGS[2]}:
        answer.fail(f"a Link to {registry.tags(repo)} with n=3 and last={TAGS[2]}", unquote(following))


@suite.test("pages/order", "larder")
def byte_order(registry):
    check_page(registry, TAGS)


@suite.test("pages/last-that-does-not-exist", "larder")
def absent_last(registry):
    for last in ("", "0", "B", "a.", "a/!", "v1.00", "zzz", "~", "\u00fc", "v1 "):
        check_page(registry, [tag for tag in TAGS if tag.encode() > last.encode()], ("last", last))


@suite.test("pages/bad-n", "larder")
def bad_count(registry):
    repo, _ = tagged.require(registry)
    for count in ("-1", "x", "1.5", "1x", " 1", "--1"):
        answer = registry.get(registry.tags(repo, ("n", count)))
        answer.expect_error(400, "PAGINATION_NUMBER_INVALID")


@suite.test("pages/huge-n", "larder")
def huge_count(registry):
    """More than the registry gives at once is cut, not refused."""
    repo, names = tagged.require(registry)
    for count in ("100000", "2147483648", "9223372036854775807"):
        given = registry.all_tags(repo, ("n", count))
        demand(given == names, f"GET tags/list?n={count}: demanded {names}, answered {given}")


@suite.test("pages/empty", "larder")
def empty_list(registry):
    """A repository without tags has an empty array of them."""
    repo = registry.fresh("no-tags")
    registry.push_image(repo, "no tags")
    answer = registry.get(registry.tags(repo)).expect(200).expect_header("Link", None)
    value = answer.expect_json()
    if value != {"name": repo, "tags": []}:
        answer.fail(f'{{"name":"{repo}","tags":[]}}')


@suite.test("pages/json", "larder")
def list_is_json(registry):
    answer = check_page(registry, TAGS)
    kind = (answer.header("Content-Type") or "").split(";")[0]
    if kind != "application/json":
        answer.fail("Content-Type: application/json", f"200 with {kind}")


@suite.test("pages/many-tags", "larder")
def many_tags(registry):
    """Some hundreds of tags are all listed, at once and by pages of a hundred."""
    repo = registry.fresh("many-tags")
    image = registry.push_image(repo, "many tags")
    names = sorted(f"build-{number}" for number in range(250))
    with preparing():
        for name in names:
            registry.put_manifest(repo, name, image.body, image.kind).expect(201)
    for query in ((), (("n", "100"),)):
        given = registry.all_tags(repo, *query)
        demand(given == names, f"GET tags/list {query}: demanded {len(names)} tags, answered {len(given)}: {given[:5]}")


# The catalog.

def push_catalog(registry):
    """Five repositories that stand one behind the other in the catalog."""
    names = [f"{registry.fresh('catalog')}/{letter}" for letter in "abcde"]
    for name in names:
        registry.push_image(name, f"catalog {name}", "latest")
    return names


catalogued = Step("catalog", push_catalog)


def names_in(answer):
    value = answer.expect_json()
    names = value.get("repositories") if isinstance(value, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        answer.fail('an array of "repositories"')
    return names


def catalog_target(*query):
    return "/v2/_catalog" + ("?" + "&".join(f"{name}={value}" for name, value in query) if query else "")


@suite.test("catalog/all", "larder")
def catalog_all(registry):
    wanted = catalogued.require(registry)
    names = sum((names_in(answer) for answer in registry.pages(catalog_target())), [])
    missing = [name for name in wanted if name not in names]
    demand(not missing, f"GET /v2/_catalog: demanded {missing} too, answered {len(names)} names")
    demand(names == sorted(set(names)), "GET /v2/_catalog: demanded every name once and in order")


@suite.test("catalog/link", "larder")
def catalog_link(registry):
    catalogued.require(registry)
    at_once = sum((names_in(answer) for answer in registry.pages(catalog_target())), [])
    pages = [names_in(answer) for answer in registry.pages(catalog_target(("n", "7")))]
    demand(sum(pages, []) == at_once, f"GET /v2/_catalog?n=7: demanded the same names as without n, in pages")
    demand(all(len(page) == 7 for page in pages[:-1]), "GET /v2/_catalog?n=7: demanded seven names a page")


@suite.test("catalog/n-and-last", "larder")
def catalog_last(registry):
    wanted = catalogued.require(registry)
    for query, expected in (
        ((("n", "2"), ("last", wanted[0])), wanted[1:3]),
        ((("n", "3"), ("last", wanted[0] + "-nothing")), wanted[1:4]),
    ):
        answer = registry.get(catalog_target(*query)).expect(200)
        if names_in(answer) != expected:
            answer.fail(f"the names {expected}")


@suite.test("catalog/n-zero", "larder")
def catalog_nothing(registry):
    catalogued.require(registry)
    answer = registry.get(catalog_target(("n", "0"))).expect(200).expect_header("Link", None)
    demand(names_in(answer) == [], f"{answer.request}: demanded no names, answered {answer.summary()}")


@suite.test("catalog/bad-n", "larder")
def catalog_bad(registry):
    for count in ("-1", "x"):
        registry.get(catalog_target(("n", count))).expect_error(400, "PAGINATION_NUMBER_INVALID")


# Names.

def route_like(registry, ending):
    """The end of the path decides what it is; the name before it may look like a route itself."""
    repo = registry.fresh("routes") + "/" + ending
    image = registry.push_image(repo, f"routes {ending}", "list", "latest")
    for reference in (image.digest, "list", "latest"):
        registry.check_manifest(registry.get_manifest(repo, reference), image)
    names = registry.all_tags(repo)
    demand(names == ["latest", "list"], f"GET {registry.tags(repo)}: demanded latest and list, answered {names}")
    registry.check_referrers(repo, image.digest, [])
    data = registry.data(f"routes {ending} blob", 60)
    digest = registry.put_blob(repo, data)
    registry.check_blob(repo, data, digest)
    registry.delete(registry.blob(repo, digest)).expect(202)
    registry.delete(registry.manifest(repo, "list")).expect(202)


for part in ("tags", "tags/list", "manifests", "manifests/latest", "blobs", "blobs/uploads", "blobs/uploads/x",
             "referrers", "v2", "0"):
    suite.add(f"names/{part}", "larder", partial(route_like, ending=part))


@suite.test("names/separators", "larder")
def separators(registry):
    for name in ("a.b/c_d", "a__b", "a-b", "a---b", "0/1/2/3/4/5/6/7/8/9"):
        repo = f"{registry.fresh('names')}/{name}"
        registry.push_image(repo, f"names {name}", "latest")
        registry.get_manifest(repo, "latest").expect(200)


@suite.test("names/created-by-index", "larder")
def created_by_manifest(registry):
    """The first push may be a manifest that names nothing."""
    repo = registry.fresh("created-by-index")
    index = registry.content("created by index").index([])
    registry.put_manifest(repo, "latest", index.body, INDEX).expect(201)
    registry.check_manifest(registry.get_manifest(repo, "latest"), index)
