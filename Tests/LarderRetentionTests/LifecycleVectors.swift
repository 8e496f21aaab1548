/// The vectors of section 16 of the notes on Amazon ECR's lifecycle policies, word for word.
///
/// Ages are in days at the time of evaluation; the order of images is that of their storing. `expect` names the images
/// that a rule marks, `cascade` those that go because their index or subject goes; everything else stays.
struct LifecycleVector: Sendable {
    let name: String
    let policy: String
    /// Objects with commas between.
    let images: String
    let expect: String
    let cascade: [String]

    init(
        _ name: String,
        policy: String,
        images: String,
        expect: String = "{}",
        cascade: [String] = []
    ) {
        self.name = name
        self.policy = policy
        self.images = images
        self.expect = expect
        self.cascade = cascade
    }

    static let all: [LifecycleVector] = [
        LifecycleVector(
            "L01 Keep newest 3 of anything.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 3},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "a", "tags": ["1"], "ageDays": 5},
                {"id": "b", "tags": ["2"], "ageDays": 4},
                {"id": "c", "tags": [], "ageDays": 3},
                {"id": "d", "tags": ["4"], "ageDays": 2},
                {"id": "e", "tags": ["5"], "ageDays": 1}
                """#,
            expect: #"{"a": {"action": "EXPIRE", "rule": 1}, "b": {"action": "EXPIRE", "rule": 1}}"#
        ),
        LifecycleVector(
            "L02 Age boundary is strict: exactly N days is kept.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "untagged",
                    "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "a", "tags": [], "ageDays": 0.5},
                {"id": "b", "tags": [], "ageDays": 1.0},
                {"id": "c", "tags": [], "ageDays": 1.01},
                {"id": "d", "tags": ["t"], "ageDays": 9}
                """#,
            expect: #"{"c": {"action": "EXPIRE", "rule": 1}}"#
        ),
        LifecycleVector(
            "L03 Shield: a high rule with a large count protects its matches from every lower rule.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["release-*"],
                    "countType": "imageCountMoreThan", "countNumber": 1000},
                   "action": {"type": "expire"}},
                  {"rulePriority": 2, "selection":
                   {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "r1", "tags": ["release-1"], "ageDays": 50},
                {"id": "r2", "tags": ["release-2"], "ageDays": 40},
                {"id": "d1", "tags": ["dev-1"], "ageDays": 30},
                {"id": "d2", "tags": ["dev-2"], "ageDays": 20},
                {"id": "d3", "tags": ["dev-3"], "ageDays": 10},
                {"id": "d4", "tags": ["dev-4"], "ageDays": 1}
                """#,
            expect: #"{"d1": {"action": "EXPIRE", "rule": 2}, "d2": {"action": "EXPIRE", "rule": 2}}"#
        ),
        LifecycleVector(
            "L04 Shielded images still take up ranks in lower rules.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["release-*"],
                    "countType": "imageCountMoreThan", "countNumber": 1000},
                   "action": {"type": "expire"}},
                  {"rulePriority": 2, "selection":
                   {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "r", "tags": ["release-9"], "ageDays": 1},
                {"id": "d1", "tags": ["dev-1"], "ageDays": 2},
                {"id": "d2", "tags": ["dev-2"], "ageDays": 3},
                {"id": "d3", "tags": ["dev-3"], "ageDays": 4}
                """#,
            expect: #"{"d2": {"action": "EXPIRE", "rule": 2}, "d3": {"action": "EXPIRE", "rule": 2}}"#
        ),
        LifecycleVector(
            "L05 Images already marked still take up ranks (not remove-then-count).",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPrefixList": ["tmp-"],
                    "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1},
                   "action": {"type": "expire"}},
                  {"rulePriority": 2, "selection":
                   {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 3},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "t1", "tags": ["tmp-1"], "ageDays": 2},
                {"id": "t2", "tags": ["tmp-2"], "ageDays": 3},
                {"id": "m1", "tags": ["main-1"], "ageDays": 4},
                {"id": "m2", "tags": ["main-2"], "ageDays": 5},
                {"id": "m3", "tags": ["main-3"], "ageDays": 6}
                """#,
            expect: #"""
                {"m2": {"action": "EXPIRE", "rule": 2},
                 "m3": {"action": "EXPIRE", "rule": 2},
                 "t1": {"action": "EXPIRE", "rule": 1},
                 "t2": {"action": "EXPIRE", "rule": 1}}
                """#
        ),
        LifecycleVector(
            "L06 A list is AND; one tag may satisfy several patterns.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["v*", "*-rc*"],
                    "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "a", "tags": ["v1-rc1"], "ageDays": 10},
                {"id": "b", "tags": ["v1"], "ageDays": 10},
                {"id": "c", "tags": ["v2", "build-rc2"], "ageDays": 10},
                {"id": "d", "tags": ["nightly-rc3"], "ageDays": 10}
                """#,
            expect: #"{"a": {"action": "EXPIRE", "rule": 1}, "c": {"action": "EXPIRE", "rule": 1}}"#
        ),
        LifecycleVector(
            "L07 Prefix versus pattern without a star.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPrefixList": ["prod"],
                    "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1},
                   "action": {"type": "expire"}},
                  {"rulePriority": 2, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["stage"],
                    "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "a", "tags": ["production-7"], "ageDays": 3},
                {"id": "b", "tags": ["prod"], "ageDays": 3},
                {"id": "c", "tags": ["stage"], "ageDays": 3},
                {"id": "d", "tags": ["staging"], "ageDays": 3},
                {"id": "e", "tags": ["preprod"], "ageDays": 3}
                """#,
            expect: #"""
                {"a": {"action": "EXPIRE", "rule": 1},
                 "b": {"action": "EXPIRE", "rule": 1},
                 "c": {"action": "EXPIRE", "rule": 2}}
                """#
        ),
        LifecycleVector(
            "L08 Star matches the empty string and any run of characters.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["*pr-*-amd64*"],
                    "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "a", "tags": ["pr-12-amd64"], "ageDays": 2},
                {"id": "b", "tags": ["app-pr-9-amd64-debug"], "ageDays": 2},
                {"id": "c", "tags": ["pr-amd64"], "ageDays": 2},
                {"id": "d", "tags": ["pr--amd64"], "ageDays": 2}
                """#,
            expect: #"""
                {"a": {"action": "EXPIRE", "rule": 1},
                 "b": {"action": "EXPIRE", "rule": 1},
                 "d": {"action": "EXPIRE", "rule": 1}}
                """#
        ),
        LifecycleVector(
            "L09 An image is claimed by the first rule one of its tags satisfies.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["latest"],
                    "countType": "imageCountMoreThan", "countNumber": 1},
                   "action": {"type": "expire"}},
                  {"rulePriority": 2, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["sha-*"],
                    "countType": "imageCountMoreThan", "countNumber": 2},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "a", "tags": ["sha-1", "latest"], "ageDays": 9},
                {"id": "b", "tags": ["sha-2"], "ageDays": 8},
                {"id": "c", "tags": ["sha-3"], "ageDays": 7},
                {"id": "d", "tags": ["sha-4"], "ageDays": 6}
                """#,
            expect: #"{"b": {"action": "EXPIRE", "rule": 2}}"#
        ),
        LifecycleVector(
            "L10 Children of a live index are neither ranked nor expired.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "untagged",
                    "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1},
                   "action": {"type": "expire"}},
                  {"rulePriority": 2, "selection":
                   {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 3},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "orphan", "tags": [], "ageDays": 30},
                {"id": "Z", "tags": ["v1"], "ageDays": 20},
                {"id": "Y", "tags": ["v2"], "ageDays": 10},
                {"id": "x-amd", "tags": [], "ageDays": 3},
                {"id": "x-arm", "tags": [], "ageDays": 3},
                {"id": "X", "tags": ["v3"], "ageDays": 3, "children": ["x-amd", "x-arm"]}
                """#,
            expect: #"{"orphan": {"action": "EXPIRE", "rule": 1}}"#
        ),
        LifecycleVector(
            "L11 An expired index takes its untagged children with it.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["v*"],
                    "countType": "imageCountMoreThan", "countNumber": 1},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "x-amd", "tags": [], "ageDays": 9},
                {"id": "x-arm", "tags": [], "ageDays": 9},
                {"id": "X", "tags": ["v1"], "ageDays": 9, "children": ["x-amd", "x-arm"]},
                {"id": "y-amd", "tags": [], "ageDays": 1},
                {"id": "Y", "tags": ["v2"], "ageDays": 1, "children": ["y-amd"]}
                """#,
            expect: #"{"X": {"action": "EXPIRE", "rule": 1}}"#,
            cascade: ["x-amd", "x-arm"]
        ),
        LifecycleVector(
            "L12 A child shared with a surviving index stays.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["v*"],
                    "countType": "imageCountMoreThan", "countNumber": 1},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "base", "tags": [], "ageDays": 9},
                {"id": "x2", "tags": [], "ageDays": 9},
                {"id": "X", "tags": ["v1"], "ageDays": 9, "children": ["base", "x2"]},
                {"id": "Y", "tags": ["v2"], "ageDays": 1, "children": ["base"]}
                """#,
            expect: #"{"X": {"action": "EXPIRE", "rule": 1}}"#,
            cascade: ["x2"]
        ),
        LifecycleVector(
            "L13 Referrers are not ranked and follow their subject, also in chains.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "A", "tags": ["v1"], "ageDays": 9},
                {"id": "sigA", "tags": [], "ageDays": 8, "subject": "A"},
                {"id": "sbomA", "tags": [], "ageDays": 8, "subject": "A"},
                {"id": "sigSbomA", "tags": [], "ageDays": 7, "subject": "sbomA"},
                {"id": "B", "tags": ["v2"], "ageDays": 2},
                {"id": "sigB", "tags": [], "ageDays": 1, "subject": "B"}
                """#,
            expect: #"{"A": {"action": "EXPIRE", "rule": 1}}"#,
            cascade: ["sbomA", "sigA", "sigSbomA"]
        ),
        LifecycleVector(
            "L14 The clock is the push time, not the time of untagging.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "untagged",
                    "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "old-just-untagged", "tags": [], "ageDays": 30},
                {"id": "new", "tags": [], "ageDays": 3}
                """#,
            expect: #"{"old-just-untagged": {"action": "EXPIRE", "rule": 1}}"#
        ),
        LifecycleVector(
            "L15 SinceImagePulled with fallbacks; only transition is allowed.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 90},
                   "action": {"type": "transition", "targetStorageClass": "archive"}}
                ]}
                """#,
            images: #"""
                {"id": "a", "tags": ["a"], "ageDays": 200, "pulledDaysAgo": 100},
                {"id": "b", "tags": ["b"], "ageDays": 200, "pulledDaysAgo": 10},
                {"id": "c", "tags": ["c"], "ageDays": 100},
                {"id": "d", "tags": ["d"], "ageDays": 50},
                {"id": "e", "tags": ["e"], "ageDays": 300, "pulledDaysAgo": 250, "restoredDaysAgo": 20}
                """#,
            expect: #"{"a": {"action": "TRANSITION", "rule": 1}, "c": {"action": "TRANSITION", "rule": 1}}"#
        ),
        LifecycleVector(
            "L16 Two storage classes in one policy.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 30},
                   "action": {"type": "transition", "targetStorageClass": "archive"}},
                  {"rulePriority": 2, "selection":
                   {"tagStatus": "any", "storageClass": "archive",
                    "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 365},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "a", "tags": ["a"], "ageDays": 40},
                {"id": "b", "tags": ["b"], "ageDays": 10},
                {"id": "c", "tags": ["c"], "ageDays": 900, "archivedDaysAgo": 400, "storageClass": "archive"},
                {"id": "d", "tags": ["d"], "ageDays": 900, "archivedDaysAgo": 200, "storageClass": "archive"}
                """#,
            expect: #"{"a": {"action": "TRANSITION", "rule": 1}, "c": {"action": "EXPIRE", "rule": 2}}"#
        ),
        LifecycleVector(
            "L17 Keep last per prefix: one rule for each prefix.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPrefixList": ["main-"],
                    "countType": "imageCountMoreThan", "countNumber": 2},
                   "action": {"type": "expire"}},
                  {"rulePriority": 2, "selection":
                   {"tagStatus": "tagged", "tagPrefixList": ["pr-"],
                    "countType": "imageCountMoreThan", "countNumber": 1},
                   "action": {"type": "expire"}},
                  {"rulePriority": 3, "selection":
                   {"tagStatus": "untagged",
                    "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "m1", "tags": ["main-1"], "ageDays": 9},
                {"id": "m2", "tags": ["main-2"], "ageDays": 8},
                {"id": "m3", "tags": ["main-3"], "ageDays": 7},
                {"id": "p1", "tags": ["pr-1"], "ageDays": 6},
                {"id": "p2", "tags": ["pr-2"], "ageDays": 5},
                {"id": "u1", "tags": [], "ageDays": 4},
                {"id": "u2", "tags": [], "ageDays": 0.2}
                """#,
            expect: #"""
                {"m1": {"action": "EXPIRE", "rule": 1},
                 "p1": {"action": "EXPIRE", "rule": 2},
                 "u1": {"action": "EXPIRE", "rule": 3}}
                """#
        ),
        LifecycleVector(
            "L18 Order of evaluation is by number, not by place in the list.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 20, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["b*"],
                    "countType": "imageCountMoreThan", "countNumber": 1},
                   "action": {"type": "expire"}},
                  {"rulePriority": 5, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["a*"],
                    "countType": "imageCountMoreThan", "countNumber": 1},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "i1", "tags": ["a1", "b1"], "ageDays": 4},
                {"id": "i2", "tags": ["a2", "b2"], "ageDays": 3},
                {"id": "i3", "tags": ["b3"], "ageDays": 2}
                """#,
            expect: #"{"i1": {"action": "EXPIRE", "rule": 5}}"#
        ),
        LifecycleVector(
            "L19 Equal push times: the later stored one is the newer (our choice).",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "a", "tags": ["1"], "ageDays": 3},
                {"id": "b", "tags": ["2"], "ageDays": 3},
                {"id": "c", "tags": ["3"], "ageDays": 3}
                """#,
            expect: #"{"a": {"action": "EXPIRE", "rule": 1}, "b": {"action": "EXPIRE", "rule": 1}}"#
        ),
        LifecycleVector(
            "L20 Fewer images than the count: nothing happens; images that no rule matches are kept for ever.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPrefixList": ["x"],
                    "countType": "imageCountMoreThan", "countNumber": 5},
                   "action": {"type": "expire"}},
                  {"rulePriority": 2, "selection":
                   {"tagStatus": "untagged",
                    "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "a", "tags": ["x1"], "ageDays": 400},
                {"id": "b", "tags": ["x2"], "ageDays": 300},
                {"id": "c", "tags": ["y1"], "ageDays": 999}
                """#
        ),
        LifecycleVector(
            "L21 Several tags on one image count as one image.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["*"],
                    "countType": "imageCountMoreThan", "countNumber": 2},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "a", "tags": ["1", "1.0", "1.0.0"], "ageDays": 9},
                {"id": "b", "tags": ["1.1"], "ageDays": 8},
                {"id": "c", "tags": ["1.2", "latest"], "ageDays": 7}
                """#,
            expect: #"{"a": {"action": "EXPIRE", "rule": 1}}"#
        ),
        LifecycleVector(
            "L22 A tagged child of an index that dies keeps its own tag.",
            policy: #"""
                {"rules": [
                  {"rulePriority": 1, "selection":
                   {"tagStatus": "tagged", "tagPatternList": ["v*"],
                    "countType": "imageCountMoreThan", "countNumber": 1},
                   "action": {"type": "expire"}}
                ]}
                """#,
            images: #"""
                {"id": "amd", "tags": ["amd64-1"], "ageDays": 9},
                {"id": "arm", "tags": [], "ageDays": 9},
                {"id": "X", "tags": ["v1"], "ageDays": 9, "children": ["amd", "arm"]},
                {"id": "Y", "tags": ["v2"], "ageDays": 1}
                """#,
            expect: #"{"X": {"action": "EXPIRE", "rule": 1}}"#,
            cascade: ["arm"]
        ),
    ]
}
